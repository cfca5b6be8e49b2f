"""At most so many frames a second of a source, by its own times: ``drive.mp4#fps=5``."""

from __future__ import annotations

import math
from dataclasses import replace

from typing_extensions import override

from fcn_edge.runtime.sources.base import Connection, Picture
from fcn_edge.runtime.sources.wrapped import Wrapper

__all__ = ["RatedConnection"]

NEARLY = 1e-6
"""Share of a frame's time by which a time stamp may come early: they are rounded."""


class RatedConnection(Wrapper):
    """The frames of a source that are ``1 / fps`` seconds apart or more; the others are left out. Index and time stay.

    A source without times and without a rate, such as a folder of images, gives all its frames, ``fps`` a second.

    Args:
        inner: The source, which is closed with this one.
        fps: Frames a second, > 0.
    """

    def __init__(self, inner: Connection, fps: float) -> None:
        self._most = fps
        self._own_fps: float | None = None
        self._last_slot = -1
        super().__init__(inner)

    @override
    def changed(self, picture: Picture) -> Picture | None:
        assert picture.index is not None
        if self._own_fps is None and picture.time is None:
            return replace(picture, time=picture.index / self._most)
        seconds = picture.index / (self._own_fps or self._most) if picture.time is None else picture.time
        # a grid from the first frame on: the rate holds on the average too
        slot = math.floor(seconds * self._most + NEARLY)
        if slot <= self._last_slot:
            return None
        self._last_slot = slot
        return picture

    @override
    def _take_over(self) -> None:
        super()._take_over()
        self._own_fps = self.fps
        if self.fps is None:
            self.fps = self._most
            return
        if self.peak_fps is not None:
            self.peak_fps = min(self.peak_fps, self._most)
        if self.fps > self._most:
            if self.length is not None:
                self.length = math.ceil(self.length * self._most / self.fps)
            self.fps = self._most
