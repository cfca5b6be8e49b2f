"""Whether a source's pictures come, and the picture that stands for them while they do not."""

from __future__ import annotations

import time
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.spec import Size
from fcn_edge.io.opencv import cv2
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.events import Event, GradeChanged, SourceChanged
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks.video_writer import fitted
from fcn_edge.runtime.sources.base import State

__all__ = ["SignalWatch", "no_signal_picture"]

AWAY: frozenset[State] = frozenset({"stalled", "lost"})
UNDECIDED: frozenset[State] = frozenset({"connecting", "waiting_for_keyframe"})
"""Not giving pictures yet: what was away still is, and what was never there is not away."""
SILENT_NS = NS_PER_S
SILENT_FRAMES = 5
"""A source that is not believed yet is away again after this long, or so many frame times: as a stall (``health``)."""

BRIGHTNESS = 0.3
"""Of the last picture."""
CARD = 24
"""Gray of the card where there is no last picture."""
WORDS = "no signal"
FONT_HEIGHT = 21
"""Pixels of the capitals of Hershey's fonts at scale 1."""
WIDEST, HIGHEST = 0.8, 0.09
"""Shares of the picture's width that a line may take, and of its height that the capitals of the first one may."""
LARGEST_LETTERS = 80
SMALLEST_LETTERS = 7
"""Pixels of the capitals of the first line: smaller ones cannot be read, and none are drawn."""
SECOND_LINE = 0.62
"""Size of the second line, of that of the first."""


class SignalWatch:
    """Whether one source is away: since when, by what the run tells of it and by its results.

    A source is away from the moment that it is told to be ``stalled`` or ``lost`` until it is told to give pictures, or
    a result comes that was captured after that moment. While it connects again it is still away. One that never came is
    away once it is ``lost``; one that is paused gives no results on purpose, and is away only where its camera is.

    A source that comes and goes again and again is told to be ``stalled`` or ``lost`` all the time until it has been
    steady (``runtime.health``). Its results are believed meanwhile, and when they stop it is away again.

    ``heard`` and ``came`` are for one thread; ``away_since_unix_ns`` for any.

    Args:
        source: Id of the source; None where it is told of one source alone.
    """

    def __init__(self, source: str | None = None) -> None:
        self._source = source
        self._seen = _Seen()  # replaced as a whole: Ctrl-C in one thread leaves no lock taken that another waits for

    @property
    def away_since_unix_ns(self) -> int | None:
        """Nanoseconds of Unix time since when no picture comes; None while they come, and where none was missed."""
        seen = self._seen
        if seen.away_unix_ns is None or seen.came_unix_ns is None:
            return seen.away_unix_ns
        return seen.came_unix_ns if time.monotonic_ns() - seen.last_ns > seen.silent_ns else None

    def heard(self, event: Event) -> None:
        """Take notice of an event; those of other sources are left alone."""
        if not isinstance(event, SourceChanged | GradeChanged) or self._source not in (None, event.source):
            return
        if event.state in UNDECIDED:
            return
        seen = self._seen
        if event.state not in AWAY:
            self._seen = seen._replace(away_unix_ns=None, came_unix_ns=None)
        elif seen.away_unix_ns is None:
            away_ns = time.monotonic_ns() - max(time.time_ns() - event.unix_ns, 0)
            self._seen = seen._replace(away_unix_ns=event.unix_ns, away_ns=away_ns, last_ns=0)

    def came(self, result: Result) -> None:
        """A result came: the source is there, unless it was captured before the source went away."""
        seen, now_ns = self._seen, time.monotonic_ns()
        away = seen.away_unix_ns is not None
        if away and result.frame.captured_ns < seen.away_ns:
            return
        gap_ns = now_ns - seen.last_ns
        counts = seen.last_ns and not (away and gap_ns > seen.silent_ns)  # else it was away again meanwhile
        self._seen = seen._replace(
            came_unix_ns=time.time_ns() if away else None,
            last_ns=now_ns,
            frame_ns=gap_ns if counts else seen.frame_ns,
        )


class _Seen(NamedTuple):
    """What a watch knows.

    Attributes:
        away_unix_ns: Since when the source is told to be away; None where it is not.
        away_ns: The same by ``time.monotonic_ns()``.
        came_unix_ns: When the newest result came, where one did since.
        last_ns: The same by ``time.monotonic_ns()``, also before; 0 where none came yet or since.
        frame_ns: Nanoseconds between the newest two.
    """

    away_unix_ns: int | None = None
    away_ns: int = 0
    came_unix_ns: int | None = None
    last_ns: int = 0
    frame_ns: int = 0

    @property
    def silent_ns(self) -> int:
        """Nanoseconds without a result after which a source is away that is told to be."""
        return max(SILENT_NS, SILENT_FRAMES * self.frame_ns)


def no_signal_picture(last: NDArray[np.uint8] | None, size: Size, since_unix_ns: int) -> NDArray[np.uint8]:
    """The picture that is shown while a source is away: the last one, gray and dark, with the time on it.

    The text is of local time, with the date where it is not today's. It scales with the picture, and is left out where
    nobody could read it.

    Args:
        last: ``(H, W, 3)`` uint8 BGR, left as it is; of any size, with black around where its shape is another. None
            where there is none: a plain dark card.
        size: ``(height, width)`` of the picture.
        since_unix_ns: Nanoseconds of Unix time since when it is away.

    Returns:
        ``(height, width, 3)`` uint8 BGR, a new image.
    """
    if last is None:
        gray = np.full(size, CARD, np.uint8)
    else:
        gray = fitted(cv2().cvtColor(last, cv2().COLOR_BGR2GRAY), size)
        gray = cv2().convertScaleAbs(gray, alpha=BRIGHTNESS)
    _write(gray, (WORDS, f"since {_clock_time(since_unix_ns)}"))
    image: NDArray[np.uint8] = cv2().cvtColor(gray, cv2().COLOR_GRAY2BGR)
    return image


def _clock_time(unix_ns: int) -> str:
    moment = datetime.fromtimestamp(unix_ns // NS_PER_S)
    return f"{moment:%H:%M:%S}" if moment.date() == datetime.now().date() else f"{moment:%Y-%m-%d %H:%M:%S}"


def _write(gray: NDArray[np.uint8], lines: tuple[str, str]) -> None:
    """Write two lines into the middle of a ``(H, W)`` uint8 image, on a dark ground."""
    height, width = gray.shape
    letters = min(HIGHEST * height, LARGEST_LETTERS)
    sizes = letters, SECOND_LINE * letters
    widest = max(_wide(line, size) for line, size in zip(lines, sizes, strict=True))
    letters *= min(1.0, WIDEST * width / widest)
    if letters < SMALLEST_LETTERS:
        return
    sizes = letters, SECOND_LINE * letters
    gap = 0.9 * letters
    top = (height - sum(sizes) - gap) / 2
    panel = gray[round(top - 1.3 * letters) : round(height - top + 1.3 * letters)]
    panel //= 2
    bases = top + sizes[0], top + sizes[0] + gap + sizes[1]
    for line, size, base, light in zip(lines, sizes, bases, (255, 205), strict=True):
        place = round((width - _wide(line, size)) / 2), round(base)
        font, scale, thickness = cv2().FONT_HERSHEY_SIMPLEX, size / FONT_HEIGHT, _thickness(size)
        cv2().putText(gray, line, place, font, scale, light, thickness, cv2().LINE_AA)


def _wide(text: str, letters: float) -> int:
    size, _ = cv2().getTextSize(text, cv2().FONT_HERSHEY_SIMPLEX, letters / FONT_HEIGHT, _thickness(letters))
    return int(size[0])


def _thickness(letters: float) -> int:
    return max(1, round(letters / 9))
