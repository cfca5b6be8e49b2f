"""Connections that cannot hold the server up: Uvicorn's own, with bounds on what a client may leave undone.

Uvicorn bounds neither the time that a request takes to come nor that of a client that stops reading; it throws where
bytes that are no HTTP come at the wrong moment. A sweep once a second looks what each connection waits for.
"""

from __future__ import annotations

import asyncio
import http
import logging
import re
import sys
from typing import Any

import h11
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from fcn_edge.serve.guard import SECURITY_HEADERS
from fcn_edge.serve.refusal import Refusal
from fcn_edge.serve.request_limits import LARGEST_BODY, LARGEST_HEADERS

__all__ = ["MOST_CONNECTIONS", "HttpConnection", "WebSocketConnection"]

MOST_CONNECTIONS = 256
REQUEST_S = 10.0
"""A request has to be whole after that long."""
READING_S = 10.0
"""A client that reads nothing is given up."""
CLOSING_S = 3.0
_LARGEST_UNREAD = 1 << 20
"""Bytes of a request whose answer is out already, or of answers to pings."""
_PIECE = 16 << 10
_LARGEST_CHUNKED = LARGEST_HEADERS + LARGEST_BODY + _PIECE
_MOST_FRAGMENTS = 64
_LONGEST_HEADER_LINE = 8000
_MOST_HEADERS = 100
"""The bounds of the library that reads the handshake are somewhat larger; it has no answer for what goes beyond."""

_GOING_AWAY = 1001
_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")
_UPGRADE = (b"connection", b"upgrade", b"sec-websocket-protocol", b"sec-websocket-extensions")
_NO_REQUEST = Refusal(400, "The page got what is no HTTP request.")
_TOO_LARGE = Refusal(431, f"The request's headers are larger than {LARGEST_HEADERS >> 10} KB.")
_TOO_LONG = Refusal(413, f"The request's body is larger than {LARGEST_BODY >> 10} KB.")

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())
_log.propagate = False  # each connection is told of at the level of what the command shows


class _Patience:
    """How long a connection has been in one state."""

    def __init__(self) -> None:
        self._state: object = None
        self._since = 0.0

    def is_over(self, state: object, seconds: float, now: float) -> bool:
        """Whether it has been in this state at all looks over that many seconds."""
        if state != self._state:
            self._state, self._since = state, now
        return now - self._since >= seconds


class HttpConnection(H11Protocol):
    """A connection before and between WebSockets."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _log
        self.opened = self.loop.time()
        self._patience = _Patience()
        self._is_given_up = False
        self._requests = 0
        self._resumed = 0
        self._received = 0

    @property
    def may_go(self) -> bool:
        """Whether it asks for nothing whole and may make room for another."""
        return not self._is_given_up and (self._is_waiting or self.transport.is_closing())

    def give_up(self) -> None:
        """End it at once, whatever is still to be sent."""
        self._is_given_up = True
        self.transport.abort()

    def look(self, now: float) -> None:
        """Give it up where it has been in one state for too long. Called about once a second."""
        if self.transport.is_closing():
            state, seconds = ("closing", 0), CLOSING_S
        elif self.flow.write_paused:
            state, seconds = ("unread", self._resumed), READING_S
        elif self._is_waiting:
            state, seconds = ("waiting", self._requests), REQUEST_S
        else:
            state, seconds = ("answering", 0), float("inf")
        if self._patience.is_over(state, seconds, now):
            self.give_up()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection; where there are too many, the oldest that asks for nothing goes, or else this one."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            candidates = [one for one in self.connections if isinstance(one, _OURS) and one.may_go]
            min(candidates, key=lambda one: one.opened, default=self).give_up()

    def data_received(self, data: bytes) -> None:
        """Read on, in pieces, unless the request does not end.

        h11 takes some 10 us for each chunk of a body, however small it is: a body of chunks of one byte would keep
        everybody else waiting for a second.
        """
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            self._received += len(piece)
            is_chunked = any(name == b"transfer-encoding" for name, _ in self.headers or ())
            if self._received > (_LARGEST_CHUNKED if is_chunked else _LARGEST_UNREAD):
                self._refuse(_TOO_LONG)
            if self.transport.is_closing():
                return
            super().data_received(piece)
            if self.conn.their_state is not h11.SEND_BODY:
                self._received = 0

    def resume_writing(self) -> None:
        """The client reads again."""
        self._resumed += 1
        super().resume_writing()

    def on_response_complete(self) -> None:
        """The next request has its own time."""
        self._requests += 1
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - our words take the place of these
        """Answer bytes that are no HTTP request, in our form; called where h11's error is being handled."""
        is_large = getattr(sys.exc_info()[1], "error_status_hint", 400) == 431
        self._refuse(_TOO_LARGE if is_large else _NO_REQUEST)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand on to a WebSocket what its library can read."""
        refusal = _handshake_refusal(event)
        if refusal is not None:
            self._refuse(refusal)
            return
        # the library reads these as well, and our page has no use for what else they may say
        plain = [(name, value) for name, value in self.headers if name not in _UPGRADE]
        self.headers = [*plain, (b"connection", b"upgrade"), (b"upgrade", b"websocket")]
        super().handle_websocket_upgrade(event)

    @property
    def _is_waiting(self) -> bool:
        """Whether a request is not whole or has not begun."""
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def _refuse(self, refusal: Refusal) -> None:
        if self.transport.is_closing():
            return
        if self.cycle is not None:  # whose answer would come after this one
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        headers = [
            *self.server_state.default_headers,
            *refusal.headers,
            *SECURITY_HEADERS.items(),
            (b"content-length", str(len(refusal.body)).encode()),
            (b"connection", b"close"),
        ]
        response = h11.Response(status_code=refusal.status, headers=headers, reason=_phrase(refusal.status))
        try:
            parts = [self.conn.send(one) for one in (response, h11.Data(data=refusal.body), h11.EndOfMessage())]
        except h11.LocalProtocolError:  # half an answer is out
            self.give_up()
            return
        self.transport.write(b"".join(part for part in parts if part))
        self.transport.close()


class WebSocketConnection(WebSocketsSansIOProtocol):
    """A WebSocket."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = self.conn.logger = _log
        self.conn.debug = False  # it would log headers, with tokens and cookies in them
        self.close_timeout = CLOSING_S
        self.opened = self.loop.time()
        self._patience = _Patience()
        self._is_given_up = False
        self._resumed = 0

    @property
    def may_go(self) -> bool:
        """Whether it is over but for the client's answer, and may make room for another."""
        return not self._is_given_up and (self.close_sent or self.transport.is_closing())

    def give_up(self) -> None:
        """End it at once, whatever is still to be sent."""
        self._is_given_up = True
        self.transport.abort()

    def look(self, now: float) -> None:
        """Give it up where it has been in one state for too long. Called about once a second."""
        if self.transport.is_closing():
            state, seconds = ("closing", 0), CLOSING_S
        elif not self.writable.is_set():
            state, seconds = ("unread", self._resumed), READING_S
        else:
            state, seconds = ("open", 0), float("inf")
        if self._patience.is_over(state, seconds, now):
            self.give_up()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._resumed += 1
        super().resume_writing()

    async def send(self, message: ASGISendEvent) -> None:
        """Send, unless the connection is over: writing on would never let its end be heard."""
        if self.transport.is_closing() and not self.disconnected:
            raise ClientDisconnected
        await super().send(message)

    def handle_cont(self, event: Frame) -> None:
        """Put a message together; the library bounds its bytes, but not how many empty parts it comes in."""
        if len(self.frames) >= _MOST_FRAGMENTS:
            self.give_up()
            return
        super().handle_cont(event)

    def handle_ping(self) -> None:
        """Answer a ping, unless the client reads no answers."""
        if self.transport.get_write_buffer_size() > _LARGEST_UNREAD and not self.writable.is_set():
            self.give_up()
            return
        super().handle_ping()

    def shutdown(self) -> None:
        """Say that the page goes away, which its own script takes for the end of the run."""
        if self.handshake_complete and not self.close_sent:
            self.stop_keepalive()
            self.queue.put_nowait({"type": "websocket.disconnect", "code": _GOING_AWAY, "reason": ""})
            self.conn.send_close(_GOING_AWAY)
            self.close_sent = True
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()
        else:
            super().shutdown()


_OURS = (HttpConnection, WebSocketConnection)


def _phrase(status: int) -> bytes:
    return http.HTTPStatus(status).phrase.encode()


def _handshake_refusal(event: h11.Request) -> Refusal | None:
    """What is wrong with a WebSocket's handshake, as far as its library would not say so in our words."""
    headers = dict(event.headers)
    names = [name for name, _ in event.headers]
    line = len(event.method) + len(event.target)
    if max([line, *(len(name) + len(value) for name, value in event.headers)]) > _LONGEST_HEADER_LINE:
        return _TOO_LARGE
    if len(event.headers) > _MOST_HEADERS:
        return _TOO_LARGE
    is_whole = event.method == b"GET" and event.http_version == b"1.1"
    has_body = b"content-length" in headers or b"transfer-encoding" in headers
    is_known = headers.get(b"sec-websocket-version") == b"13" and _KEY.fullmatch(headers.get(b"sec-websocket-key", b""))
    is_twice = names.count(b"sec-websocket-version") != 1 or names.count(b"sec-websocket-key") != 1
    if not is_whole or has_body or not is_known or is_twice:
        return Refusal(400, "This is no handshake of a WebSocket.", "Use a client that speaks RFC 6455.")
    return None
