from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcn_edge.ops.geometry import AxisMapping
from fcn_edge.ops.sampling import LONGEST_PIECE, axis_cells, axis_samples


@st.composite
def axes(draw: st.DrawFn) -> AxisMapping:
    length = draw(st.integers(1, 200))
    start = draw(st.integers(0, length - 1))
    stop = draw(st.integers(start + 1, length))
    return AxisMapping(draw(st.floats(0.002, 3)), draw(st.floats(-30, 30)), length, start, stop)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(axis=axes(), points=st.integers(1, 30))
def test_cells_and_samples_say_the_same_of_every_pixel(axis, points):
    samples, cells = axis_samples(axis, points), axis_cells(axis, points)
    assert axis.start <= cells.first < cells.stop <= axis.stop
    assert set(cells.pixels.ravel()) == set(range(cells.first, cells.stop))
    assert len(cells.pixels) <= LONGEST_PIECE
    values = np.random.default_rng(0).standard_normal(points).astype(np.float32)
    dense = values[samples.low] + (values[samples.high] - values[samples.low]) * samples.weight
    by_cell = values[cells.low] + (values[cells.high] - values[cells.low]) * cells.weights
    np.testing.assert_array_equal(by_cell, dense[cells.pixels - axis.start])
    outermost = np.clip(np.arange(axis.start, axis.stop), cells.first, cells.stop - 1) - axis.start
    np.testing.assert_array_equal(dense, dense[outermost])
    inside = cells.cell_of[cells.first - axis.start : cells.stop - axis.start]
    assert (cells.pixels[:, inside] == np.arange(cells.first, cells.stop)).any(axis=0).all()


def test_a_regular_mapping_makes_cells_of_equal_length():
    cells = axis_cells(AxisMapping(1 / 8, 0.5 / 8 - 0.5, 64, 0, 64), 8)
    assert (cells.first, cells.stop) == (3, 61)
    assert cells.pixels.shape == (8, 9)  # seven cells between eight points, and one pixel for each end
    assert cells.low.tolist() == [0, 0, 1, 2, 3, 4, 5, 6, 7]
    assert cells.high.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 7]


def test_large_cells_are_cut_evenly():
    cells = axis_cells(AxisMapping(0.05, 0, 41, 0, 41), 3)
    assert cells.pixels.shape == (10, 5)
    assert cells.low.tolist() == [0, 0, 1, 1, 2]


@pytest.mark.parametrize("made", [axis_cells, axis_samples])
def test_what_is_kept_cannot_be_written_to(made):
    axis = AxisMapping(0.1, 0, 50, 0, 50)
    kept = made(axis, 5)
    assert made(AxisMapping(0.1, 0, 50, 0, 50), 5) is kept
    with pytest.raises(ValueError, match="read-only"):
        kept.low[0] = 1
