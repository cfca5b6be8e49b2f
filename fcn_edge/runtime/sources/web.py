"""Files and streams over HTTP, read in such a way that another thread can end it at any moment.

FFmpeg's own HTTP waits where nobody can wake it, and follows a playlist wherever it leads. This opens http and https,
and there is nothing else that it could open.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from typing_extensions import override

from fcn_edge.errors import FcnEdgeError, SourceError
from fcn_edge.io.closeable import Closeable
from fcn_edge.runtime.sources.tcp import Authority, connected_socket
from fcn_edge.runtime.sources.web_file import WebFile
from fcn_edge.runtime.sources.web_login import Login

__all__ = ["WebClient"]

PORTS = {"http": 80, "https": 443}
_AGENT = "fcn_edge"
_WRITE = 2
"""FFmpeg's AVIO_FLAG_WRITE."""


class WebClient(Closeable):
    """Opens addresses with one user's name and password, until it is aborted.

    Args:
        shown: What the user called the source, without the password: for errors.
        timeout: Seconds in which a host must answer, and in which data must follow data; ``wait`` changes it.
        verify: Trust only certificates that this machine's authorities have signed.
        elsewhere: Connect to other hosts and ports than the first, to which redirections and playlists may lead.

    Attributes:
        problem: The first thing that went wrong since the source was opened; FFmpeg is told that this file has ended,
            because PyAV prints errors of files that FFmpeg gets over.
    """

    def __init__(self, shown: str, timeout: float, verify: bool = True, elsewhere: bool = True) -> None:
        self.shown = shown
        self.timeout = timeout
        self.problem: FcnEdgeError | None = None
        self._aborted = False
        self._elsewhere = elsewhere
        self._home: tuple[str, int] | None = None
        self._sockets: set[socket.socket] = set()
        self._files: set[WebFile] = set()
        self._lock = threading.Lock()
        self._login = Login(shown)
        self._tls = ssl.create_default_context()
        if not verify:
            self._tls.check_hostname = False
            self._tls.verify_mode = ssl.CERT_NONE
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            _Handler(self),
            _Redirects(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
            self._login,
        ):
            self._opener.add_handler(handler)

    def open(self, url: str, start: int = 0, stop: int | None = None) -> WebFile:
        """Open an address.

        Args:
            url: ``http://`` or ``https://``, with or without a password.
            start: First byte that is wanted.
            stop: Byte behind the last one that is wanted; None for all.

        Raises:
            UsageError: There is no host in it.
            SourceError: It is of another scheme, nobody answers, or the answer is an error.
        """
        file = WebFile(self, url, self.response(url, start, stop), start)
        self._files.add(file)
        return file

    def part(self, url: str, flags: int, options: Mapping[str, str]) -> WebFile | io.BytesIO:
        """Open what a playlist names; PyAV's ``io_open``. What is not to be had is an empty file and a ``problem``."""
        try:
            if flags & _WRITE:
                raise SourceError(f"{self.shown} cannot be written to.")
            stop = int(options.get("end_offset", 0))
            return self.open(url, int(options.get("offset", 0)), stop or None)
        except FcnEdgeError as error:
            self.problem = self.problem or error
            return io.BytesIO()

    def response(self, url: str, start: int, stop: int | None) -> http.client.HTTPResponse:
        """The answer to a request, its body not read yet; raises as ``open`` does."""
        scheme = url.partition("://")[0].lower()
        if scheme not in PORTS:
            raise SourceError(
                f"{self.shown} names a part that is not to be had over http or https, which is not opened.",
                "Serve the playlist with plain http(s) addresses and without encryption.",
            )
        authority = Authority.of(url, self.shown, PORTS[scheme])
        host = f"[{authority.host}]" if ":" in authority.host else authority.host
        origin = f"{scheme}://{host}:{authority.port}"
        if authority.user is not None:
            self._login.add(scheme, authority)
        rest = url.partition("://")[2]
        place = rest[len(rest.partition("/")[0]) if "/" in rest else len(rest) :].partition("#")[0]
        request = urllib.request.Request(_escaped(origin + (place or "/")), headers={"User-Agent": _AGENT})
        if start or stop is not None:
            request.add_header("Range", f"bytes={start}-{'' if stop is None else stop - 1}")
        response = self._answer(request)
        if start and response.status != 206:
            response.close()
            raise SourceError(
                f"The server of {self.shown} cannot give parts of a file.", "Use one that serves byte ranges."
            )
        return response

    def wait(self, timeout: float) -> None:
        """From now on, also where something is open, give up after this many seconds."""
        self.timeout = timeout
        with self._lock:
            for sock in self._sockets:
                with suppress(OSError):  # it is closed
                    sock.settimeout(timeout)

    @override
    def close(self) -> None:
        """Close what FFmpeg has left open; in the thread that opened it."""
        for file in list(self._files):
            file.close()

    def closed(self, file: WebFile) -> None:
        """Forget a file that was closed."""
        self._files.discard(file)

    def abort(self) -> None:
        """Make whatever is read or opened fail at once, now and later. For other threads."""
        self._aborted = True
        with self._lock:
            for sock in self._sockets:
                # the socket below TLS: what its own thread is doing with TLS must not be touched from this one
                with suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def connected(self, host: str, port: int, secure: bool) -> socket.socket:
        """A connection that ``abort`` ends.

        Raises:
            SourceError: There is none, or it would lead elsewhere.
        """
        there = host.lower(), port
        self._home = self._home or there
        if there != self._home and not self._elsewhere:
            raise SourceError(
                f"{self.shown} leads to another host or port, and only its own was allowed.",
                "Give the address that it leads to, when the run starts or to one that allows it.",
                persistent=True,
            )
        until = time.monotonic() + self.timeout
        sock = connected_socket(host, port, until, lambda: self._aborted, self.shown)
        sock.settimeout(self.timeout)
        self._watch(sock)
        if secure:
            # a certificate belongs to a name; the handshake has the socket's timeout
            plain = sock
            try:
                sock = self._tls.wrap_socket(plain, server_hostname=host)
            finally:
                self._forget(plain)
            self._watch(sock)
        return sock

    def error(self, error: BaseException) -> SourceError:
        """What a failure means, in a sentence."""
        if self._aborted:
            return SourceError(f"Reading {self.shown} was interrupted.")
        if isinstance(error, urllib.error.URLError) and isinstance(error.reason, BaseException):
            error = error.reason
        if isinstance(error, SourceError):
            return error
        if isinstance(error, ssl.SSLCertVerificationError):
            return SourceError(
                f"The certificate of {self.shown} is signed by nobody whom this machine trusts.",
                "Set SSL_CERT_FILE to the camera's certificate, or add #verify=no to the address.",
            )
        if isinstance(error, ssl.SSLError):
            return SourceError(f"{self.shown} does not speak TLS as it should.", "Check scheme and port.")
        if isinstance(error, TimeoutError):
            return SourceError(
                f"{self.shown} was lost: nothing came for {self.timeout:g} s.",
                "Check its power and the network, or raise the time with #timeout=SECONDS.",
            )
        return SourceError(f"{self.shown} was lost: the connection ended.", "Check the camera and the network.")

    def _answer(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        try:
            response = self._opener.open(request, timeout=self.timeout)
        except urllib.error.HTTPError as error:
            error.close()
            raise _refusal(self.shown, error.code) from None
        except SourceError:
            raise
        except ValueError:  # it may show the address
            raise SourceError(
                f"{self.shown} is an address that makes no sense, or leads to one.",
                "Correct it, or the redirection on the server.",
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise self.error(error) from None
        if response is None:
            raise SourceError(f"{self.shown} leads to an address that is not http or https.", "Correct the address.")
        assert isinstance(response, http.client.HTTPResponse)
        return response

    def _watch(self, sock: socket.socket) -> None:
        with self._lock:
            self._sockets = {one for one in self._sockets if one.fileno() >= 0} | {sock}
        if self._aborted:
            self.abort()

    def _forget(self, sock: socket.socket) -> None:
        with self._lock:
            self._sockets.discard(sock)


class _Handler(urllib.request.AbstractHTTPHandler):
    """Opens http and https through the client's sockets; of no proxy."""

    def __init__(self, client: WebClient) -> None:
        super().__init__()
        self._client = client

    def http_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(lambda host, **_: _Connection(host, self._client, secure=False), request)

    def https_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(lambda host, **_: _Connection(host, self._client, secure=True), request)

    def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
        return self.do_request_(request)

    https_request = http_request


class _Connection(http.client.HTTPConnection):
    def __init__(self, host: str, client: WebClient, secure: bool) -> None:
        self.default_port = PORTS["https" if secure else "http"]
        super().__init__(host)
        self._client = client
        self._secure = secure

    @override
    def connect(self) -> None:
        self.sock = self._client.connected(self.host, self.port, self._secure)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to http and https, and from https to https only."""

    @override
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        there = urlsplit(newurl).scheme
        if there not in PORTS or (req.type == "https" and there != "https"):
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)

    @override
    def http_error_302(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        try:
            return super().http_error_302(req, fp, code, msg, headers)
        except ValueError:  # it leads to what is no address
            fp.close()
            raise

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _escaped(url: str) -> str:
    """An address whose spaces and letters beyond ASCII are escaped; what is escaped already stays as it is."""
    return urllib.request.quote(url, safe="%/:=&?~#+!$,;'@()*[]")  # type: ignore[attr-defined,no-any-return]


def _refusal(shown: str, status: int) -> SourceError:
    if status in (401, 407):
        return SourceError(
            f"{shown} wants a user and a password, or other ones (HTTP {status}).",
            "Put them before the host: http://user:password@host/path.",
            persistent=True,
        )
    if status == 403:
        return SourceError(f"{shown} may not be read by this user (HTTP 403).", "Give the user that right.")
    if status in (404, 410):
        return SourceError(f"There is nothing at {shown} (HTTP {status}).", "Correct the path behind the host.")
    if 300 <= status < 400:
        return SourceError(
            f"{shown} leads elsewhere, to where it is not followed (HTTP {status}).", "Give the final address."
        )
    whose = "The server of" if status >= 500 else "A request for"
    return SourceError(f"{whose} {shown} failed (HTTP {status}).", "Open the address in a browser to see why.")
