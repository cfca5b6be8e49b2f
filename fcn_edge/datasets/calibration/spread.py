"""Images that differ as much as possible from each other, where there are no labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fcn_edge.opencv import cv2

__all__ = ["content", "spread"]

CELLS = 8
EDGE_CELLS = 64
ROWS_AT_ONCE = 1024


def content(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What an image looks like from afar: the colours and the amount of edges in 8x8 cells, ``(256,)`` uint8.

    Args:
        image: ``(H, W, 3)`` uint8 BGR.
    """
    area = cv2().INTER_AREA
    colours = cv2().resize(image, (CELLS, CELLS), interpolation=area)
    small = cv2().resize(image, (EDGE_CELLS + 1, EDGE_CELLS + 1), interpolation=area)
    grey = cv2().cvtColor(small, cv2().COLOR_BGR2GRAY).astype(np.float32)
    edges = np.abs(np.diff(grey, axis=0))[:, :-1] + np.abs(np.diff(grey, axis=1))[:-1]
    amounts = np.clip(4 * cv2().resize(edges, (CELLS, CELLS), interpolation=area), 0, 255)
    return np.concatenate([colours.ravel(), amounts.ravel().astype(np.uint8)])


def spread(contents: NDArray[np.uint8], count: int) -> list[int]:
    """Choose the first image, then always the one that is farthest from all chosen ones (k-centre greedy).

    Args:
        contents: ``(images, 256)`` uint8 of ``content``; the order decides where to start and among equals.
        count: How many to choose, at most as many as there are.

    Returns:
        Rows of ``contents``, in the order of choice.
    """
    nearest = np.full(len(contents), np.iinfo(np.int64).max)
    chosen: list[int] = []
    for _ in range(count):
        best = int(nearest.argmax())
        chosen.append(best)
        for start in range(0, len(contents), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            difference = contents[rows].astype(np.int32) - contents[best]
            nearest[rows] = np.minimum(nearest[rows], (difference * difference).sum(axis=1, dtype=np.int64))
        nearest[best] = -1
    return chosen
