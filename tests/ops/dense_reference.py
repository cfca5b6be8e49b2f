"""The mask worked out the plain way, in float64, and what a decoder is held to."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.ops.geometry import AxisMapping, FrameMapping

TOLERANCE = 1e-5
"""Share of the largest |score| below which two classes count as equally good."""


def frame_mapping(rows: AxisMapping, columns: AxisMapping) -> FrameMapping:
    return FrameMapping(rows=rows, columns=columns)


def seen_part(mapping: FrameMapping) -> tuple[slice, slice]:
    rows, columns = mapping.rows, mapping.columns
    return slice(rows.start, rows.stop), slice(columns.start, columns.stop)


def full_size_scores(scores: NDArray[Any], mapping: FrameMapping) -> NDArray[np.float64]:
    """``(C, seen rows, seen columns)`` float64: bilinear sampling at each pixel that the network saw."""
    full = np.moveaxis(scores.astype(np.float64), 1, -1)
    full = np.moveaxis(_along_last(full, mapping.rows), -1, 1)
    return _along_last(full, mapping.columns)


def _along_last(values: NDArray[np.float64], axis: AxisMapping) -> NDArray[np.float64]:
    points = values.shape[-1]
    grid = np.clip(np.arange(axis.start, axis.stop) * axis.scale + axis.offset, 0, points - 1)
    low = np.floor(grid).astype(np.intp)
    share = grid - low
    return values[..., low] * (1 - share) + values[..., np.minimum(low + 1, points - 1)] * share


def reference_mask(scores: NDArray[Any], mapping: FrameMapping, void: int) -> NDArray[np.uint8]:
    mask = np.full(mapping.frame_size, void, np.uint8)
    mask[seen_part(mapping)] = full_size_scores(scores, mapping).argmax(axis=0)
    return mask


def wrong_pixels(labels: NDArray[np.uint8], scores: NDArray[Any], mapping: FrameMapping, void: int) -> int:
    """How many pixels of a mask are wrong: a label that is beaten by more than the tolerance, or void misplaced."""
    assert labels.dtype == np.uint8
    assert labels.shape == mapping.frame_size
    seen = seen_part(mapping)
    outside = np.ones(labels.shape, bool)
    outside[seen] = False
    wrong = np.count_nonzero(labels[outside] != void)
    full = full_size_scores(scores, mapping)
    winners = labels[seen].astype(np.intp)
    no_class = winners >= len(scores)
    theirs = np.take_along_axis(full, np.where(no_class, 0, winners)[None], axis=0)[0]
    beaten = full.max(axis=0) - theirs > TOLERANCE * np.abs(scores.astype(np.float64)).max()
    return int(wrong + np.count_nonzero(beaten | no_class))
