"""Images that differ from each other, where there are no labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fcn_edge.io.opencv import cv2

__all__ = ["content", "spread"]

CELLS = 8
EDGE_CELLS = 64
ROWS_AT_ONCE = 1024

DARK = 8
"""Gray level below which steps are taken as they are, above it in proportion to the level."""

BY_PROPORTION = np.round(255 * np.log1p(np.arange(256) / DARK) / np.log1p(255 / DARK)).astype(np.uint8)
"""Levels as logarithms: two scenes at dusk differ as much as the same two by day."""


def content(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What an image looks like from afar: the colors and the amount of edges in 8x8 cells, ``(256,)`` uint8.

    Args:
        image: ``(H, W, 3)`` uint8 BGR.
    """
    area = cv2().INTER_AREA
    colors = cv2().resize(image, (CELLS, CELLS), interpolation=area)
    small = cv2().resize(image, (EDGE_CELLS + 1, EDGE_CELLS + 1), interpolation=area)
    gray = cv2().cvtColor(small, cv2().COLOR_BGR2GRAY).astype(np.float32)
    edges = np.abs(np.diff(gray, axis=0))[:, :-1] + np.abs(np.diff(gray, axis=1))[:-1]
    amounts = np.clip(4 * cv2().resize(edges, (CELLS, CELLS), interpolation=area), 0, 255)
    levels = np.concatenate([colors.ravel(), amounts.ravel().astype(np.uint8)])
    return np.take(BY_PROPORTION, levels)


def spread(contents: NDArray[np.uint8], count: int, seed: int) -> list[int]:
    """Choose the first image, then draw each next one by its squared distance to the nearest of those before.

    This is the seeding of k-means++ (Arthur and Vassilvitskii 2007). Always taking the farthest would choose the odd
    images only, and hardly one of a drive whose images are alike.

    Args:
        contents: ``(images, 256)`` uint8 of ``content``; with the seed their order decides.
        count: How many to choose, at most as many as there are.
        seed: Seed of the draws.

    Returns:
        Rows of ``contents``, in the order of choice.
    """
    random = np.random.default_rng(seed)
    nearest = np.full(len(contents), np.iinfo(np.int64).max)
    left = np.ones(len(contents), np.bool_)
    chosen: list[int] = []
    row = 0
    for _ in range(count):
        chosen.append(row)
        left[row] = False
        for start in range(0, len(contents), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            difference = contents[rows].astype(np.int32) - contents[row]
            nearest[rows] = np.minimum(nearest[rows], (difference * difference).sum(axis=1, dtype=np.int64))
        upto = np.cumsum(nearest)
        drawn = int(random.integers(max(1, upto[-1])))
        # where all that are left look like chosen ones, the first of them
        row = int(np.searchsorted(upto, drawn, side="right")) if upto[-1] else int(left.argmax())
    return chosen
