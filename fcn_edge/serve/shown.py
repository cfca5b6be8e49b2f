"""The sources that the page shows: the video and the pictures of each, for as long as it is there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fcn_edge.runtime.events import Event
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks import Overlays
from fcn_edge.runtime.sinks.encoders.choice import Choice
from fcn_edge.runtime.source_set import Sources
from fcn_edge.serve.encoding import Encoding
from fcn_edge.serve.messages import Message
from fcn_edge.serve.pictures import SourcePictures
from fcn_edge.serve.stream import CLOSE_TIMEOUT, SourceVideo

__all__ = ["ShownSources"]


@dataclass(frozen=True, eq=False)
class _Shown:
    """One source; without video where nothing encodes H.264 here."""

    number: int
    label: str
    pictures: SourcePictures
    video: SourceVideo | None


class ShownSources:
    """Makes what shows a source when it is first heard of, and ends it when the source is gone.

    Args:
        sources: The sources of the run.
        choice: What encodes; None where nothing does.
        overlays: Draws the overlays.
        publish: Takes the messages for browsers, in threads of the videos.
        forget: Told the number of a source whose video is over, in its thread, after its last message.
    """

    def __init__(
        self,
        sources: Sources,
        choice: Choice | None,
        overlays: Overlays,
        publish: Callable[[Message], None],
        forget: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._sources = sources
        self._choice = choice
        self._overlays = overlays
        self._publish = publish
        self._forget = forget
        self._lock = threading.Lock()
        self._shown: dict[str, _Shown] = {}
        self._watched: frozenset[int] = frozenset()
        self._closed = False

    def put(self, result: Result) -> None:
        """Take a result; for the run's thread."""
        shown = self._of(result.source)
        if shown is not None:
            shown.pictures.put(result)
            if shown.video is not None:
                shown.video.put(result)

    def heard(self, source: str, event: Event) -> None:
        """Take notice of an event of a source; for the run's thread."""
        shown = self._of(source)
        if shown is not None:
            shown.pictures.heard(event)
            if shown.video is not None:
                shown.video.heard(event)
        self._end_those_that_are_gone()

    def labels(self) -> tuple[str, ...]:
        """Short names of the sources, by their numbers."""
        return tuple(status.label for status in self._sources.statuses())

    def pictures(self, label: str) -> SourcePictures | None:
        """The pictures of the source of this short name; None where there is none."""
        for status in self._sources.statuses():
            if status.label == label:
                shown = self._of(status.id)
                return None if shown is None else shown.pictures
        return None

    def watch(self, numbers: frozenset[int]) -> None:
        """Encode the video of these sources, and of no other."""
        with self._lock:
            self._watched = numbers
            for one in self._shown.values():
                if one.video is not None:
                    one.video.watch(one.number in numbers)

    def encodings(self) -> tuple[Encoding, ...]:
        """What the video of each source has cost so far."""
        with self._lock:
            shown = tuple(self._shown.values())
        return tuple(
            Encoding(one.label, one.video.encoded, one.video.encode_ns) for one in shown if one.video is not None
        )

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            self._closed = True
            shown, self._shown = tuple(self._shown.values()), {}
        _end(shown)
        until = time.monotonic() + CLOSE_TIMEOUT
        for one in shown:
            if one.video is not None:
                one.video.close(max(until - time.monotonic(), 0.0))

    def _of(self, source: str) -> _Shown | None:
        number = self._sources.number_of(source)
        with self._lock:
            shown = self._shown.get(source)
            if shown is not None and shown.number == number:
                return shown
        # None: it was removed, and what was captured of it is still on its way
        return None if number is None else self._made(source, number)

    def _made(self, source: str, number: int) -> _Shown | None:
        label = next((status.label for status in self._sources.statuses() if status.number == number), None)
        if label is None:
            return None
        with self._lock:
            old = self._shown.get(source)
            if self._closed or (old is not None and old.number == number):
                return old
            video = None if self._choice is None else SourceVideo(number, self._choice, self._publish, self._forget)
            new = self._shown[source] = _Shown(number, label, SourcePictures(self._overlays), video)
            if video is not None and number in self._watched:
                video.watch(True)  # inside: somebody who leaves just now is not to be overtaken
        _end([] if old is None else [old])
        return new

    def _end_those_that_are_gone(self) -> None:
        with self._lock:
            gone = [name for name, one in self._shown.items() if self._sources.number_of(name) != one.number]
            ended = [self._shown.pop(name) for name in gone]
        _end(ended)


def _end(shown: Sequence[_Shown]) -> None:
    """Let their threads end; an encoder may take seconds for that, and the run does not wait for it."""
    for one in shown:
        one.pictures.close()
        if one.video is not None:
            one.video.end()
