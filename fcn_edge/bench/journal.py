"""What a run has measured so far, line by line: a run that was killed goes on where it was."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from fcn_edge.errors import ArtifactError, UsageError
from fcn_edge.io.closeable import Closeable
from fcn_edge.io.files import copy_file, write_errors
from fcn_edge.io.outside import json_of

__all__ = ["CONTROL", "Journal"]

CONTROL = "(control)"
"""Name of the control among the rows."""


class Journal(Closeable):
    """The lines of a run, each on the disk before the next thing is measured. Close it when done.

    Args:
        path: The file.
        run: What decides what is measured: the suite, the rows, the machine. A run goes on only as what it began.
        resume: Go on with the run in the file, where there is one; else it is written anew.

    Attributes:
        entries: What was measured, by kind and key; such as ``("round", "3 name of the row")``.
        seconds: How long that took.
        started: When the run began, such as ``2026-05-01T12:00:00Z``.
        resumed: How often the run was resumed, this time included.

    Raises:
        UsageError: The run in the file is another one, another process has it, or the file may not be written.
        ArtifactError: The file is no journal.
    """

    def __init__(self, path: Path, run: Mapping[str, Any], *, resume: bool) -> None:
        self.entries: dict[tuple[str, str], Any] = {}
        self.seconds, self.resumed = 0.0, 0
        self.started = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._path = path
        with ExitStack() as closing:
            with write_errors(path):
                # unbuffered, so that nothing is left to be written when it is closed
                self._file = closing.enter_context(path.open("a+b", buffering=0))
            self._lock()
            kept = self._read(json.loads(json.dumps(run))) if resume else self._put_aside()
            with write_errors(path):
                self._file.truncate(kept)
            self._write({"resumed": self.resumed} if kept else {"run": run, "started": self.started})
            closing.pop_all()

    def add(self, kind: str, key: str, value: Any, seconds: float) -> None:
        """Write down what was measured.

        Args:
            kind: Such as ``round``.
            key: What of that kind.
            value: Plain values.
            seconds: How long it took.

        Raises:
            MachineError: The disk is full.
        """
        self._write({"kind": kind, "key": key, "value": value, "seconds": round(seconds, 3)})
        self.entries[kind, key] = value
        self.seconds += seconds

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _put_aside(self) -> int:
        """Keep the run that a new one replaces: somebody may only have forgotten to resume it."""
        if self._path.stat().st_size:
            with write_errors(self._path):
                copy_file(self._path, self._path.with_suffix(".old.jsonl"))
        return 0

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"Another process measures in {self._path.parent}.", "Wait until it is done, or give another --work."
            ) from error

    def _write(self, line: Mapping[str, Any]) -> None:
        with write_errors(self._path):
            self._file.write(json.dumps(line, allow_nan=False).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())

    def _read(self, run: Mapping[str, Any]) -> int:
        """Take over what the file holds; the length of what is whole of it."""
        fix = "Leave out --resume to start anew."
        kept = 0
        for number, (line, end) in enumerate(self._lines()):
            try:
                content = json_of(line)
                if number == 0:
                    self._check(content["run"], run)
                    self.started = str(content["started"])
                elif "kind" in content:
                    self.entries[content["kind"], content["key"]] = content["value"]
                    self.seconds += content["seconds"]
                else:
                    self.resumed = max(self.resumed, content["resumed"])
            except (ValueError, KeyError, TypeError) as error:
                raise ArtifactError(f"{self._path} is damaged: line {number + 1} cannot be read.", fix) from error
            kept = end
        self.resumed += 1 if kept else 0
        return kept

    def _lines(self) -> Iterator[tuple[bytes, int]]:
        """Whole lines and where they end; one that a kill cut off is left out."""
        self._file.seek(0)
        content, start = self._file.read(), 0
        while (end := content.find(b"\n", start)) >= 0:
            yield content[start:end], end + 1
            start = end + 1

    def _check(self, there: Mapping[str, Any], run: Mapping[str, Any]) -> None:
        differing = sorted(key for key in {*there, *run} if there.get(key) != run.get(key))
        if differing:
            raise UsageError(
                f"The run in {self._path.parent} cannot go on: it began with another {' and '.join(differing)}.",
                "Leave out --resume to start anew.",
            )
