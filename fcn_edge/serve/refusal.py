"""Answers to requests that are refused: JSON with a sentence and how to fix it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from starlette.types import Send

__all__ = ["Refusal"]


class Refusal(Exception):  # noqa: N818 - an answer like others, and no error of the program
    """A request that is refused.

    Args:
        status: Of HTTP.
        error: One sentence: what is wrong with the request.
        fix: One sentence: what to do about it; may be empty.
        headers: Further headers of the answer.
    """

    def __init__(self, status: int, error: str, fix: str = "", headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(error)
        self.status = status
        self.headers = [(b"content-type", b"application/json"), *headers]
        self.body = json.dumps({"error": error, "fix": fix}).encode()

    async def answer(self, send: Send, websocket: bool = False) -> None:
        """Send it; to a WebSocket instead of the handshake, where a browser sees the failure and a program all."""
        kind = "websocket.http.response" if websocket else "http.response"
        length = (b"content-length", str(len(self.body)).encode())
        await send({"type": f"{kind}.start", "status": self.status, "headers": [*self.headers, length]})
        await send({"type": f"{kind}.body", "body": self.body})
