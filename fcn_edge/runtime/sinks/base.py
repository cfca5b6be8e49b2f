"""What takes results: the base of all sinks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fcn_edge.io.closeable import Closeable
from fcn_edge.runtime.events import Event
from fcn_edge.runtime.result import Result

if TYPE_CHECKING:
    from fcn_edge.runtime.sinks.rtsp.server import RtspServers
    from fcn_edge.runtime.sinks.shared_video import SharedVideo

__all__ = ["Overlays", "Sink", "SinkContext"]


class Overlays:
    """The overlay of a result, drawn once for all sinks that show it.

    Args:
        alpha: Opacity of the class colors, 0 to 1.
        legend: Draw the names of the classes that are there.
    """

    def __init__(self, alpha: float = 0.5, legend: bool = False) -> None:
        self._alpha = alpha
        self._legend = legend
        self._drawn: tuple[Result, NDArray[np.uint8]] | None = None

    def __call__(self, result: Result) -> NDArray[np.uint8]:
        """``(H, W, 3)`` uint8 BGR of the frame with its classes; not to be changed."""
        drawn = self._drawn  # several threads may ask: each gets that of its own result
        if drawn is None or drawn[0] is not result:
            drawn = self._drawn = result, result.overlay(self._alpha, self._legend)
        return drawn[1]


@dataclass(frozen=True)
class SinkContext:
    """What a sink may know of the stream when it is opened.

    Attributes:
        overlay: Gives a result's overlay.
        fps: Frames a second of the source; None when it has none.
        peak_fps: Frames a second where they come fastest; None where nobody says, or the rate is even.
        single: There will be one frame only.
        reads: Files that the source reads.
        source: Short name of the source, where there are several.
        live: Frames come when they come; a sink that is slow leaves some out rather than keep the source waiting.
        shared: Several sources write into it, which may become live, or be joined by one that is.
        segment: Seconds after which a video goes on in a new file; None for one file.
        keep: Bytes that the files of one video may take together, where ``segment`` is given; None for all of them.
        max_age_ns: Nanoseconds from the capture after which a mask is worthless; None where none is. No older one is
            handed to a sink; one that lets results wait looks again.
        video: The one encode of the source's overlays; None where nothing is shared, and a sink makes its own.
        servers: The RTSP servers of the run; None where nothing is shared, and a sink starts its own.
        token: What who looks from another machine must know; None where there is none. It is shown nowhere.
    """

    overlay: Callable[[Result], NDArray[np.uint8]]
    fps: float | None = None
    peak_fps: float | None = None
    single: bool = False
    reads: frozenset[Path] = frozenset()
    live: bool = False
    shared: bool = False
    source: str = ""
    segment: float | None = None
    keep: int | None = None
    max_age_ns: int | None = None
    video: SharedVideo | None = None
    servers: RtspServers | None = None
    token: str | None = field(default=None, repr=False)


class Sink(Closeable):
    """Takes results, in order. A ``with`` block closes it, also after an error: what was written is then whole.

    A run calls it in its own thread: while it writes, all sources wait. Videos, and of live sources mask folders and
    JSON lines too, do their work in threads of their own (``QueuedSink``), and JSON lines of several sources.

    Attributes:
        name: What it was opened by, without a password; for messages.
        ended: The person at the screen wants no more; the stream should stop.
        dropped: Frames of a live source that it had no time for, and masks that grew too old meanwhile.
    """

    name: str = ""
    ended: bool = False
    dropped: int = 0

    @property
    def wrote(self) -> tuple[Path, ...]:
        """The files and folders that it wrote and that are still there."""
        return ()

    @abstractmethod
    def write(self, result: Result) -> None:
        """Take one result.

        Raises:
            MachineError: The disk is full, or something else that it needs is gone.
        """

    def heard(self, event: Event) -> None:
        """Take notice of what the run tells its listeners, of the sources whose results it takes; it must not wait.

        A sink that was given as a sink hears everything from the start of the run on, another one what happens while it
        is open.
        """

    def finish(self, hurry: bool = False) -> None:
        """Begin to complete what was written, where a thread does; ``close`` follows and waits for it.

        All sinks of a run get it before the first is closed, so that their waits run side by side. It must not wait.

        Args:
            hurry: The run was interrupted: what cannot be written within seconds is left out.
        """

    def close(self) -> None:
        """Complete what was written. May be called more than once."""
