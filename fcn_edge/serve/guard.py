"""What stands before the page: each request and each WebSocket is looked at before anything of the page sees it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fcn_edge.serve.access import Access
from fcn_edge.serve.address import PageAddress
from fcn_edge.serve.hosts import Hosts, check_origin
from fcn_edge.serve.refusal import Refusal
from fcn_edge.serve.request_limits import ClientLeft, check_form, headers_of, whole_body

__all__ = ["LOGIN_NEEDED", "SECURITY_HEADERS", "Guard"]

LOGIN_NEEDED = 4401
"""A WebSocket is closed with this code where it lacks the login. That comes after the handshake, because a browser's
page learns nothing of a handshake that fails. What comes from elsewhere gets its 403 instead of the handshake."""

_PUBLIC = frozenset({"/healthz", "/login", "/logout", "/static/login.css"})
_FORMS = frozenset({"/login", "/logout"})
_PROXIED = (b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via")
"""Who passes requests on says so in one of these: then it is not this machine that looks."""

SECURITY_HEADERS = {
    b"x-content-type-options": b"nosniff",
    # with no-referrer, browsers send "Origin: null" with a form, which could come from anywhere
    b"referrer-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"x-frame-options": b"DENY",
    b"cache-control": b"no-store",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:;"
    " font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none';"
    " connect-src 'self'"
)

_log = logging.getLogger(__name__)


class Guard:
    """Host, Origin, form and size of each request, and who may look or change.

    Args:
        app: The page.
        address: Where it listens.
        access: Its token and logins.
    """

    def __init__(self, app: ASGIApp, address: PageAddress, access: Access) -> None:
        self._app = app
        self._hosts = Hosts(address)
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        is_websocket = scope["type"] == "websocket"
        try:
            headers = headers_of(scope)
            answer.host = host = self._hosts.checked(headers)
            check_form(scope, headers)
            check_origin(headers, host, _is_navigation(scope, headers))
            if is_websocket and not self._may_look(scope, headers, host):
                await _close_for_login(receive, answer.send)
                return
            if not is_websocket:
                receive = await self._allowed(scope, headers, host, receive)
            await self._app(scope, receive, answer.send)
        except Refusal as refusal:
            await refusal.answer(answer.send, is_websocket)
        except ClientLeft:
            return
        except Exception:
            # a fault of ours in one answer is not for the terminal, and ends nothing else
            if is_websocket:
                raise
            _log.debug("An answer failed.", exc_info=True)
            if not answer.has_begun:
                await Refusal(500, "The page could not make this answer.").answer(answer.send)

    async def _allowed(self, scope: Scope, headers: Mapping[bytes, bytes], host: str, receive: Receive) -> Receive:
        """Let a request through that may be made; returns what its body is received from."""
        path = scope["path"]
        if scope["method"] in ("GET", "HEAD"):
            if path not in _PUBLIC and not self._may_look(scope, headers, host):
                raise self._login_needed(scope, headers)
            return receive
        if path in _FORMS:
            return await whole_body(receive, headers, "application/x-www-form-urlencoded")
        self._access.check_change(scope, headers)
        return await whole_body(receive, headers, "application/json")

    def _may_look(self, scope: Scope, headers: Mapping[bytes, bytes], host: str) -> bool:
        # nginx as it comes names itself in no header, but speaks the old HTTP
        proxied = scope.get("http_version") == "1.0" or any(name in headers for name in _PROXIED)
        is_here = self._hosts.is_from_here(host) and not proxied
        return is_here or self._access.may_look(scope, headers)

    def _login_needed(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Refusal:
        if self._access.has_token and b"text/html" in headers.get(b"accept", b""):
            target = scope["raw_path"].decode("latin-1")
            place = b"/login" if target == "/" else f"/login?next={quote(target)}".encode()
            return Refusal(303, "Log in first.", "", [(b"location", place)])
        return self._access.look_refused()


class _Answer:
    """What is sent to the client, with the headers that make a browser careful."""

    def __init__(self, send: Send) -> None:
        self.host = ""
        self.has_begun = False
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            self.has_begun = True
            given = list(message.get("headers", []))
            names = {name.lower() for name, _ in given}
            # 'self' is ws:// as well only in newer browsers
            sockets = f" ws://{self.host} wss://{self.host}" if self.host else ""
            ours = {**SECURITY_HEADERS, b"content-security-policy": f"{_POLICY}{sockets}".encode()}
            given += [(name, value) for name, value in ours.items() if name not in names]
            message = {**message, "headers": given}
        await self._send(message)


async def _close_for_login(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": LOGIN_NEEDED, "reason": "login needed"})


def _is_navigation(scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
    """Whether a browser fills a whole tab with the answer."""
    return (
        scope.get("method") == "GET"
        and headers.get(b"sec-fetch-mode") == b"navigate"
        and headers.get(b"sec-fetch-dest") == b"document"
    )
