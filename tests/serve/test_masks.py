"""Masks as browsers get them."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.serve.masks import packed_mask


def unpacked(packed: bytes) -> NDArray[np.uint8]:
    height, width = struct.unpack_from("<HH", packed)
    return np.frombuffer(zlib.decompress(packed[4:], -15), np.uint8).reshape(height, width)


def test_a_mask_comes_out_as_it_went_in() -> None:
    labels = np.random.default_rng(0).integers(0, 256, (48, 64), np.uint8)
    assert np.array_equal(unpacked(packed_mask(labels)), labels)


def test_part_of_a_larger_array_too() -> None:
    labels = np.arange(64 * 48, dtype=np.uint8).reshape(48, 64)[::2, 3:40]
    assert np.array_equal(unpacked(packed_mask(labels)), labels)


@pytest.mark.parametrize(
    ("size", "small"), [((1080, 1920), (360, 640)), ((1280, 720), (640, 360)), ((1, 5000), (1, 640))]
)
def test_a_large_one_is_made_smaller_by_nearest_neighbor(size: tuple[int, int], small: tuple[int, int]) -> None:
    labels = np.zeros(size, np.uint8)
    labels[:, size[1] // 2 :] = 7
    found = unpacked(packed_mask(labels))
    assert found.shape == small
    assert np.array_equal(np.unique(found), [0, 7])
    assert not found[:, : small[1] // 2].any()
    assert found[:, small[1] // 2 :].all()


def test_a_mask_of_a_street_is_small() -> None:
    labels = np.repeat(np.arange(12, dtype=np.uint8), 40)[:, None].repeat(640, 1)
    assert len(packed_mask(labels)) < labels.size / 100
