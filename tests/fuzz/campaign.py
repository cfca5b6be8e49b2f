"""Many inputs for many parsers, in worker processes that are watched: whoever crashes or hangs is replaced."""

from __future__ import annotations

import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from .parser import Parser, parsers_of
from .worker import INPUT, PRINTED, TRACES

__all__ = ["MODULE", "Campaign", "Fault", "Findings", "plan_of"]

ROOT = Path(__file__).resolve().parents[2]
MODULE = "tests.fuzz.parsers"
LIMIT = 10.0
"""Seconds of the processor that an input may take, wherever a process waits for nothing four times as long."""
KEPT = 3
"""Inputs that are kept of each fault."""
STARTING = 12.0
"""How many times as long a parser's first input may take, for which libraries are loaded and whole inputs are made."""


@dataclass
class Fault:
    """Something that no input may do.

    Attributes:
        parser: Name of the parser.
        kind: See ``oracle.Verdict``.
        what: One line that is the same for faults of one cause.
        detail: The first one's traceback, message or output.
        count: How many inputs did it.
        inputs: Where some of them are kept.
    """

    parser: str
    kind: str
    what: str
    detail: str
    count: int = 0
    inputs: list[Path] = field(default_factory=list)


@dataclass
class Findings:
    """What became of all inputs.

    Attributes:
        outcomes: ``(parser, outcome)`` to how many: ``accepted``, ``refused`` and ``fault``.
        faults: By parser, kind and cause.
        seconds: Of the processor, by parser.
        missing: Parsers that were left out, and the module that each lacks.
    """

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: dict[tuple[str, str, str], Fault] = field(default_factory=dict)
    seconds: Counter[str] = field(default_factory=Counter)
    missing: dict[str, str] = field(default_factory=dict)

    def table(self) -> str:
        """A line for each parser, and one for each fault."""
        names = sorted({name for name, _ in self.outcomes})
        lines = [f"{'parser':<28}{'accepted':>9}{'refused':>9}{'faults':>9}{'seconds':>9}"]
        lines += [
            f"{name:<28}{self.outcomes[name, 'accepted']:>9}{self.outcomes[name, 'refused']:>9}"
            f"{self.outcomes[name, 'fault']:>9}{self.seconds[name]:>9.1f}"
            for name in names
        ]
        total = [sum(n for (_, which), n in self.outcomes.items() if which == one) for one in OUTCOMES]
        lines.append(f"{'all':<28}{total[0]:>9}{total[1]:>9}{total[2]:>9}{sum(self.seconds.values()):>9.1f}")
        lines += [f"{name} was left out: there is no {module}" for name, module in sorted(self.missing.items())]
        for fault in sorted(self.faults.values(), key=lambda one: (one.parser, -one.count)):
            lines.append(f"FAULT {fault.parser}, {fault.kind}, {fault.count}x: {fault.what}")
            lines += [f"      {path}" for path in fault.inputs]
        return "\n".join(lines)


OUTCOMES = ("accepted", "refused", "fault")

Job = tuple[str, int, int]


def plan_of(parsers: Sequence[Parser], count: int, pieces: int) -> list[list[Job]]:
    """Which inputs each of some workers reads: ``(parser, first, behind the last)``.

    Every parser gets its share, five at least, and one worker alone reads it: what it loads is loaded once.
    """
    shares = sum(parser.share for parser in parsers)
    plan: list[list[Job]] = [[] for _ in range(pieces)]
    for parser in sorted(parsers, key=lambda one: -one.share):
        part = min(plan, key=lambda jobs: sum(stop for _, _, stop in jobs))
        part.append((parser.name, 0, max(5, round(count * parser.share / shares))))
    return [jobs for jobs in plan if jobs]


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
        self._workers: list[_Worker] = []

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
                worker = _Worker(self._work / str(number), {**request, "seed": self._seed, "module": self._module})
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
            selector.close()
            shutil.rmtree(self._work, ignore_errors=True)
        return self.findings

    def _take(self, worker: _Worker, answer: dict[str, Any]) -> None:
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

    def _follow_up(self, worker: _Worker, selector: selectors.BaseSelector, running: list[_Worker]) -> None:
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
        self, worker: _Worker, name: str, index: int, kind: str, what: str, detail: str, content: str | None = None
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


class _Worker:
    """A worker process, started again behind the input that ended it."""

    def __init__(self, folder: Path, request: dict[str, Any]) -> None:
        self._folder = folder
        self._request = {**request, "folder": str(folder.resolve())}
        self.at = ("", -1)
        self.killed = self.ended = False
        self.pipe: IO[bytes]
        self._rest = b""

    def start(self, selector: selectors.BaseSelector) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        reading, writing = os.pipe()
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.worker"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=(self._folder / "start.txt").open("wb"),
            stderr=subprocess.STDOUT,
            pass_fds=(writing,),
        )
        os.close(writing)
        assert self._process.stdin is not None
        with self._process.stdin as asked:
            asked.write(json.dumps({**self._request, "answers": writing}).encode())
        os.set_blocking(reading, False)
        self.pipe = os.fdopen(reading, "rb", buffering=0)
        self.at, self.killed, self.ended = ("", -1), False, False
        self._since(time.monotonic())
        selector.register(self.pipe, selectors.EVENT_READ, self)

    def answers(self) -> list[dict[str, Any]]:
        """What it told since the last time."""
        read = self.pipe.read(1 << 20)
        if not read:
            self.ended = read == b""
            return []
        *lines, self._rest = (self._rest + read).split(b"\n")
        found = [json.loads(line) for line in lines]
        for answer in found:
            if "begin" in answer:
                self.at = answer["begin"], answer["index"]
                self._since(time.monotonic())
        return found

    def _since(self, now: float) -> None:
        self._began, self._used = now, self._processor()

    def _processor(self) -> float:
        """Seconds of the processor that it has used."""
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def hangs(self, limit: float) -> bool:
        """It computes for longer than that, or does nothing for four times as long: other processes slow it down."""
        if self.at[1] < 0:
            limit *= STARTING
        waited = time.monotonic() - self._began
        return waited > limit and (waited > 4 * limit or self._processor() - self._used > limit)

    def kill(self) -> None:
        if self._process.poll() is None:
            self.killed = True
            self._process.send_signal(signal.SIGUSR1)  # where every thread is
            time.sleep(0.2)
            self._process.kill()
            self._process.wait()

    def wait(self) -> int:
        self.pipe.close()
        return self._process.wait()

    def skip(self) -> bool:
        """Go on behind the input that it was at; False where there is none."""
        name, index = self.at
        jobs: list[Job] = self._request["jobs"]
        place = next(number for number, job in enumerate(jobs) if job[0] == name)
        rest = [(name, index + 1, jobs[place][2])] if 0 <= index < jobs[place][2] - 1 else []
        self._request["jobs"] = [*rest, *jobs[place + 1 :]]
        return bool(self._request["jobs"])

    def input_of(self, name: str) -> Path:
        """The file that it reads for a parser; there is none before the first input."""
        return next((self._folder / INPUT / name).glob("*"), Path("input"))

    def traces(self) -> str:
        return _text(self._folder / TRACES)

    def printed(self) -> str:
        return _text(self._folder / PRINTED) + _text(self._folder / "start.txt")


def _text(path: Path) -> str:
    return path.read_text(errors="backslashreplace")[-8000:] if path.is_file() else ""


def _place(trace: str) -> str:
    """The last line of ours in the main thread's trace."""
    _, _, current = trace.rpartition("most recent call first")
    frames = re.findall(r'File "([^"]*fcn_edge/[^"]*)", line (\d+) in (\S+)', current or trace)
    if not frames:
        return "an unknown place"
    path, line, name = frames[0]
    return f"fcn_edge/{path.rpartition('/fcn_edge/')[2]}:{line} ({name})"
