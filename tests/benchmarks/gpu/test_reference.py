"""The masks of the GPU check's references, and how masks are held to them."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fcn_edge.artifacts.spec import Resize
from fcn_edge.ops.geometry import FrameMapping, placement

from ...ops.dense_reference import reference_mask, wrong_pixels

VOID = 255


@pytest.fixture
def reference(gpu_check: ModuleType) -> ModuleType:
    return import_module("gpu.reference")


def case(seed: int, dtype: Any = np.float32, resize: Resize | None = None) -> tuple[Any, FrameMapping]:
    mapping = placement((150, 101), (64, 96), resize or Resize()).mapping(8)
    return np.random.default_rng(seed).normal(size=(2, 7, 8, 12)).astype(dtype), mapping


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("resize", [Resize(), Resize(policy="roi", roi=(0.25, 0.1, 0.9, 0.8))])
def test_strips_make_the_plain_decoder_s_masks(reference: ModuleType, dtype: Any, resize: Resize) -> None:
    scores, mapping = case(0, dtype, resize)
    expected = reference.expected_masks(scores, mapping, VOID)
    for mask, one in zip(expected.masks, scores, strict=True):
        np.testing.assert_array_equal(mask, reference_mask(one, mapping, VOID))
    assert expected.wrong_pixels(expected.masks, scores, mapping) == 0


def test_wrong_pixels_are_those_that_the_plain_decoder_counts(reference: ModuleType) -> None:
    scores, mapping = case(1)
    scores[:, 3] = scores[:, 2]  # as good as each other wherever they win
    random = np.random.default_rng(2)
    expected = reference.expected_masks(scores, mapping, VOID)
    assert 0.1 < expected.undecided.mean() < 0.5
    masks = expected.masks.copy()
    masks[masks == 2] = 3
    assert expected.wrong_pixels(masks, scores, mapping) == 0
    spoiled = random.random(masks.shape) < 0.02
    masks[spoiled] = random.choice([0, 1, 2, 3, 4, 5, 6, 7, 200, VOID], spoiled.sum())
    counted = sum(wrong_pixels(mask, one, mapping, VOID) for mask, one in zip(masks, scores, strict=True))
    assert expected.wrong_pixels(masks, scores, mapping) == counted > 100
