"""Starts a process for each peer and round, the order turning by one from round to round."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.peers.registry import peer_class
from benchmarks.peers.task import Task
from fcn_edge.system.cpu import available_cores

__all__ = ["Row", "checked_rows", "time_rows"]

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 600
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Left out of the peers' environment: each library takes the threads that it would take by itself."""


@dataclass
class Row:
    """One peer with one number of threads.

    Attributes:
        name: The peer.
        threads: How many it is told to take; None leaves it its own number.
        about: What its check told.
        round_ms: Milliseconds a frame, by round.
    """

    name: str
    threads: int | None
    about: dict[str, Any]
    round_ms: list[float] = field(default_factory=list)

    @property
    def runs(self) -> bool:
        """It can be timed."""
        return "absent" not in self.about and "failed" not in self.about


def checked_rows(task: Task, names: Sequence[str], tell: Callable[[str], None]) -> list[Row]:
    """Every peer with the threads that it takes by itself; where those are not as many as cores, with so many too."""
    rows = []
    for name in names:
        rows.append(_checked(task, name, None, tell))
        if rows[-1].runs and rows[-1].about["threads"] != available_cores():
            rows.append(_checked(task, name, available_cores(), tell))
    return rows


def time_rows(task: Task, rows: Sequence[Row], rounds: int, frames: int, tell: Callable[[str], None]) -> None:
    """Time the rows that run in turns; one that fails at last is told and left out."""
    started = time.monotonic()
    for turn in range(rounds):
        running = [row for row in rows if row.runs]
        first = turn % max(1, len(running))
        for row in (*running[first:], *running[:first]):
            came = _worker(row.name, task.folder, frames=frames, threads=row.threads)
            if "failed" in came:
                row.about["failed"] = came["failed"]
                tell(f"{row.name}: {came['failed']}")
            else:
                row.round_ms.append(round(came["ms"], 3))
        left = (time.monotonic() - started) / (turn + 1) * (rounds - turn - 1)
        tell(f"round {turn + 1} of {rounds} is done, about {left:.0f} s to go")


def _checked(task: Task, name: str, threads: int | None, tell: Callable[[str], None]) -> Row:
    row = Row(name, threads, peer_class(name).about() | _worker(name, task.folder, threads=threads))
    tell(f"{name}: {_told(row.about)}")
    return row


def _told(about: dict[str, Any]) -> str:
    for key in ("absent", "failed"):
        if key in about:
            return f"{key}, {about[key]}"
    shares = about.get("same_pixels", {})
    alike = "".join(f", {share:.5f} of the pixels alike at the {size}'s size" for size, share in shares.items())
    return f"{about['threads']} threads{alike}"


def _worker(name: str, folder: Path, *, frames: int | None = None, threads: int | None = None) -> dict[str, Any]:
    """What a process of its own writes, or the last line that it said when it failed."""
    environment = {key: value for key, value in os.environ.items() if key not in THREAD_VARIABLES}
    with tempfile.TemporaryDirectory() as place:
        output = Path(place) / "result.json"
        words = [sys.executable, "-m", "benchmarks.peers.worker", name, str(folder), str(output)]
        for option, value in (("--frames", frames), ("--threads", threads)):
            if value is not None:
                words += [option, str(value)]
        try:
            done = subprocess.run(
                words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired:
            return {"failed": f"nothing came within {TIMEOUT} s"}
        if done.returncode == 0:
            content: dict[str, Any] = json.loads(output.read_text())
            return content
        said = done.stderr.strip().splitlines() or ["it does not say why"]
        return {"failed": f"exit status {done.returncode}: {said[-1]}"}
