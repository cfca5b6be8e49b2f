"""Class scores at the decoder's stride to a mask in frame pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.errors import ModelError
from fcn_edge.ops.border import paint_border_cells
from fcn_edge.ops.geometry import FrameMapping
from fcn_edge.ops.sampling import AxisCells, axis_cells

__all__ = ["checked_scores", "decode", "not_finite"]

_MOST_CLASSES = 255
_LARGEST = 2.0**125
"""Scores beyond this could overflow float32 when one is taken from another."""


def decode(scores: NDArray[Any], mapping: FrameMapping, void: int) -> NDArray[np.uint8]:
    """The mask: bilinear sampling of the scores at each frame pixel, argmax, lowest id on a tie.

    The last upsampling of an FCN (Long, Shelhamer and Darrell 2015) and the argmax in one step, without the scores at
    full size. Interpolated scores are a convex combination of the four around a pixel: where those share their best
    class, all pixels between them have it. (With ties: the lower ids are less at all four corners, the higher ids are
    not more, so the same holds between them.) The other cells, those on a class border, are evaluated in float32.

    Args:
        scores: ``(C, h, w)`` float32 or float16, 1 to 255 classes, the rows and columns of ``mapping``'s grid.
        mapping: Frame pixels to grid coordinates.
        void: Value of the pixels that the network did not see.

    Returns:
        ``(H, W)`` uint8 class ids, C-contiguous.

    Raises:
        ModelError: The scores hold NaN or infinity, or are not ``(C, h, w)``.
    """
    scores = checked_scores(scores)
    rows, columns = axis_cells(mapping.rows, scores.shape[1]), axis_cells(mapping.columns, scores.shape[2])
    best = _best_class(scores)
    upper, lower = best[rows.low], best[rows.high]
    top_left = upper[:, columns.low]
    same = (top_left == upper[:, columns.high]) & (top_left == lower[:, columns.low])
    same &= top_left == lower[:, columns.high]

    labels = np.full(mapping.frame_size, void, np.uint8)
    seen = np.s_[mapping.rows.start : mapping.rows.stop, mapping.columns.start : mapping.columns.stop]
    np.take(top_left.take(columns.cell_of, axis=1), rows.cell_of, axis=0, out=labels[seen], mode="clip")
    if not same.all():
        paint_border_cells(labels, scores, best, ~same, rows, columns)
        _repeat_outermost(labels[seen], mapping, rows, columns)
    return labels


def checked_scores(scores: NDArray[Any]) -> NDArray[np.float32]:
    """The scores as contiguous float32, of a range in which differences are finite.

    Args:
        scores: ``(C, h, w)``, any real type.

    Raises:
        ModelError: They hold NaN or infinity, or are not ``(C, h, w)``.
    """
    if scores.ndim != 3 or not 1 <= scores.shape[0] <= _MOST_CLASSES or 0 in scores.shape:
        raise ModelError(
            f"The scores have the shape {scores.shape}; (classes, rows, columns) with up to {_MOST_CLASSES} classes "
            "was expected.",
            "Export the model again with fcn-edge export --head scores.",
        )
    scores = np.ascontiguousarray(scores, np.float32)
    largest = max(float(scores.max()), -float(scores.min()))
    if not np.isfinite(largest):
        raise not_finite()
    return scores if largest < _LARGEST else scores * np.float32(0.125)


def not_finite() -> ModelError:
    """The error that says that scores hold NaN or infinity."""
    return ModelError(
        "The scores hold NaN or infinity; finite numbers were expected.",
        "An FP16 model may have overflowed: build it with --precision fp32, or export the checkpoint again.",
    )


def _best_class(scores: NDArray[np.float32]) -> NDArray[np.uint8]:
    # a running maximum goes along memory; argmax over the first axis does not
    most, best = scores[0].copy(), np.zeros(scores.shape[1:], np.uint8)
    for index in range(1, len(scores)):
        better = (scores[index] > most).view(np.uint8)
        np.maximum(best, better * np.uint8(index), out=best)
        np.maximum(most, scores[index], out=most)
    return best


def _repeat_outermost(seen: NDArray[np.uint8], mapping: FrameMapping, rows: AxisCells, columns: AxisCells) -> None:
    top, bottom = rows.first - mapping.rows.start, rows.stop - mapping.rows.start
    left, right = columns.first - mapping.columns.start, columns.stop - mapping.columns.start
    seen[top:bottom, :left] = seen[top:bottom, left : left + 1]
    seen[top:bottom, right:] = seen[top:bottom, right - 1 : right]
    seen[:top] = seen[top]
    seen[bottom:] = seen[bottom - 1]
