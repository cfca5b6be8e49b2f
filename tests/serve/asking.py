"""Requests to an ASGI app without a server, and to a server without a client library that would mend them."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

__all__ = ["Answer", "ask", "ask_websocket", "exchange", "received"]

PORT = 8080


@dataclass(frozen=True)
class Answer:
    """Status 0 stands for a connection that was closed without an answer."""

    status: int
    headers: dict[str, str]
    body: bytes = b""

    @property
    def error(self) -> str:
        return str(json.loads(self.body)["error"])


def ask(
    app: Any,
    method: str = "GET",
    path: str = "/",
    headers: Sequence[tuple[str, str]] | dict[str, str] | None = None,
    body: Sequence[bytes] = (),
    host: str | None = "localhost:8080",
    client: str = "127.0.0.1",
    version: str = "1.1",
) -> Answer:
    """What an app answers; each part of a body comes by itself."""
    scope = {"type": "http", "method": method, "http_version": version, "scheme": "http"}
    parts = [{"type": "http.request", "body": part, "more_body": True} for part in body]
    parts.append({"type": "http.request", "body": b"", "more_body": False})
    sent = _run(app, {**scope, **_scope(path, headers, host, client)}, parts)
    assert [message["type"] for message in sent[:1]] == ["http.response.start"]
    return _answer(sent)


def ask_websocket(
    app: Any,
    path: str = "/ws",
    headers: dict[str, str] | None = None,
    host: str = "localhost:8080",
    client: str = "127.0.0.1",
) -> list[dict[str, Any]]:
    """All that an app sends to a WebSocket whose client leaves after the handshake."""
    scope = {"type": "websocket", "http_version": "1.1", "scheme": "ws", "subprotocols": []}
    came = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1001}]
    return _run(app, {**scope, **_scope(path, headers, host, client)}, came)


def _scope(path: str, headers: Any, host: str | None, client: str) -> dict[str, Any]:
    given = list(headers.items() if isinstance(headers, dict) else headers or [])
    given = given if host is None else [("host", host), *given]
    raw_path, _, query = path.partition("?")
    return {
        "asgi": {"version": "3.0"},
        "path": unquote(raw_path),
        "raw_path": raw_path.encode("latin-1"),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in given],
        "client": (client, 40000),
        "server": ("127.0.0.1", PORT),
        "extensions": {"websocket.http.response": {}},
    }


def _run(app: Any, scope: dict[str, Any], came: list[dict[str, Any]]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return came.pop(0) if came else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def _answer(sent: list[dict[str, Any]]) -> Answer:
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))


def exchange(port: int, data: bytes, host: str = "127.0.0.1", seconds: float = 15.0) -> Answer:
    """Send bytes as they are; what comes back first."""
    with socket.create_connection((host, port), timeout=seconds) as connection:
        with suppress(ConnectionError):  # refused before all was sent
            connection.sendall(data)
        return received(connection)


def received(connection: socket.socket) -> Answer:
    """One answer, or that the connection is closed."""
    data = b""
    with suppress(ConnectionError):
        while b"\r\n\r\n" not in data:
            if not (part := connection.recv(1 << 16)):
                return Answer(0, {})
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(headers.get("content-length", 0))
        while len(body) < length and (part := connection.recv(1 << 16)):
            body += part
        return Answer(int(lines[0].split()[1]), headers, body[:length])
    return Answer(0, {})
