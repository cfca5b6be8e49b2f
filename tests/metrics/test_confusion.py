from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from fcn_edge.metrics.confusion import ConfusionMatrix

Mask = NDArray[np.uint8]


def matrix_of(counts: list[list[int]]) -> ConfusionMatrix:
    """A matrix filled pixel by pixel with the counts of (true, predicted)."""
    matrix = ConfusionMatrix(len(counts))
    for true, row in enumerate(counts):
        for predicted, count in enumerate(row):
            if count:
                matrix.update(np.full((1, count), true, np.uint8), np.full((1, count), predicted, np.uint8))
    return matrix


def test_the_papers_formulas_on_a_hand_made_example() -> None:
    # true pixels 6, 5, 5; predicted 7, 5, 4; right 5, 3, 4
    scores = matrix_of([[5, 1, 0], [2, 3, 0], [0, 1, 4]]).compute()
    assert scores.pixel_accuracy == 12 / 16
    assert scores.mean_accuracy == pytest.approx((5 / 6 + 3 / 5 + 4 / 5) / 3)
    assert scores.per_class == pytest.approx((5 / 8, 3 / 7, 4 / 5))
    assert scores.mean_iou == pytest.approx((5 / 8 + 3 / 7 + 4 / 5) / 3)
    assert scores.fw_iou == pytest.approx((6 * 5 / 8 + 5 * 3 / 7 + 5 * 4 / 5) / 16)


def test_a_class_that_occurs_nowhere_is_left_out_of_the_means() -> None:
    scores = matrix_of([[5, 1, 0], [2, 3, 0], [0, 0, 0]]).compute()
    assert scores.per_class[2] is None
    assert scores.mean_iou == pytest.approx((5 / 8 + 3 / 6) / 2)
    assert scores.mean_accuracy == pytest.approx((5 / 6 + 3 / 5) / 2)


def test_a_class_that_is_only_predicted_is_wrong_where_it_is_and_in_no_mean() -> None:
    scores = matrix_of([[5, 1, 2], [2, 3, 0], [0, 0, 0]]).compute()
    assert scores.per_class[2] is None
    assert scores.mean_iou == pytest.approx((5 / 10 + 3 / 6) / 2)
    assert scores.mean_accuracy == pytest.approx((5 / 8 + 3 / 5) / 2), "a class without true pixels has no accuracy"
    assert scores.classes_present == 2


def test_a_stray_pixel_of_a_class_without_labels_costs_a_pixel_and_not_a_share_of_the_mean() -> None:
    labels = np.zeros((10, 100), np.uint8)
    labels[5:] = 1
    predicted = labels.copy()
    predicted[0, 0] = 2
    clean, stray = (ConfusionMatrix(3).update(labels, mask).compute() for mask in (labels, predicted))
    assert (clean.mean_iou, clean.classes_present) == (1.0, 2)
    assert stray.mean_iou == pytest.approx((499 / 500 + 1) / 2)
    assert stray.classes_present == 2


def test_void_labels_are_ignored_and_unknown_predictions_are_wrong() -> None:
    labels = np.array([[0, 0, 1, 255, 2]], np.uint8)  # 255 and 2 are no class of two
    predictions = np.array([[0, 255, 1, 0, 1]], np.uint8)
    matrix = ConfusionMatrix(2).update(labels, predictions)
    assert matrix.counts.tolist() == [[1, 0], [0, 1]]
    assert matrix.missed.tolist() == [1, 0]
    scores = matrix.compute()
    assert scores.pixel_accuracy == pytest.approx(2 / 3)
    assert scores.per_class == (0.5, 1.0)


def test_only_void_has_no_measures() -> None:
    matrix = ConfusionMatrix(2).update(np.full((3, 3), 255, np.uint8), np.zeros((3, 3), np.uint8))
    with pytest.raises(ValueError, match="void"):
        matrix.compute()


def test_masks_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(3, 2\)"):
        ConfusionMatrix(2).update(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))


def test_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        ConfusionMatrix(1)


def test_reset_forgets() -> None:
    matrix = matrix_of([[1, 2], [3, 4]])
    matrix.update(np.zeros((1, 1), np.uint8), np.full((1, 1), 9, np.uint8))
    matrix.reset()
    assert not matrix.counts.any()
    assert not matrix.missed.any()


def naive(classes: int, labels: Mask, predictions: Mask) -> dict[str, object]:
    """The paper's measures by plain loops over pixels and classes."""
    true, predicted, right = [0] * classes, [0] * classes, [0] * classes
    for label, prediction in zip(labels.ravel().tolist(), predictions.ravel().tolist(), strict=True):
        if label >= classes:
            continue
        true[label] += 1
        if prediction < classes:
            predicted[prediction] += 1
        right[label] += label == prediction
    union = [t + p - r for t, p, r in zip(true, predicted, right, strict=True)]
    iou = [r / u if t else None for r, u, t in zip(right, union, true, strict=True)]
    seen = [value for value in iou if value is not None]
    accuracy = [r / t for r, t in zip(right, true, strict=True) if t]
    return {
        "pixel_accuracy": sum(right) / sum(true),
        "mean_accuracy": sum(accuracy) / len(accuracy),
        "mean_iou": sum(seen) / len(seen),
        "fw_iou": sum(t * (value or 0) for t, value in zip(true, iou, strict=True)) / sum(true),
        "per_class": iou,
    }


@st.composite
def mask_pairs(draw: st.DrawFn) -> tuple[int, Mask, Mask]:
    classes = draw(st.integers(2, 12))
    shape = (draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    values = st.one_of(st.integers(0, classes - 1), st.sampled_from([classes, 254, 255]))
    labels = draw(arrays(np.uint8, shape, elements=values))
    labels[0, 0] = draw(st.integers(0, classes - 1))  # at least one pixel counts
    return classes, labels, draw(arrays(np.uint8, shape, elements=values))


@settings(deadline=None)
@given(mask_pairs())
def test_agrees_with_plain_loops(pair: tuple[int, Mask, Mask]) -> None:
    classes, labels, predictions = pair
    scores, expected = (
        ConfusionMatrix(classes).update(labels, predictions).compute(),
        naive(classes, labels, predictions),
    )
    for name in ("pixel_accuracy", "mean_accuracy", "mean_iou", "fw_iou"):
        assert getattr(scores, name) == pytest.approx(expected[name]), name
        assert 0 <= getattr(scores, name) <= 1
    for found, wanted in zip(scores.per_class, expected["per_class"], strict=True):  # type: ignore[call-overload]
        assert (found is None) == (wanted is None)
        assert found is None or math.isclose(found, wanted)


@settings(deadline=None)
@given(mask_pairs(), st.integers(1, 5))
def test_parts_merge_to_the_whole(pair: tuple[int, Mask, Mask], cut: int) -> None:
    classes, labels, predictions = pair
    whole = ConfusionMatrix(classes).update(labels, predictions)
    parts = [ConfusionMatrix(classes).update(labels[rows], predictions[rows]) for rows in (np.s_[:cut], np.s_[cut:])]
    merged = ConfusionMatrix(classes).merge(parts)
    assert (merged.counts == whole.counts).all()
    assert (merged.missed == whole.missed).all()


@settings(deadline=None)
@given(mask_pairs())
def test_the_truth_scores_one(pair: tuple[int, Mask, Mask]) -> None:
    classes, labels, _ = pair
    scores = ConfusionMatrix(classes).update(labels, labels).compute()
    assert scores.pixel_accuracy == scores.mean_accuracy == scores.mean_iou == scores.fw_iou == 1


def test_255_classes_fit() -> None:
    labels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    matrix = ConfusionMatrix(255).update(labels, labels)
    assert matrix.counts.sum() == 255
    assert (np.diag(matrix.counts) == 1).all()
