"""Many inputs for many parsers, in worker processes that are watched: whoever crashes or hangs is replaced."""

from __future__ import annotations

import math
import re
import selectors
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .findings import Fault, Findings
from .parser import Parser, parsers_of
from .process import Job, WorkerProcess, remove

__all__ = ["LIMIT", "MODULE", "ROUND", "Campaign", "plan_of"]

MODULE = "tests.fuzz.parsers"
LIMIT = 10.0
"""Seconds of the processor that an input may take, wherever a process waits for nothing four times as long."""
ROUND = 10_000
"""Inputs after which the first parser has its turn again."""
KEPT = 3
"""Inputs that are kept of each fault."""


def plan_of(parsers: Sequence[Parser], count: int, pieces: int) -> list[list[Job]]:
    """Which inputs each of some workers reads: ``(parser, first, behind the last)``.

    Every parser gets its share, five at least, and one worker alone reads it: what it loads is loaded once. Many inputs
    are read in rounds, so that a campaign that time ends has looked at every parser.
    """
    shares = sum(parser.share for parser in parsers)
    plan: list[list[Job]] = [[] for _ in range(pieces)]
    for parser in sorted(parsers, key=lambda one: -one.share):
        part = min(plan, key=lambda jobs: sum(stop for _, _, stop in jobs))
        part.append((parser.name, 0, max(5, math.ceil(count * parser.share / shares))))
    rounds = -(-count // ROUND)
    return [
        [
            (name, whole * number // rounds, whole * (number + 1) // rounds)
            for number in range(rounds)
            for name, _, whole in jobs
            if whole * number // rounds < whole * (number + 1) // rounds
        ]
        for jobs in plan
        if jobs
    ]


class Campaign:
    """A run of the suite.

    Args:
        work: Folder for the workers' files; made anew, and gone in the end.
        keep: Folder for inputs that are at fault.
        seed: Other inputs for each.
        module: Where the parsers are listed.
        limit: Seconds of the processor that an input may take.
        told: Called after each input with the name of the parser and how many inputs there are in all.
    """

    def __init__(
        self,
        work: Path,
        keep: Path,
        *,
        seed: int = 0,
        module: str = MODULE,
        limit: float = LIMIT,
        told: Callable[[str, int], None] = lambda _, __: None,
    ) -> None:
        self.findings = Findings()
        self._work, self._keep = work, keep
        self._seed, self._module, self._limit, self._told = seed, module, limit, told
        self._workers: list[WorkerProcess] = []

    def run(self, names: Sequence[str], count: int, jobs: int = 1, seconds: float | None = None) -> Findings:
        """Fuzz some parsers.

        Args:
            names: Their names.
            count: How many inputs in all.
            jobs: How many processes.
            seconds: When to stop before all are read.
        """
        parsers = [parser for name, parser in parsers_of(self._module).items() if name in names]
        self.findings.missing = {parser.name: parser.missing for parser in parsers if parser.missing}
        plan = plan_of([parser for parser in parsers if not parser.missing], count, jobs)
        return self._watched([{"jobs": part} for part in plan], seconds)

    def replay(self, name: str, path: Path) -> Findings:
        """Read one kept input again."""
        return self._watched([{"jobs": [(name, 0, 1)], "replay": str(path.resolve())}], None)

    def _watched(self, requests: Sequence[dict[str, Any]], seconds: float | None) -> Findings:
        self._total = sum(stop - start for request in requests for _, start, stop in request["jobs"])
        until = None if seconds is None else time.monotonic() + seconds
        selector = selectors.DefaultSelector()
        running = []
        try:
            for number, request in enumerate(requests):
                worker = WorkerProcess(
                    self._work / str(number), {**request, "seed": self._seed, "module": self._module}
                )
                running.append(worker)
                worker.start(selector)
            while running and (until is None or time.monotonic() < until):
                for key, _ in selector.select(0.2):
                    worker = key.data
                    for answer in worker.answers():
                        self._take(worker, answer)
                    if worker.ended:
                        self._follow_up(worker, selector, running)
                for worker in running:
                    if worker.hangs(self._limit):
                        worker.kill()
        finally:
            for worker in running:
                worker.kill()
                worker.wait()
            selector.close()
            remove(self._work)
        return self.findings

    def _take(self, worker: WorkerProcess, answer: dict[str, Any]) -> None:
        if "begin" in answer:
            return
        name, outcome = answer["end"], answer["outcome"]
        self.findings.seconds[name] += answer["seconds"]
        kind, what = answer["kind"], answer["what"]
        if answer["seconds"] > self._limit and outcome != "fault":
            outcome, kind, what = "fault", "hang", f"more than {self._limit:.0f} s of the processor"
        self.findings.outcomes[name, outcome] += 1
        if outcome == "fault":
            self._add(worker, name, answer["index"], kind, what, answer["detail"], answer.get("input"))
        self._told(name, self._total)

    def _follow_up(self, worker: WorkerProcess, selector: selectors.BaseSelector, running: list[WorkerProcess]) -> None:
        """Another process in the place of one that ended before its time."""
        selector.unregister(worker.pipe)
        status = worker.wait()
        if status == 0:
            running.remove(worker)
            return
        name, index = worker.at
        kind = "hang" if worker.killed else "crash" if status < 0 else "suite"
        how = "killed" if worker.killed else signal.Signals(-status).name if status < 0 else f"exit status {status}"
        if not name:
            raise RuntimeError(f"A worker ended with {how} before its first input:\n{worker.printed()}")
        self.findings.outcomes[name, "fault"] += 1
        trace = worker.traces()
        self._add(worker, name, index, kind, f"{how} at {_place(trace)}", f"{trace}\n{worker.printed()}")
        self._told(name, self._total)
        if worker.skip():
            worker.start(selector)
        else:
            running.remove(worker)

    def _add(
        self,
        worker: WorkerProcess,
        name: str,
        index: int,
        kind: str,
        what: str,
        detail: str,
        content: str | None = None,
    ) -> None:
        fault = self.findings.faults.setdefault((name, kind, what), Fault(name, kind, what, detail))
        fault.count += 1
        if len(fault.inputs) >= KEPT:
            return
        self._keep.mkdir(parents=True, exist_ok=True)
        given = worker.input_of(name)
        kept = self._keep / f"{name}-{self._seed}-{index}{given.suffix}"
        if content is not None:
            kept.write_bytes(bytes.fromhex(content))
        elif given.is_file():
            shutil.copyfile(given, kept)
        kept.with_name(f"{kept.name}.txt").write_text(f"{kind}: {what}\n\n{detail}\n", errors="backslashreplace")
        fault.inputs.append(kept)


def _place(trace: str) -> str:
    """The last line of ours in the main thread's trace."""
    _, _, current = trace.rpartition("most recent call first")
    frames = re.findall(r'File "([^"]*fcn_edge/[^"]*)", line (\d+) in (\S+)', current or trace)
    if not frames:
        return "an unknown place"
    path, line, name = frames[0]
    return f"fcn_edge/{path.rpartition('/fcn_edge/')[2]}:{line} ({name})"
