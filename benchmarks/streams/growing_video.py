"""Whether a video plays, whole or while it is being written."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import av

from benchmarks.streams.watched import WatchedRun

__all__ = ["GrowingVideo", "plays"]


class GrowingVideo:
    """The video that the run writes, and what copies of it play."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.copies: list[dict[str, Any]] = []

    def copy(self, run: WatchedRun) -> None:
        """Copy the file as it is and play the copy."""
        run.read()
        reached = len(run.frames)
        copy = shutil.copy(self.path, self.path.with_name("copy" + self.path.suffix))
        played = plays(Path(copy))
        self.copies.append(played | {"behind": reached - played["frames"]})


def plays(path: Path) -> dict[str, Any]:
    """Decode all of a video: its frames, those of them that are damaged, its last time stamp, and what went wrong."""
    times: list[float] = []
    damaged, problem = 0, ""
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                times.append(frame.time or 0.0)
                damaged += frame.is_corrupt
    except (av.FFmpegError, ValueError) as error:
        problem = type(error).__name__
    grows = all(before < after for before, after in pairwise(times))
    last = round(times[-1], 3) if times else 0.0
    return {"frames": len(times), "damaged": damaged, "last_s": last, "grows": grows, "problem": problem}
