"""A file again from its start whenever it ends: ``drive.mp4#loop=true``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from typing_extensions import override

from fcn_edge.runtime.sources.base import Connection, EndOfSource, LeftOutError, Picture
from fcn_edge.runtime.sources.wrapped import Wrapper
from fcn_edge.text import whole

__all__ = ["LoopedConnection", "loops_from_text"]

USUAL_FPS = 25.0


def loops_from_text(text: str) -> int | None:
    """How often to play: a number of times, ``true`` for without end (None), ``false`` for once.

    Raises:
        ValueError: It is neither.
    """
    if text.lower() in ("true", "false"):
        return None if text.lower() == "true" else 1
    times = whole(text)
    if not times:
        raise ValueError("true, or the number of times to play it, was expected")
    return times


class LoopedConnection(Wrapper):
    """The frames of a file, again and again. Index and time go on growing.

    What a folder holds and cannot be read ends the last round as it ends a single one, and none before it.

    Args:
        open_file: Makes a connection to the file, not connected yet.
        times: How often it is played; without end when None.
    """

    def __init__(self, open_file: Callable[[], Connection], times: int | None) -> None:
        self._open_file = open_file
        self._times = times
        self._round = 1
        self._damaged_before = 0
        self._base_index = self._next_index = 0
        self._base_time = self._next_time = 0.0
        super().__init__(open_file())

    @property
    @override
    def damaged(self) -> int:
        return self._damaged_before + self._inner.damaged

    @override
    def changed(self, picture: Picture) -> Picture:
        assert picture.index is not None
        index = self._base_index + picture.index
        self._next_index = index + 1
        seconds = None if picture.time is None else self._base_time + picture.time
        if seconds is not None:
            self._next_time = seconds + 1 / (self.fps or USUAL_FPS)
        named_by_index = picture.name == f"{picture.index:06d}"
        return replace(picture, index=index, time=seconds, name=f"{index:06d}" if named_by_index else picture.name)

    @override
    def _next(self, timeout: float) -> Picture | None:
        try:
            return super()._next(timeout)
        except (EndOfSource, LeftOutError):
            if self._round == self._times or self._interrupted:
                raise
        self._start_again()
        return super()._next(timeout)

    def _start_again(self) -> None:
        self._round += 1
        self._base_index, self._base_time = self._next_index, self._next_time
        self._damaged_before += self._inner.damaged
        self._inner.close()
        self._inner = self._open_file()
        self._inner.connect()
        if self._interrupted:  # the new one has not heard of it
            self._inner.interrupt()

    @override
    def _take_over(self) -> None:
        super()._take_over()
        if self.length is not None:
            self.length = None if self._times is None else self.length * self._times
