"""The cameras of the stand-in: rendered streets, and what is made up about them."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fcn_edge.datasets.rendered import RenderedSplit
from fcn_edge.runtime.sinks.encoders.units import UnitEncoder

__all__ = ["BITS", "BLOCK", "Camera", "class_names", "draw_number", "drive"]

BITS = 10
BLOCK = 16
"""Pixels of a bit of the frame number that is drawn into picture and mask."""


@lru_cache
def drive(seed: int, size: tuple[int, int], frames: int) -> tuple[list[NDArray[np.uint8]], list[NDArray[np.uint8]]]:
    """Pictures and exact labels of a rendered street."""
    split = RenderedSplit.from_uri(f"synthetic://street?seed={seed}&size={size[0]}x{size[1]}&frames={frames}&fps=25")
    pairs = [sample.pair() for sample in split]
    return [image for image, _ in pairs], [labels for _, labels in pairs]


def class_names() -> tuple[str, ...]:
    return RenderedSplit.from_uri("synthetic://street?frames=1").info.classes


def draw_number(image: NDArray[np.uint8], labels: NDArray[np.uint8], number: int) -> None:
    """Draw the frame's number into picture (white or black) and mask (class 8 or 0), one block a bit."""
    for bit in range(BITS):
        on = number >> bit & 1
        where = slice(0, BLOCK), slice(bit * BLOCK, (bit + 1) * BLOCK)
        image[where] = 255 if on else 0
        labels[where] = 8 if on else 0


@dataclass
class Camera:
    """A source of the run, and what is made up about it."""

    id: str
    number: int
    seed: int
    fps: float
    state: str = "live"
    message: str = ""
    grade: str | None = "excellent"
    paused: bool = False
    since: float = field(default_factory=time.time)
    frames: int = 0
    reconnects: int = 0
    dropped: int = 0
    encoder: UnitEncoder | None = None
    next_s: float = 0.0
    shares: dict[str, float] = field(default_factory=dict)
    jitter: float = 0.0
    newest: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = None
    times: deque[float] = field(default_factory=lambda: deque(maxlen=50))

    def now_is(self, state: str, message: str = "", grade: str | None = "excellent") -> None:
        self.state, self.message, self.grade, self.since = state, message, grade, time.time()
