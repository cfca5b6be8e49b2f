"""Geometry in numbers against the arithmetic of the layers that it stands for."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from fcn_edge.artifacts.geometry import Geometry, GridAxis

CAFFE = {
    32: Geometry(align="stride", first=(12.5, 12.5), padding=198, unit=32, extra_cells=-6, size_multiple=1),
    16: Geometry(align="stride", first=(-11.5, -11.5), padding=198, unit=32, extra_cells=-10, size_multiple=1),
    8: Geometry(align="stride", first=(-23.5, -23.5), padding=198, unit=32, extra_cells=-18, size_multiple=1),
}


def caffe_grid(side: int, stride: int) -> tuple[int, float]:
    """Cells of a Caffe FCN and the center of its first, layer by layer, as voc-fcn32s, 16s and 8s have them."""
    cells, first, step = side + 2 * 100 - 2, -99.0, 1  # conv1_1: 3x3, padded by 100
    centers = {}
    for _ in range(5):  # pool1 to pool5: 2x2, ceil mode; the convolutions between them keep the size
        cells, first, step = math.ceil(cells / 2), first + step / 2, 2 * step
        centers[step] = first
    cells, first = cells - 6, first + 3 * step  # fc6: 7x7
    for finer, crop in ((16, 5), (8, 9)):
        if stride > finer:
            break
        cells = 2 * (cells - 1) + 4  # a deconvolution of 4 with stride 2
        first, step = centers[finer] + crop * finer, finer  # the pooled scores are cropped to fit
    return cells, first


@pytest.mark.parametrize("stride", [32, 16, 8])
def test_caffe_networks(stride: int) -> None:
    geometry = CAFFE[stride]
    for side in range(1, 700):
        cells, first = caffe_grid(side, stride)
        assert geometry.cells(side, stride) == cells
        assert geometry.first == (first, first)
    axis = geometry.rows(500, stride)
    assert axis == geometry.columns(375, stride)
    assert (first + 3 * stride + 0.5) / axis.step + axis.shift == pytest.approx(3)


@pytest.mark.parametrize("stride", [4, 8, 12, 16, 32])
def test_own_networks_have_square_cells_edge_to_edge(stride: int) -> None:
    for cells in (1, 2, 15, 60):
        assert Geometry().cells(cells * stride, stride) == cells
        assert Geometry().rows(cells * stride, stride) == GridAxis(float(stride), -0.5)


def test_cells_share_a_side_that_they_do_not_divide() -> None:
    """As in torchvision: strided convolutions round up, and the scores are resized to the image."""
    assert Geometry().cells(525, 8) == 66
    assert Geometry().rows(525, 8) == GridAxis(525 / 66, -0.5)


def test_rounding_down_is_less_padding() -> None:
    geometry = Geometry(padding=-15, unit=16)
    for side in range(16, 200):
        assert geometry.cells(side, 8) == 2 * (side // 16)


def test_corners_lie_on_corners() -> None:
    geometry = Geometry(align="corners", padding=198, unit=32, extra_cells=-6)
    rows, cells = geometry.rows(480, 32), geometry.cells(480, 32)
    assert 0.5 / rows.step + rows.shift == pytest.approx(0, abs=1e-12)
    assert 479.5 / rows.step + rows.shift == pytest.approx(cells - 1)


@pytest.mark.parametrize("side", [1, 32])
def test_a_single_cell_is_everywhere(side: int) -> None:
    geometry = Geometry(align="corners", size_multiple=1)
    axis = geometry.rows(side, 32)
    assert axis.step > 0
    assert 0.5 / axis.step + axis.shift == pytest.approx(0, abs=1e-12)


def test_margin_is_what_an_uncropped_deconvolution_adds() -> None:
    """Keras' fcn_8: 16 wide with stride 8 on 12 cells gives 104 pixels, which are resized to 96."""
    axis = Geometry(margin=0.5).rows(96, 8)
    for pixel in (0, 1, 50, 95):
        before = (pixel + 0.5) * 104 / 96 - 0.5
        assert (pixel + 0.5) / axis.step + axis.shift == pytest.approx((before - 7.5) / 8)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"align": "stride"}, "first cell belongs"),
        ({"first": (0, 0)}, "first cell belongs"),
        ({"align": "corners", "margin": 0.5}, "margin belongs"),
        ({"margin": -1}, "margin"),
        ({"unit": 0}, "unit"),
        ({"size_multiple": 0}, "size_multiple"),
        ({"align": "stride", "first": (0, math.inf)}, "first"),
        ({"crop": 19}, "crop"),
    ],
)
def test_numbers_that_make_no_sense(numbers: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Geometry.model_validate(numbers)
