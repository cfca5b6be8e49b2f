"""A worker process as its parent has it: started, heard, watched, and started again behind what ended it."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

from .worker import INPUT, PRINTED, TRACES

__all__ = ["Job", "WorkerProcess", "remove"]

Job = tuple[str, int, int]
"""``(parser, first input, behind the last)``."""

ROOT = Path(__file__).resolve().parents[2]
START = "start.txt"
"""What a worker prints before it keeps that in a file of its own."""
STARTING = 12.0
"""How many times as long a parser's first input may take, for which libraries are loaded and whole inputs are made."""


def remove(folder: Path) -> None:
    """Remove a folder and all that is in it: shutil fails where a thousand are in one another, before Python 3.13."""
    subprocess.run(["rm", "-rf", "--", folder], check=False)


class WorkerProcess:
    """A worker process, started again behind the input that ended it."""

    def __init__(self, folder: Path, request: dict[str, Any]) -> None:
        self._folder = folder
        self._request = {**request, "folder": str(folder.resolve())}
        self.at = ("", -1)
        self.killed = self.ended = False
        self.pipe: IO[bytes]
        self._rest = b""

    def start(self, selector: selectors.BaseSelector) -> None:
        remove(self._folder)
        self._folder.mkdir(parents=True)
        reading, writing = os.pipe()
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
        with (self._folder / START).open("wb") as start:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.fuzz.worker"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=start,
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
        return _text(self._folder / PRINTED) + _text(self._folder / START)


def _text(path: Path) -> str:
    return path.read_text(errors="backslashreplace")[-8000:] if path.is_file() else ""
