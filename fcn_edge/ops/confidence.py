"""How sure the network is of each pixel of a mask."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.errors import UsageError
from fcn_edge.ops.decode import checked_scores, decode
from fcn_edge.ops.geometry import FrameMapping
from fcn_edge.ops.sampling import AxisSamples, axis_samples

__all__ = ["decode_with_confidence"]

_SCORES_AT_ONCE = 1 << 20


def decode_with_confidence(
    scores: NDArray[Any], mapping: FrameMapping, void: int, unknown_below: float | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The mask of ``decode`` and the probability of each of its labels.

    The probability is the softmax of the interpolated scores, in the manner of Hendrycks and Gimpel 2017 ("A baseline
    for detecting misclassified and out-of-distribution examples"). All scores are made at full size for it, some rows
    at a time, so this takes many times as long as ``decode``.

    Args:
        scores: ``(C, h, w)`` float32 or float16, the rows and columns of ``mapping``'s grid.
        mapping: Frame pixels to grid coordinates.
        void: Value of the pixels that the network did not see.
        unknown_below: Pixels whose label is less probable than this become ``void``; 0 to 1.

    Returns:
        ``(H, W)`` uint8 class ids and ``(H, W)`` float32 probabilities, 0 where the network did not see.

    Raises:
        ModelError: The scores hold NaN or infinity, or are not ``(C, h, w)``.
        UsageError: ``unknown_below`` is not in 0 to 1.
    """
    if unknown_below is not None and not 0 <= unknown_below <= 1:
        raise UsageError(f"The confidence threshold is {unknown_below}; a probability of 0 to 1 was expected.")
    scores = checked_scores(scores)
    labels = decode(scores, mapping, void)
    rows, columns = axis_samples(mapping.rows, scores.shape[1]), axis_samples(mapping.columns, scores.shape[2])
    seen = np.s_[mapping.rows.start : mapping.rows.stop, mapping.columns.start : mapping.columns.stop]
    confidence = np.zeros(mapping.frame_size, np.float32)
    winners, probabilities = labels[seen], confidence[seen]
    band = max(1, _SCORES_AT_ONCE // (len(scores) * len(columns.low)))
    for top in range(0, len(winners), band):
        part = slice(top, top + band)
        probabilities[part] = _probability(_full_size(scores, rows, part, columns), winners[part])
    if unknown_below is not None:
        labels[confidence < unknown_below] = void
    return labels, confidence


def _full_size(
    scores: NDArray[np.float32], rows: AxisSamples, part: slice, columns: AxisSamples
) -> NDArray[np.float32]:
    above = scores[:, rows.low[part]]
    wide = above + (scores[:, rows.high[part]] - above) * rows.weight[part, None]
    before = wide[..., columns.low]
    full: NDArray[np.float32] = before + (wide[..., columns.high] - before) * columns.weight
    return full


def _probability(full: NDArray[np.float32], winners: NDArray[np.uint8]) -> NDArray[np.float32]:
    full -= full.max(axis=0)
    np.exp(full, out=full)
    winning = np.take_along_axis(full, winners[None].astype(np.intp), axis=0)[0]
    probability: NDArray[np.float32] = winning / full.sum(axis=0)
    return probability
