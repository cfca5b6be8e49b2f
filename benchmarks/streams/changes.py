"""Sources that are added to a run that goes on, give a frame and are removed: do they leave anything behind?"""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.streams.memory import Image, Memory
from fcn_edge.runtime.events import Event, FrameDone
from fcn_edge.runtime.runner import run
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.source_set import AnySource, Sources

__all__ = ["changes"]

GROWTH = 0.05
"""Memory that the process may have gained, as a share of what it took after the first tenth."""

CAMERA_FPS = 25.0


def changes(segmenter: Segmenter, images: Sequence[Image], video: Path, cycles: int) -> dict[str, Any]:
    """Sources that come and go while one gives frames all the time, and what did not hold.

    Args:
        segmenter: Runs the network.
        images: Frames of the sources in memory.
        video: The file that every third source is.
        cycles: How many sources come and go.
    """
    guests = _Guests(images, video, cycles)
    run(guests.sources, segmenter, (), [guests])
    tenth = max(cycles // 10, 1)
    first, last = guests.samples[tenth : 2 * tenth], guests.samples[-tenth:]
    failed = [f"{len(guests.samples)} of {cycles} sources came and went"] if len(guests.samples) < cycles else []
    for what in ("threads", "files"):
        before, after = (max(sample[what] for sample in part) for part in (first, last))
        if after > before:
            failed.append(f"{after} {what} where there were {before}")
    before, after = (statistics.median(sample["memory_mb"] for sample in part) for part in (first, last))
    growth = round(after / before - 1, 4)
    if growth > GROWTH:
        failed.append(f"memory grew by {growth:.1%}")
    return {
        "cycles": len(guests.samples),
        "memory_growth": growth,
        "failed": failed,
        "samples": guests.samples[:: max(cycles // 100, 1)],
    }


class _Guests:
    """A listener that changes the sources of its run: each guest comes when the one before is gone.

    Attributes:
        sources: A source that gives frames all the time, and the guest.
        samples: What the process took after each guest was gone: threads, open files, memory in MB.
    """

    def __init__(self, images: Sequence[Image], video: Path, cycles: int) -> None:
        self._host = Memory("host", images, None, None)
        self.sources = Sources(self._host)
        self.samples: list[dict[str, float]] = []
        self._images, self._video, self._cycles = images, video, cycles
        self._guest = ""
        self._given = self._over = False

    def __call__(self, event: Event) -> None:
        """Take the next step, if there is one to take."""
        if not isinstance(event, FrameDone):
            return
        if event.result.source == self._guest:
            if not self._given:
                self._given = True
                self.sources.remove(self._guest)
        elif not self._over and self._guest not in self.sources:
            self._next()

    def _next(self) -> None:
        """The guest is gone, or there was none yet: the next one comes."""
        if self._given:
            self.samples.append(_taken())
        self._over = len(self.samples) == self._cycles or (bool(self._guest) and not self._given)
        self._given = False
        if self._over:
            self.sources.remove(self._host.id)
        else:
            self._guest = self.sources.add(self._new_guest())

    def _new_guest(self) -> AnySource:
        number = len(self.samples)
        if number % 3 == 0:
            return f"{self._video}#name=guest-{number}"
        return Memory(f"guest-{number}", self._images, None, CAMERA_FPS if number % 3 == 1 else None)


def _taken() -> dict[str, float]:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "threads": len(list(Path("/proc/self/task").iterdir())),
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "memory_mb": round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1),
    }
