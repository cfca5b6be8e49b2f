"""A program for test_abuse_system.py: a server with a stand-in for a camera, which tells its longest pause at the end.

It prints its port, and ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from fcn_edge.serve.access import Access
from fcn_edge.serve.address import PageAddress
from fcn_edge.serve.guard import Guard
from fcn_edge.serve.login import login_routes
from fcn_edge.serve.server import Server
from fcn_edge.serve.token import read_token

PERIOD_S = 0.01


async def healthy(request: Request) -> Response:
    return PlainTextResponse("ok")


async def change(request: Request) -> Response:
    await request.json()
    return Response(status_code=204)


async def stream(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        return


def main() -> None:
    address = PageAddress.of("http://:0")
    access = Access(address, read_token(None, os.environ))
    routes = [
        Route("/", healthy),
        Route("/healthz", healthy),
        Route("/api/sources", change, methods=["POST"]),
        WebSocketRoute("/ws", stream),
        *login_routes(access),
    ]
    server = Server(Guard(Starlette(routes=routes), address, access), address)
    print(json.dumps({"port": server.port}), flush=True)  # noqa: T201
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    frames, longest, before = 0, 0.0, time.monotonic()
    while not over.wait(PERIOD_S):
        now = time.monotonic()
        frames, longest, before = frames + 1, max(longest, now - before), now
    server.close()
    print(json.dumps({"frames": frames, "longest_pause_s": longest}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
