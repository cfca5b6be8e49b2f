"""Who took the processor: CPU seconds of this process by stage and by thread."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from typing_extensions import Self

from fcn_edge.metrics.durations import NS_PER_S

__all__ = ["StageTimes", "ThreadTimes"]

TASKS = Path("/proc/self/task")
EVERY = 0.05
"""Seconds between two looks; what a thread does between the last of them and its end is not seen."""


class StageTimes:
    """CPU seconds of calls, each in the thread that makes it.

    Attributes:
        seconds: By stage. Time that other threads work for a call is not in it.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what the block takes."""
        started = time.thread_time()
        try:
            yield
        finally:
            self.seconds[name] += time.thread_time() - started

    def watch(self, what: object, **stages: str) -> None:
        """Count what methods of an object take from now on.

        Args:
            what: The object, which is changed.
            stages: The stage that each method counts to; those of one stage are called by one thread.
        """
        for method, stage in stages.items():
            setattr(what, method, self._timed(getattr(what, method), stage))

    def _timed(self, call: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def timed(*args: Any, **named: Any) -> Any:
            with self.stage(stage):
                return call(*args, **named)

        return timed


class ThreadTimes:
    """CPU seconds of every thread of this process while the block runs, from Linux's ``/proc``; not its own.

    Attributes:
        python: Of threads that Python knows, by their names there.
        native: Of those that libraries made, by their names in the system.
    """

    def __init__(self) -> None:
        self.python: dict[str, float] = defaultdict(float)
        self.native: dict[str, float] = defaultdict(float)
        self._python: dict[int, str] = {}
        self._names: dict[int, str] = {}
        self._first: dict[int, int] = {}
        self._last: dict[int, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="thread times", daemon=True)

    def __enter__(self) -> Self:
        self._look()
        self._first = dict(self._last)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._look()
        for task, last in self._last.items():
            seconds = (last - self._first.get(task, 0)) / NS_PER_S
            if task in self._python:
                self.python[self._python[task]] += seconds
            else:
                self.native[self._names[task]] += seconds

    def _watch(self) -> None:
        while not self._over.wait(EVERY):
            self._look()

    def _look(self) -> None:
        self._python |= {thread.native_id: thread.name for thread in threading.enumerate() if thread.native_id}
        own = self._thread.native_id
        for task in (int(path.name) for path in TASKS.iterdir()):
            if task == own:
                continue
            try:
                taken = int((TASKS / str(task) / "schedstat").read_text().split()[0])
                name = (TASKS / str(task) / "comm").read_text().strip()
            except OSError:  # it has ended meanwhile
                continue
            self._last[task], self._names[task] = taken, name
