from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcn_edge.artifacts.spec import Resize
from fcn_edge.errors import ModelError, UsageError
from fcn_edge.ops import confidence as confidence_module
from fcn_edge.ops.confidence import decode_with_confidence
from fcn_edge.ops.decode import decode
from fcn_edge.ops.geometry import placement

from .dense_reference import full_size_scores, seen_part

VOID = 255
ROI = Resize(policy="roi", roi=(0.2, 0.1, 0.9, 0.8))


def noise(seed: int, shape: tuple[int, ...], size: float = 3) -> np.ndarray:
    return (size * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


@settings(deadline=None, derandomize=True, max_examples=20)
@given(
    frame=st.tuples(st.integers(4, 120), st.integers(4, 120)),
    stride=st.sampled_from([8, 16, 32]),
    resize=st.sampled_from([Resize(), Resize(policy="stretch"), ROI]),
    classes=st.integers(2, 20),
    seed=st.integers(0, 1 << 30),
)
def test_labels_are_those_of_decode_and_confidence_is_their_softmax(frame, stride, resize, classes, seed):
    mapping = placement(frame, (96, 64), resize).mapping(stride)
    scores = noise(seed, (classes, 96 // stride, 64 // stride))
    labels, confidence = decode_with_confidence(scores, mapping, VOID)
    np.testing.assert_array_equal(labels, decode(scores, mapping, VOID))
    assert confidence.dtype == np.float32
    exponentials = np.exp(full_size_scores(scores, mapping))
    expected = np.zeros(frame)
    expected[seen_part(mapping)] = exponentials.max(axis=0) / exponentials.sum(axis=0)
    np.testing.assert_allclose(confidence, expected, rtol=1e-4, atol=1e-6)


def test_bands_of_rows_join(monkeypatch):
    mapping, scores = placement((50, 60), (64, 96), ROI).mapping(8), noise(1, (5, 8, 12))
    whole = decode_with_confidence(scores, mapping, VOID)[1]
    monkeypatch.setattr(confidence_module, "_SCORES_AT_ONCE", 1)
    np.testing.assert_array_equal(decode_with_confidence(scores, mapping, VOID)[1], whole)


def test_pixels_below_the_threshold_become_void():
    mapping, scores = placement((50, 60), (64, 96), ROI).mapping(8), noise(1, (5, 8, 12))
    sure, confidence = decode_with_confidence(scores, mapping, VOID)
    labels, same = decode_with_confidence(scores, mapping, VOID, unknown_below=0.6)
    np.testing.assert_array_equal(same, confidence)
    np.testing.assert_array_equal(labels, np.where(confidence < 0.6, VOID, sure))
    assert 0 < np.count_nonzero(labels[seen_part(mapping)] == VOID) < labels.size // 2
    np.testing.assert_array_equal(decode_with_confidence(scores, mapping, VOID, unknown_below=0)[0], sure)


def test_far_apart_scores_are_certain():
    mapping, scores = placement((50, 60), (64, 96), Resize()).mapping(8), np.zeros((3, 8, 12), np.float16)
    scores[1] = 60000
    labels, confidence = decode_with_confidence(scores, mapping, VOID)
    assert (labels == 1).all()
    assert (confidence == 1).all()


@pytest.mark.parametrize("threshold", [-0.1, 1.5, float("nan")])
def test_a_threshold_that_is_no_probability_is_refused(threshold):
    mapping = placement((50, 60), (64, 96), Resize()).mapping(8)
    with pytest.raises(UsageError, match="0 to 1"):
        decode_with_confidence(noise(1, (3, 8, 12)), mapping, VOID, threshold)


def test_nan_is_refused():
    mapping = placement((50, 60), (64, 96), Resize()).mapping(8)
    with pytest.raises(ModelError, match="NaN"):
        decode_with_confidence(np.full((3, 8, 12), np.nan, np.float32), mapping, VOID)
