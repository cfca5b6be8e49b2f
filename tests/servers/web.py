"""A small HTTP server in threads of the test: files with byte ranges, redirections, logins, endless streams."""

from __future__ import annotations

import base64
import hashlib
import http.server
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from typing_extensions import Self

__all__ = ["WebServer", "multipart"]

BOUNDARY = "frame"
REALM, NONCE = "Kamera Süd", "dcd98b7102dd2f0e8b11d0f600bfb0c0"
Stream = Callable[[], Iterable[bytes]]


class WebServer:
    """Serves in a ``with`` block, on 127.0.0.1.

    Attributes:
        files: What there is: by path, the content, a function that gives pieces of an endless one, or the address
            that a redirection leads to.
        kinds: Media types by path; ``application/octet-stream`` where there is none.
        ranges: Whether parts of files are given.
        login: ``user:password`` without which nothing is given; empty for none.
        digest: How the login is asked for: the challenge of ``WWW-Authenticate: Digest`` without realm and nonce, such
            as ``qop="auth", algorithm=SHA-256``; Basic when None.
        others: Challenges that are sent before that one, each in a header of its own; the login by them is refused.
        refused: How many requests were answered by asking for the login.
        asked: Path and ``Range`` of each request that was answered.
        logins: The kind of login in each request, such as ``Basic``; empty where there was none.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes | Stream | str] = {}
        self.kinds: dict[str, str] = {}
        self.ranges = True
        self.login = ""
        self.digest: str | None = None
        self.others: list[str] = []
        self.refused = 0
        self.asked: list[tuple[str, str]] = []
        self.logins: list[str] = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"web": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.port: int = self._server.server_address[1]

    def url(self, path: str, login: str = "") -> str:
        """The address of a path."""
        return f"http://{login}{'@' if login else ''}127.0.0.1:{self.port}{path}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    web: WebServer

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        web = self.web
        path, wanted = self.path, self.headers.get("Range", "")
        web.logins.append(self.headers.get("Authorization", "").partition(" ")[0])
        if web.login and not self._is_let_in():
            web.refused += 1
            challenge = f'Digest realm="{REALM}", nonce="{NONCE}", {web.digest}' if web.digest is not None else ""
            self._head(401, {"Content-Length": "0"}, [*web.others, challenge or f'Basic realm="{REALM}"'])
            return
        web.asked.append((path, wanted))
        content = web.files.get(path)
        if content is None:
            self._head(404, {"Content-Length": "0"})
        elif isinstance(content, str):
            self._head(302, {"Location": content, "Content-Length": "0"})
        elif isinstance(content, bytes):
            self._give_file(path, content, wanted)
        else:
            self._head(200, {"Content-Type": web.kinds.get(path, "application/octet-stream")})
            self._send(content())

    def _is_let_in(self) -> bool:
        given = self.headers.get("Authorization", "")
        if self.web.digest is None:
            return given == "Basic " + base64.b64encode(self.web.login.encode()).decode()
        # as RFC 7616 has it, for qop=auth and for none
        pairs = re.findall(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))', given.encode("latin-1").decode())
        told = {name: re.sub(r"\\(.)", r"\1", quoted) or plain for name, quoted, plain in pairs}
        make = hashlib.sha256 if "SHA-256" in self.web.digest else hashlib.md5

        def digest(*parts: str) -> str:
            return make(":".join(parts).encode()).hexdigest()

        user, _, password = self.web.login.partition(":")
        counted = [told.get(name, "") for name in ("nc", "cnonce", "qop")] if "qop" in told else []
        whole = digest(digest(user, REALM, password), NONCE, *counted, digest("GET", told.get("uri", "")))
        said = given.partition(" ")[0], told.get("username"), told.get("uri"), told.get("response")
        return said == ("Digest", user, self.path, whole)

    def _give_file(self, path: str, content: bytes, wanted: str) -> None:
        headers = {"Content-Type": self.web.kinds.get(path, "application/octet-stream")}
        status = 200
        if self.web.ranges:
            headers["Accept-Ranges"] = "bytes"
            if found := re.fullmatch(r"bytes=(\d+)-(\d*)", wanted):
                first, last = int(found[1]), int(found[2] or len(content) - 1)
                headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
                status, content = 206, content[first : last + 1]
        self._head(status, {**headers, "Content-Length": str(len(content))})
        self._send([content])

    def _head(self, status: int, headers: Mapping[str, str], challenges: Iterable[str] = ()) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        for challenge in challenges:
            self.send_header("WWW-Authenticate", challenge.encode().decode("latin-1"))
        self.end_headers()

    def _send(self, pieces: Iterable[bytes]) -> None:
        try:
            for piece in pieces:
                self.wfile.write(piece)
        except OSError:  # the client has gone
            pass


def multipart(pictures: Iterable[bytes]) -> Iterable[bytes]:
    """Pictures as the body of ``multipart/x-mixed-replace``."""
    for picture in pictures:
        yield f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n".encode()
        yield picture + b"\r\n"
