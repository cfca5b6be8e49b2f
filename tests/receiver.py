"""A web server on this machine that keeps what is posted to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from typing_extensions import override

__all__ = ["Receiver", "no_proxy", "receiver"]


class Receiver(HTTPServer):
    """A server on this machine that keeps what is posted; it answers with ``answers`` first, then with 204."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[int] = []
        self.posts: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.asked = 0

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        server = self.server
        server.asked += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = server.answers.pop(0) if server.answers else 204
        if answer == 204:
            server.posts.append(json.loads(body))
            server.headers.append(dict(self.headers))
            server.paths.append(self.path)
        self.send_response(answer)
        if answer == 302:
            self.send_header("Location", f"http://{server.place}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    @override
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
