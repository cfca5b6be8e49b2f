"""Viewers of a live page without a browser: quick ones, slow ones, and silent ones who never read.

    python -m benchmarks.page.clients WS_ADDRESS --quick 8 --slow 10 --silent 2 --seconds 20

Prints what they got, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections import Counter
from contextlib import suppress
from urllib.parse import urlsplit

import click
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

__all__ = ["main"]

SLOW_PAUSE = 0.3
"""Seconds that a slow viewer takes for each message."""
HANDSHAKE = (
    "GET /ws HTTP/1.1\r\nHost: {place}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
WATCH_FIRST = b"\x81\x8e\0\0\0\0" + b'{"watch": [1]}'
"""A masked text frame, whose mask is zero."""
PICTURE = 2


async def viewer(address: str, until: float, pause: float, got: Counter[str]) -> None:
    """Look until a time, and count what comes; one that was closed comes back."""
    while time.monotonic() < until:
        with suppress(ConnectionClosed, OSError):
            async with connect(address, compression=None, max_size=None, max_queue=4) as websocket:
                await websocket.send(json.dumps({"watch": [1]}))
                while time.monotonic() < until:
                    message = await asyncio.wait_for(websocket.recv(), 10)
                    if isinstance(message, bytes):
                        got["pictures"] += message[0] == PICTURE
                        got["bytes"] += len(message)
                    await asyncio.sleep(pause)
                return
        got["closed"] += 1


async def silent(address: str, until: float, got: Counter[str]) -> None:
    """Ask for pictures and read none, until a time."""
    split = urlsplit(address)
    assert split.hostname is not None
    assert split.port is not None
    with socket.create_connection((split.hostname, split.port)) as connection:
        connection.sendall(HANDSHAKE.format(place=split.netloc).encode() + WATCH_FIRST)
        await asyncio.sleep(max(until - time.monotonic(), 0.0))
        got["silent"] += 1


async def all_viewers(address: str, quick: int, slow: int, silent_ones: int, seconds: float) -> dict[str, Counter[str]]:
    """Have so many of each kind look for a time; what each kind got."""
    until = time.monotonic() + seconds
    got: dict[str, Counter[str]] = {kind: Counter() for kind in ("quick", "slow", "silent")}
    await asyncio.gather(
        *(viewer(address, until, 0.0, got["quick"]) for _ in range(quick)),
        *(viewer(address, until, SLOW_PAUSE, got["slow"]) for _ in range(slow)),
        *(silent(address, until, got["silent"]) for _ in range(silent_ones)),
    )
    return got


@click.command()
@click.argument("address")
@click.option("--quick", type=int, default=1)
@click.option("--slow", type=int, default=0)
@click.option("--silent", "silent_ones", type=int, default=0)
@click.option("--seconds", type=float, default=10.0)
def main(address: str, quick: int, slow: int, silent_ones: int, seconds: float) -> None:
    """Viewers of a live page without a browser."""
    click.echo(json.dumps(asyncio.run(all_viewers(address, quick, slow, silent_ones, seconds))))


if __name__ == "__main__":
    main()
