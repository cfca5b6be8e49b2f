"""Frames in groups of as many as a network takes at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fcn_edge.backends.base import Session

__all__ = ["grouped", "masks_of"]

T = TypeVar("T")


def grouped(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of ``size``; the last one may be shorter."""
    left = iter(items)
    while group := list(islice(left, size)):
        yield group


def masks_of(session: Session, frames: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """The ``(H, W)`` uint8 mask of each ``(H, W, 3)`` uint8 BGR frame, as many at once as the session's network takes.

    Raises:
        FrameError: One is no such frame.
        ModelError: The network gives NaN or infinity.
    """
    for group in grouped(frames, session.batch):
        yield from session.labels_batch(group)
