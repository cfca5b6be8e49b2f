"""What ``fcn-edge run`` tells on standard error while it runs: a bar, troubles of cameras, sinks that fail."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fcn_edge.cli.verb import note

if TYPE_CHECKING:
    from fcn_edge.runtime.events import Event, Listener

__all__ = ["FrameCount", "progress_of_frames", "troubles_of_sources"]


def troubles_of_sources(alone: bool) -> Listener:
    """A listener that tells on standard error what becomes of cameras: troubles, their ends, grades.

    Args:
        alone: There is one source; that it is missing at the start is what the run ends with, and said then.
    """
    from fcn_edge.runtime.events import GradeChanged, SourceChanged, Started
    from fcn_edge.runtime.sources.base import CONNECTED

    troubled: set[str] = set()
    connected = not alone

    def tell(event: Event) -> None:
        nonlocal connected
        if isinstance(event, Started) or (isinstance(event, SourceChanged) and event.state in CONNECTED):
            connected = True
        if isinstance(event, GradeChanged):
            note(f"{event.source} is {event.grade}. {event.message}")
        elif isinstance(event, SourceChanged) and (connected or event.state != "lost"):
            trouble = event.state not in ("connecting", "live", "ended")
            if trouble or (event.source in troubled and event.state == "live"):
                note(_trouble(event.source, event.state.replace("_for_", " for a "), event.message))
            (troubled.add if trouble else troubled.discard)(event.source)

    return tell


def _trouble(source: str, state: str, message: str) -> str:
    """A sentence with the address once, however the message begins."""
    for begin, word in ((f"{source} was lost: ", ""), (f"{source} ", "it ")):
        if message.startswith(begin):
            return f"{source} is {state}: {word}{message.removeprefix(begin)}"
    return f"{source} is {state}. {message}".rstrip()


class FrameCount:
    """A listener that counts the frames that the sinks took, and says at once which sink failed."""

    def __init__(self) -> None:
        self.frames = 0

    def __call__(self, event: Event) -> None:
        """Take notice of an event."""
        from fcn_edge.runtime.events import FrameDone, SinkFailed

        if isinstance(event, FrameDone):
            self.frames += 1
        elif isinstance(event, SinkFailed):
            note(f"The sink {event.sink} failed and gets no more frames: {event.error.message}")


@contextmanager
def progress_of_frames(hidden: bool) -> Iterator[Listener]:
    """A listener that moves a bar on standard error, where that is a terminal."""
    from tqdm import tqdm

    from fcn_edge.runtime.events import FrameDone, Started

    with tqdm(
        unit="frame", desc="run", disable=hidden or not sys.stderr.isatty(), leave=False, dynamic_ncols=True
    ) as bar:

        def moved(event: Event) -> None:
            if isinstance(event, Started):
                bar.reset(event.total)
            elif isinstance(event, FrameDone):
                bar.update()

        yield moved
