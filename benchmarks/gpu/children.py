"""Checks in processes of their own: one that crashes, hangs or spoils its GPU context takes no other with it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from gpu.subject import Request, Row

__all__ = ["Outcome", "end_with_all_at_sigterm", "run_check", "tool"]

_TOOLKIT = "/usr/local/cuda/bin"
_TO_TELL_S = 2.0
"""What a check has left to tell of the processes that it started and ended."""

_TO_LISTEN_S = 1.0
"""What a process has to end by itself before it is killed."""

_under_way: set[int] = set()
"""Processes that were started and not ended yet."""

_BENCHMARKS = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Outcome:
    """What became of a process.

    Attributes:
        rows: What it found until it ended.
        problem: How it ended, in a sentence; empty where that was by itself and well.
        output: All that it printed.
    """

    rows: list[Row]
    problem: str
    output: str


def run_check(
    check: str,
    request: Request,
    limit_s: float,
    within: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Outcome:
    """Run a check in a process.

    Args:
        check: Its name.
        request: What it is to check.
        limit_s: Seconds until it is ended; fewer where the process that asks is itself ended before, for what it has
            started would outlive it.
        within: Words of a program that runs it, such as ``("compute-sanitizer", "--tool", "memcheck")``.
        environment: What its environment has besides this process's.
    """
    if request.until is not None:
        limit_s = max(min(limit_s, request.until - time.monotonic() - _TO_TELL_S), 0.0)
    request = replace(request, until=time.monotonic() + limit_s)
    with tempfile.TemporaryDirectory() as directory:
        asked, rows = Path(directory, "request.json"), Path(directory, "rows.jsonl")
        asked.write_text(json.dumps(request.to_json()), encoding="utf-8")
        command = [*within, *_command(check), str(asked), str(rows)]
        try:
            returned, output = _ended(command, {**os.environ, **_paths(), **(environment or {})}, limit_s)
        except OSError as error:
            return Outcome([], f"{command[0]} cannot be run: {error.strerror}.", "")
        return Outcome(_read(rows), _problem(returned, output, limit_s), output)


def end_with_all_at_sigterm() -> None:
    """Let this process end at SIGTERM, as ``timeout`` sends it, and all that it has started with it."""

    def end(*_: object) -> None:
        for pid in tuple(_under_way):
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGTERM)
        sys.exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)


def tool(name: str) -> str | None:
    """The path of one of CUDA's programs; None where it is neither on the PATH nor with the toolkit.

    Args:
        name: Such as ``ncu``.
    """
    return shutil.which(name) or shutil.which(name, path=_TOOLKIT)


def _command(check: str) -> list[str]:
    return [sys.executable, "-m", "gpu.child", check]


def _paths() -> dict[str, str]:
    own = (str(_BENCHMARKS), str(_BENCHMARKS.parent), os.environ.get("PYTHONPATH", ""))
    return {"PYTHONPATH": os.pathsep.join(filter(None, own)), "PYTHONUNBUFFERED": "1"}


def _ended(command: list[str], environment: dict[str, str], limit_s: float) -> tuple[int | None, str]:
    """The exit status, None of one that took too long, and all output."""
    with tempfile.TemporaryFile() as printed:
        # what a tool starts must end with it
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        _under_way.add(process.pid)
        try:
            returned: int | None = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            returned = None
        finally:
            _end(process)
            _under_way.discard(process.pid)
        printed.seek(0)
        return returned, printed.read().decode(errors="replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it has started; one that can still listen ends its own processes first."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_TO_LISTEN_S)


def _read(path: Path) -> list[Row]:
    """The whole rows of a file: the last one may be half written."""
    rows: list[Row] = []
    with suppress(FileNotFoundError, json.JSONDecodeError):
        rows.extend(map(json.loads, path.read_text(encoding="utf-8").splitlines()))
    return rows


def _problem(returned: int | None, output: str, limit_s: float) -> str:
    if returned == 0:
        return ""
    if returned is None:
        return f"It took more than {limit_s:.0f} s and was ended."
    last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "it said nothing")
    if returned < 0:
        return f"It was ended by {signal.Signals(-returned).name}: {last[:200]}"
    return f"It ended with {returned}: {last[:300]}"
