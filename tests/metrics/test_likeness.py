from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.metrics.confusion import ConfusionMatrix
from fcn_edge.metrics.likeness import RARE, likeness_of


def of_masks(before: NDArray[np.uint8], after: NDArray[np.uint8], classes: int = 21) -> ConfusionMatrix:
    return ConfusionMatrix(classes).update(before.astype(np.uint8), after.astype(np.uint8))


def mask(*shares: float) -> NDArray[np.uint8]:
    """10,000 pixels: shares of the classes 1, 2, ..., and 0 for the rest."""
    counts = [round(10_000 * share) for share in shares]
    classes = np.repeat(np.arange(1, len(counts) + 1, dtype=np.uint8), counts)
    return np.concatenate([np.zeros(10_000 - len(classes), np.uint8), classes]).reshape(100, 100)


def test_without_rare_classes_it_is_the_mean_iu() -> None:
    before = mask(0.3, 0.2)
    after = np.where(before == 2, 1, before).astype(np.uint8)
    matrix = of_masks(before, after)
    found = likeness_of(matrix)
    assert found is not None
    assert found.mean_iou == pytest.approx(matrix.compute().mean_iou) == pytest.approx((1 + 0.3 / 0.5 + 0) / 3)
    assert found.remark == ""


def test_rare_classes_count_together_as_one() -> None:
    """By their intersections and unions: to take one for another is no better than to lose both."""
    before = mask(0.008, 0.008)
    swapped = np.array([0, 2, 1], np.uint8)[before]
    for after, iou in ((before, 1.0), (swapped, 0.0), (np.where(before == 2, 0, before), 80 / 160)):
        found = likeness_of(of_masks(before, after))
        assert found is not None
        assert found.mean_iou == pytest.approx((likely_rest(before, after) + iou) / 2)
        assert found.remark == ", 2 rare classes taken together"


def likely_rest(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> float:
    """IU of class 0."""
    return float(np.sum((before == 0) & (after == 0)) / np.sum((before == 0) | (after == 0)))


def test_a_background_alone_is_not_like_a_mask_with_things() -> None:
    """A network of 21 classes finds three of them in a street, each in less than a hundredth of the pixels."""
    before = mask(0.009, 0.009, 0.008)
    found = likeness_of(of_masks(before, np.zeros_like(before)))
    assert found is not None
    assert found.mean_iou == pytest.approx(0.974 / 2)


@pytest.mark.parametrize(("share", "counted"), [(RARE - 0.0002, False), (RARE, True)])
def test_what_is_rare_together_too_is_left_out(share: float, counted: bool) -> None:
    before = mask(share / 2, share / 2)
    found = likeness_of(of_masks(before, np.zeros_like(before)))
    assert found is not None
    assert (found.mean_iou < 0.6) is counted
    assert found.remark == (", 2 rare classes taken together" if counted else ", without 2 rare classes")


def test_many_classes_that_are_all_rare() -> None:
    before = np.repeat(np.arange(125, dtype=np.uint8), 80).reshape(100, 100)
    for after, iou in ((before, 1.0), ((before + 1) % 125, 0.0)):
        found = likeness_of(of_masks(before, after, 150))
        assert found is not None
        assert (found.mean_iou, found.remark) == (iou, ", 125 rare classes taken together")


def test_no_class_anywhere_is_no_likeness() -> None:
    nothing = np.full((4, 4), 255, np.uint8)
    assert likeness_of(of_masks(nothing, np.zeros((4, 4), np.uint8))) is None


def test_a_pixel_that_becomes_no_class_is_wrong() -> None:
    before = mask(0.5)
    after = np.where(before == 1, 255, before)
    found = likeness_of(of_masks(before, after))
    assert found is not None
    assert found.mean_iou == pytest.approx(0.5)
