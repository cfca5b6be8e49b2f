from __future__ import annotations

import numpy as np
import pytest

from fcn_edge.artifacts.spec import Resize
from fcn_edge.ops.geometry import placement
from fcn_edge.ops.nearest import nearest


def test_a_mask_of_the_frame_size_is_itself():
    labels = np.random.default_rng(0).integers(0, 9, (64, 96), np.uint8)
    mapping = placement((64, 96), (64, 96), Resize()).mapping(1)
    np.testing.assert_array_equal(nearest(labels, mapping, 255), labels)


@pytest.mark.parametrize("factor", [2, 3])
def test_a_larger_frame_repeats_pixels(factor):
    labels = np.random.default_rng(0).integers(0, 9, (32, 64), np.uint8)
    mapping = placement((32 * factor, 64 * factor), (32, 64), Resize()).mapping(1)
    np.testing.assert_array_equal(nearest(labels, mapping, 255), labels.repeat(factor, 0).repeat(factor, 1))


def test_pixels_outside_the_region_are_void():
    mapping = placement((40, 50), (32, 32), Resize(policy="roi", roi=(0.5, 0.2, 1.0, 0.8))).mapping(1)
    labels = nearest(np.zeros((32, 32), np.uint8), mapping, 7)
    expected = np.full((40, 50), 7)
    expected[20:, 10:40] = 0
    np.testing.assert_array_equal(labels, expected)
