"""Asks an application without a server."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

__all__ = ["Client"]


class Client:
    """Sends requests to an ASGI application.

    Args:
        app: The application; what it raises is raised.
        address: Under which it is asked.
    """

    def __init__(self, app: Any, address: str = "http://127.0.0.1:8080") -> None:
        self.app = app
        self._address = address

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.ask("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.ask("POST", path, **more)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url=self._address) as client:
                return await client.request(method, path, **more)

        return asyncio.run(asked())
