"""A server that is abused: it answers in sentences or closes, and goes on serving whoever asks properly.

Set FCN_EDGE_ABUSE to more than its 2,000 requests for a longer look.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("uvicorn")

from tests.serve.abuse import Abuse, abuses
from tests.serve.asking import Answer, exchange, received

pytestmark = pytest.mark.system

ABUSES = int(os.environ.get("FCN_EDGE_ABUSE", "2000"))
SEED = 13
HALF_OPEN = 500
TOKEN = "k7_Jw-2mQ9xZ~4vB"
GOOD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
LONGEST_PAUSE_S = 10.0
"""Far more than a frame's time; a machine that tests with all its cores pauses by itself."""
ROOT = Path(__file__).parents[2]


@dataclass
class Target:
    """A server in another process.

    Attributes:
        host: Where it listens.
        port: There.
        pid: Of its process.
    """

    host: str
    port: int
    pid: int

    def send(self, data: bytes) -> Answer:
        return exchange(self.port, data, self.host)

    def connected(self) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout=15)

    @property
    def files(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    @property
    def memory(self) -> int:
        """MB in use."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) >> 10


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    """What is abused. It has to serve ``/healthz``, ``/login``, ``/ws`` and ``POST /api/sources``, at loopback."""
    errors = tmp_path / "stderr"
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-W", "always", str(Path(__file__).with_name("abused_server.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "FCN_EDGE_TOKEN": TOKEN},
        )
    with process:
        assert process.stdout is not None
        yield Target("127.0.0.1", json.loads(process.stdout.readline())["port"], process.pid)
        told, _ = process.communicate(timeout=100)
    camera = json.loads(told)
    assert errors.read_text() == ""
    assert process.returncode == 0
    assert camera["frames"] > 0
    assert camera["longest_pause_s"] < LONGEST_PAUSE_S


def all_answers(target: Target, abuse: Abuse) -> list[int]:
    """The status of each answer until the connection is closed or the server waits for more."""
    found: list[int] = []
    with target.connected() as connection:
        with suppress(ConnectionError):
            connection.sendall(abuse.data)
        if not abuse.is_whole:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
        first = received(connection)
        found.append(first.status)
        if first.status == 101:
            with suppress(ConnectionError):
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1 << 16):
                    pass
    return found


def settled(target: Target, files: int) -> bool:
    """Wait until the server has no more open than that."""
    end = time.monotonic() + 60
    while target.files > files and time.monotonic() < end:
        time.sleep(0.1)
    return target.files <= files


def test_what_no_client_should_send_is_refused_and_the_others_are_served(target: Target) -> None:
    assert target.send(GOOD).status == 200
    files = target.files
    seen: Counter[tuple[str, int]] = Counter()
    memory = 0
    for number, abuse in enumerate(abuses(SEED, ABUSES)):
        for status in all_answers(target, abuse):
            is_frame = abuse.kind == "frame" and status == 101
            assert is_frame or status == 0 or 400 <= status < 500, (status, abuse.kind, abuse.data[:300])
            seen[abuse.kind, status] += 1
        if number % 50 == 0:
            assert target.send(GOOD).status == 200
        if number == ABUSES // 4:
            memory = target.memory
    answered = sum(count for (_, status), count in seen.items() if status)
    assert answered > 0.85 * ABUSES
    assert settled(target, files)
    assert target.memory < memory + 30
    assert target.send(GOOD).status == 200


def test_clients_that_never_finish_keep_nobody_out(target: Target) -> None:
    assert target.send(GOOD).status == 200
    files = target.files
    with ExitStack() as stack:
        for number in range(HALF_OPEN):
            connection = stack.enter_context(target.connected())
            with suppress(ConnectionError):
                connection.sendall(GOOD[: number % len(GOOD)])
            if number % 25 == 0:
                assert target.send(GOOD).status == 200
        assert target.files < files + 300
        assert target.send(GOOD).status == 200
    assert settled(target, files)
    with ExitStack() as stack:  # and those that are left are given up by themselves
        for _ in range(50):
            connection = stack.enter_context(target.connected())
            connection.sendall(b"GET / HTTP/1.1\r\nHost:")
        assert target.send(GOOD).status == 200  # accepted behind them all
        assert target.files > files
        assert settled(target, files)


def test_tokens_that_are_guessed_are_soon_not_looked_at(target: Target) -> None:
    statuses = []
    for number in range(30):
        body = f"token=guess-number-{number}".encode()
        head = "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        statuses.append(target.send(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body).status)
    assert statuses[:5] == [401] * 5
    assert statuses[5:] == [429] * 25
    assert target.send(GOOD).status == 200
