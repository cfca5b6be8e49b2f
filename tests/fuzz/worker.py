"""A process that reads inputs one after the other: ``python -m tests.fuzz.worker``; ``campaign`` starts and watches it.

It tells of each input before it reads it, and the input is a file by then: a crash or a hang leaves both behind.
"""

from __future__ import annotations

import faulthandler
import json
import os
import re
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO
from unittest.mock import patch

from .oracle import Verdict, judged
from .parser import Parser, case_of, parsers_of

RESIDENT, ADDRESSES = 2 << 30, 4 << 30
"""Bytes by which the process may grow with one input: what it touches, and where nothing more is given."""

EPOCH = time.struct_time((2026, 1, 1, 0, 0, 0, 3, 1, 0))
TRACES, PRINTED = "traces.txt", "printed.txt"
WHOLES, INPUT = "wholes", "input"


def main() -> None:
    """Read the request from standard input and answer on the descriptor that it names."""
    request: dict[str, Any] = json.load(sys.stdin)
    folder = Path(request["folder"])
    os.chdir(folder)  # relative names that an input makes up stay in here
    with os.fdopen(request["answers"], "w", buffering=1) as answers, (folder / PRINTED).open("w+b") as printed:
        traces = (folder / TRACES).open("w")
        faulthandler.enable(traces)
        faulthandler.register(signal.SIGUSR1, traces)
        for descriptor in (1, 2):
            os.dup2(printed.fileno(), descriptor)
        parsers = parsers_of(request["module"])
        made: dict[str, list[bytes]] = {}
        for name, start, stop in request["jobs"]:
            for answer in _answers(parsers[name], start, stop, request, printed, made):
                answers.write(json.dumps(answer) + "\n")


def _answers(
    parser: Parser,
    start: int,
    stop: int,
    request: dict[str, Any],
    printed: BinaryIO,
    made: dict[str, list[bytes]],
) -> Iterator[dict[str, Any]]:
    """``begin`` and ``end`` of each input of a parser, whose whole inputs are ``made`` in its first turn."""
    wholes_folder = Path(WHOLES, parser.name).absolute()
    wholes_folder.mkdir(parents=True, exist_ok=True)
    path = Path(INPUT, parser.name, parser.file).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    yield {"begin": parser.name, "index": -1}
    replayed = request.get("replay")
    if parser.name not in made:
        with patch("time.localtime", lambda *_: EPOCH):  # zip archives hold the time
            made[parser.name] = list(parser.wholes(wholes_folder))
        # whatever it loads when it is first used is no growth by an input
        path.write_bytes(made[parser.name][0])
        with suppress(Exception):
            parser.read(path, wholes_folder)
        _taken(printed)
    wholes = made[parser.name]
    for index in range(start, stop):
        try:
            content = Path(replayed).read_bytes() if replayed else case_of(parser, wholes, request["seed"], index)
        except Exception:  # a mistake in a damage, which is to be mended and hides no other input
            verdict = Verdict("fault", "suite", "a damage raises", traceback.format_exc())
            yield {"end": parser.name, "index": index, "seconds": 0.0, **asdict(verdict), "input": ""}
            continue
        path.write_bytes(content)
        yield {"begin": parser.name, "index": index}
        began = time.process_time()
        verdict = _verdict(parser, path, wholes_folder, printed)
        if index < len(wholes) and not replayed and verdict.outcome == "refused" and not parser.refuses:
            verdict = Verdict("fault", "whole refused", "a whole input is refused", verdict.detail)
        told = {"end": parser.name, "index": index, "seconds": time.process_time() - began, **asdict(verdict)}
        yield {**told, "input": content.hex()} if verdict.outcome == "fault" else told


def _verdict(parser: Parser, path: Path, wholes_folder: Path, printed: BinaryIO) -> Verdict:
    with _walled():
        before = _resident()
        verdict = judged(lambda: parser.read(path, wholes_folder), path.read_bytes())
        growth = _resident(peak=True) - before
    said = _taken(printed)
    if verdict.outcome == "fault":
        return verdict
    if growth > RESIDENT:
        return Verdict("fault", "memory", "more than 2 GB", f"the process grew by {growth / 1e9:.1f} GB")
    if said:
        begins = " ".join(re.sub(r"[^A-Za-z ]", "", said.splitlines()[0]).split()[:2])
        return Verdict("fault", "printed", f"an input that is {verdict.outcome} prints {begins}", said[:2000])
    return verdict


@contextmanager
def _walled() -> Iterator[None]:
    """No more than some gigabytes more for the process; the peak of what it touches begins anew."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ADDRESSES, hard))
    with suppress(OSError):  # where the kernel has no such file, the wall alone counts
        Path("/proc/self/clear_refs").write_text("5")
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def _resident(*, peak: bool = False) -> int:
    """Bytes of memory that the process has touched now, or at most since the last call of ``_walled``."""
    key = "VmHWM:" if peak else "VmRSS:"
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(key))


def _taken(printed: BinaryIO) -> str:
    """What was printed since the last time, by Python or by a library; it is gone from the file then."""
    sys.stdout.flush()
    sys.stderr.flush()
    printed.seek(0)
    text = printed.read().decode("utf-8", "replace")
    printed.seek(0)
    printed.truncate()
    return text.strip()


if __name__ == "__main__":
    main()
