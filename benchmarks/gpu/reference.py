"""The masks that decoders are held to: those of the plain float64 decoder of the tests, worked out strip by strip."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.ops.geometry import AxisMapping, FrameMapping

__all__ = ["Expected", "expected_masks", "test_module", "wrong_pixels"]

_TESTS = Path(__file__).resolve().parents[2] / "tests"
_STRIP = 64
"""Rows worked out at once: scores of 8K in float64 take 3 GB."""


def test_module(name: str) -> ModuleType:
    """A module of the tests, such as ``ops/dense_reference``, by its path: other packages install "tests" of their own.

    Args:
        name: Its path below ``tests``, without the ending.
    """
    spec = spec_from_file_location(name.rpartition("/")[2], _TESTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_REFERENCE = test_module("ops/dense_reference")
TOLERANCE: float = _REFERENCE.TOLERANCE


@dataclass(frozen=True)
class Expected:
    """What a decoder should make of a batch of scores.

    Attributes:
        masks: ``(N, H, W)`` uint8, the best class of each pixel.
        undecided: ``(N, H, W)`` bool, where another class is as good to within the tolerance.
    """

    masks: NDArray[np.uint8]
    undecided: NDArray[np.bool_]

    def wrong_pixels(self, masks: NDArray[np.uint8], scores: NDArray[Any], mapping: FrameMapping) -> int:
        """How many pixels of ``(N, H, W)`` masks are wrong; where a pixel is undecided, every class as good is right.

        Args:
            masks: What a decoder made.
            scores: Of these ``(N, C, h, w)`` scores.
            mapping: Frame pixels to their grid.
        """
        unlike = masks != self.masks
        wrong = int((unlike & ~self.undecided).sum())
        for image, one in enumerate(scores):
            rows, columns = np.nonzero(unlike[image] & self.undecided[image])
            if len(rows):
                wrong += _beaten(masks[image, rows, columns], one.astype(np.float64), mapping, rows, columns)
        return wrong


def expected_masks(scores: NDArray[Any], mapping: FrameMapping, void: int) -> Expected:
    """The masks of ``(N, C, h, w)`` scores.

    Args:
        scores: float32 or float16.
        mapping: Frame pixels to their grid.
        void: Label of the pixels that the network did not see.
    """
    masks = np.full((len(scores), *mapping.frame_size), void, np.uint8)
    undecided = np.zeros(masks.shape, bool)
    rows, columns = mapping.rows, mapping.columns
    for image, one in enumerate(scores.astype(np.float64)):
        tolerance = TOLERANCE * np.abs(one).max()
        for start in range(rows.start, rows.stop, _STRIP):
            stop = min(start + _STRIP, rows.stop)
            part = replace(mapping, rows=replace(rows, start=start, stop=stop))
            full = _REFERENCE.full_size_scores(one, part)
            best = full.argmax(axis=0)
            seen = (image, slice(start, stop), slice(columns.start, columns.stop))
            masks[seen] = best
            highest = np.take_along_axis(full, best[None], axis=0)[0]
            np.put_along_axis(full, best[None], -np.inf, axis=0)
            undecided[seen] = highest - full.max(axis=0) <= tolerance
    return Expected(masks, undecided)


def wrong_pixels(mask: NDArray[np.uint8], scores: NDArray[Any], mapping: FrameMapping, void: int) -> int:
    """How many pixels of one ``(H, W)`` mask of ``(C, h, w)`` scores are wrong."""
    return expected_masks(scores[None], mapping, void).wrong_pixels(mask[None], scores[None], mapping)


def _beaten(
    labels: NDArray[np.uint8],
    scores: NDArray[np.float64],
    mapping: FrameMapping,
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
) -> int:
    """How many labels of single pixels are beaten by more than the tolerance, or are none of a class."""
    top, bottom, down = _cells(rows, mapping.rows, scores.shape[1])
    left, right, across = _cells(columns, mapping.columns, scores.shape[2])
    upper = scores[:, top, left] * (1 - across) + scores[:, top, right] * across
    lower = scores[:, bottom, left] * (1 - across) + scores[:, bottom, right] * across
    full = upper * (1 - down) + lower * down
    no_class = labels >= len(scores)
    theirs = full[np.where(no_class, 0, labels), np.arange(len(labels))]
    beaten = full.max(axis=0) - theirs > TOLERANCE * np.abs(scores).max()
    return int(np.count_nonzero(beaten | no_class))


def _cells(
    pixels: NDArray[np.intp], axis: AxisMapping, points: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """The cells before and behind pixels, and how far behind the first they lie."""
    grid = np.clip(pixels * axis.scale + axis.offset, 0, points - 1)
    low = np.floor(grid).astype(np.intp)
    return low, np.minimum(low + 1, points - 1), grid - low
