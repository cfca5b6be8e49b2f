"""``rtsp_server.py`` as a process that a test starts, stops and kills."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from functools import cache
from pathlib import Path

import pytest
from typing_extensions import Self

__all__ = ["RtspServer", "needs_gstreamer"]

PYTHON = "/usr/bin/python3"
SCRIPT = Path(__file__).with_name("rtsp_server.py")


class RtspServer:
    """The server, in a ``with`` block.

    Args:
        log: Where it logs what left; nowhere when None.
        options: Its options, such as ``gop=50``.

    Attributes:
        port: Where it listens.
    """

    def __init__(self, log: Path | None = None, **options: object) -> None:
        words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        self._log = log
        self._words = [PYTHON, str(SCRIPT), *words, *([f"--log={log}"] if log else [])]
        self._path = str(options.get("path", "/camera"))
        self.port = 0

    def url(self, login: str = "", options: str = "", scheme: str = "rtsp") -> str:
        """Its address.

        Args:
            login: ``user:password``.
            options: Ours, behind ``#``.
            scheme: rtsp or rtsps.
        """
        user, ours = f"{login}@" if login else "", f"#{options}" if options else ""
        return f"{scheme}://{user}127.0.0.1:{self.port}{self._path}{ours}"

    def start(self) -> None:
        """Start it, on the port that it had before, if it had one."""
        port = [f"--port={self.port}"] if self.port else []
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        self._process = subprocess.Popen(
            [*self._words, *port], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self._process.stdout is not None
        word, _, number = self._process.stdout.readline().partition(" ")
        assert word == "ready", "the RTSP server did not start"
        self.port = int(number)

    def left(self) -> dict[int, list[int]]:
        """Nanoseconds of Unix time at which the access units of each number in the loop left."""
        assert self._log is not None
        times: dict[int, list[int]] = {}
        for line in self._log.read_text().splitlines():
            _, index, unix_ns = line.split()
            times.setdefault(int(index), []).append(int(unix_ns))
        return times

    def pause(self) -> None:
        """Stop it where it is: connections stay, and nothing comes."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after ``pause``."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it without a word to its clients."""
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


@cache
def _missing() -> str:
    if shutil.which(PYTHON) is None:
        return f"there is no {PYTHON}"
    found = subprocess.run([PYTHON, str(SCRIPT), "--help"], capture_output=True, text=True, check=False)
    return "" if found.returncode == 0 else "gst-rtsp-server is not installed for the system's Python"


def needs_gstreamer() -> None:
    """Skip the test where the server cannot run."""
    if _missing():
        pytest.skip(_missing())
