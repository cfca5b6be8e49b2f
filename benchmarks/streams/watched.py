"""A run in a process of its own, and what can be seen of it from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typing_extensions import Self

from benchmarks.streams.notes import NotedChange, NotedFrame

__all__ = ["RunFailedError", "Sample", "WatchedRun", "left_ns"]

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "benchmarks.streams.watched_program"
LONGEST_START = 60.0
"""Seconds that the first frame may take."""
LONGEST_END = 30.0
"""Seconds that a run may take to end after it was interrupted."""


@dataclass(frozen=True)
class Sample:
    """What the system says of the process.

    Attributes:
        unix_ns: When.
        resident_kib: Memory that is in RAM.
        threads: How many.
        descriptors: How many are open.
    """

    unix_ns: int
    resident_kib: int
    threads: int
    descriptors: int


class RunFailedError(Exception):
    """The run ended by itself, or gave no frame."""


class WatchedRun:
    """``watched_program`` as a process, in a ``with`` block; ``start`` starts it.

    Args:
        notes: The file for its notes.
        words: Engine and source.
        more: Sinks and options.

    Attributes:
        frames: Frames that came to the sink, as far as ``read`` has read.
        changes: Changes of the source, as far as ``read`` has read.
        report: The report at the end.
    """

    def __init__(self, notes: Path, words: Sequence[str], more: Sequence[str] = ()) -> None:
        self.frames: list[NotedFrame] = []
        self.changes: list[NotedChange] = []
        self.report: dict[str, Any] = {}
        self._notes = notes
        self._words = [sys.executable, "-m", PROGRAM, *words, str(notes), *more]
        self._read = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it. Ctrl-C reaches this process and not that one."""
        environment = os.environ | {"no_proxy": "127.0.0.1"}
        self._process = subprocess.Popen(self._words, cwd=ROOT, env=environment, start_new_session=True)

    def check(self) -> None:
        """Say where it does not run any more.

        Raises:
            RunFailedError: It has ended.
        """
        if self._process is None or self._process.poll() is not None:
            raise RunFailedError("the run ended by itself")

    def wait_for_a_frame(self) -> None:
        """Wait until the first frame was at the sink.

        Raises:
            RunFailedError: It ended, or gave no frame.
        """
        until = time.monotonic() + LONGEST_START
        while not self.frames:
            self.check()
            if time.monotonic() > until:
                raise RunFailedError(f"no frame came within {LONGEST_START:.0f} s")
            time.sleep(0.2)
            self.read()

    def read(self) -> None:
        """Read what was noted since the last time."""
        if not self._notes.exists():
            return
        with self._notes.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        new = new[: new.rfind(b"\n") + 1]
        self._read += len(new)
        for line in new.splitlines():
            ((key, value),) = json.loads(line).items()
            if key == "frame":
                self.frames.append(NotedFrame(*value))
            elif key == "change":
                self.changes.append(NotedChange(*value))
            else:
                self.report = value

    def sample(self) -> Sample:
        """What the system says of it now."""
        assert self._process is not None
        place = Path("/proc") / str(self._process.pid)
        status = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
        resident, threads = (int(status[name].split()[0]) for name in ("VmRSS", "Threads"))
        return Sample(time.time_ns(), resident, threads, len(list((place / "fd").iterdir())))

    def slow_down(self) -> None:
        """Make its network take the time that ``--slow-to`` says."""
        assert self._process is not None
        self._process.send_signal(signal.SIGUSR1)

    def stop(self) -> None:
        """Interrupt it, wait for its end and read the rest; kill it where it does not end."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(LONGEST_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def left_ns(frame: NotedFrame, left: dict[int, list[int]]) -> int | None:
    """Unix time at which a frame left the server: the last time that its number did before it was at the sink.

    Args:
        frame: The frame.
        left: Times of each number, ascending, as ``RtspServer.left`` gives them.

    Returns:
        Nanoseconds; None where the number could not be read or never left.
    """
    times = left.get(frame.number, []) if frame.number is not None else []
    before = bisect_right(times, frame.sink_ns)
    return times[before - 1] if before else None
