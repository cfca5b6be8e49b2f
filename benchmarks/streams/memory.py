"""Sources whose frames lie in memory: files without a disk and cameras without a network."""

from __future__ import annotations

import time
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.artifacts.spec import Size
from fcn_edge.errors import FcnEdgeError
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.sources import Connection, EndOfSource, Picture
from fcn_edge.street import Street

__all__ = ["Image", "Memory", "rendered_street"]

RENDERED_SIZE = (360, 640)

Image = NDArray[np.uint8]


class Memory(Connection):
    """A source of frames in memory.

    Args:
        name: What it is called.
        images: Its frames, ``(H, W, 3)`` uint8 BGR, from the first again after the last.
        count: How many it gives; without end when None.
        fps: Give them at this rate and as a camera does; as fast as they are taken when None.
        error: What it fails with in place of its end.
    """

    def __init__(
        self,
        name: str,
        images: Sequence[Image],
        count: int | None,
        fps: float | None,
        error: FcnEdgeError | None = None,
    ) -> None:
        super().__init__(f"memory://{name}")
        self.live = fps is not None
        self._memory, self._most, self._error = images, count, error
        self._period = None if fps is None else round(NS_PER_S / fps)
        self._given, self._due = 0, 0

    @override
    def _connect(self, timeout: float | None) -> None:
        self.size = self._memory[0].shape[0], self._memory[0].shape[1]
        self._due = time.monotonic_ns()

    @override
    def _next(self, timeout: float) -> Picture | None:
        if self._given == self._most:
            raise self._error or EndOfSource
        if self._period is not None:
            time.sleep(max(0, self._due - time.monotonic_ns()) / NS_PER_S)
            self._due = max(self._due + self._period, time.monotonic_ns())
        image = self._memory[self._given % len(self._memory)]
        self._given += 1
        return Picture(image)


def rendered_street(seed: int, size: Size, frames: int, rendered: Size = RENDERED_SIZE) -> list[Image]:
    """Frames of a drive along a rendered street, ``(*size, 3)`` uint8 BGR.

    Args:
        seed: Which street.
        size: ``(height, width)`` of the frames.
        frames: How many.
        rendered: ``(height, width)`` that they are rendered at, and enlarged from: rendering is slow.
    """
    return [
        np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)
        for image, _ in Street(seed=seed, size=rendered, frames=frames)
    ]
