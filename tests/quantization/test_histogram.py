from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fcn_edge.quantization import histogram as module
from fcn_edge.quantization.histogram import BINS, Histogram

Floats = NDArray[np.float32]


def of(*pieces: Floats) -> Histogram:
    histogram = Histogram()
    for piece in pieces:
        histogram.add(piece)
    return histogram


def same(one: Histogram, other: Histogram) -> bool:
    fields = ("zeros", "total", "low", "high", "reach")
    return np.array_equal(one.counts, other.counts) and all(getattr(one, x) == getattr(other, x) for x in fields)


quickly = settings(max_examples=60, deadline=None, derandomize=True)


@st.composite
def values(draw: st.DrawFn) -> list[float]:
    """Values of any magnitude, and such as lie on the edges of bins or just beside them."""
    magnitude = st.floats(2.0**-30, 2.0**30, width=32)
    edge = st.builds(lambda count, power: count * 2.0**power, st.integers(1, 4096), st.integers(-20, 8))
    beside = st.builds(
        lambda value, up: float(np.nextafter(np.float32(value), np.float32(np.inf if up else 0))), edge, st.booleans()
    )
    near = st.builds(lambda value, off: value * (1 - off), edge, st.floats(1e-7, 1e-3))
    signed = st.builds(lambda value, sign: value * sign, magnitude | edge | beside | near, st.sampled_from([1, -1]))
    return draw(st.lists(signed | st.just(0.0), min_size=1, max_size=40))


@quickly
@given(values(), st.randoms(use_true_random=False), st.integers(1, 7))
def test_neither_order_nor_pieces_matter(numbers: list[float], random, length: int) -> None:
    whole = of(np.array(numbers, np.float32))
    random.shuffle(numbers)
    shuffled = np.array(numbers, np.float32)
    assert same(whole, of(*(shuffled[start : start + length] for start in range(0, len(numbers), length))))


def test_value_just_below_an_edge_stays_below_it_when_bins_are_merged() -> None:
    """Such a one would be rounded up across the edge if half the bins were added before taking the floor."""
    near, far = np.float32([(4 - 0.75 * 2**-12) / 2048, 0.9]), np.float32([1.5])
    assert same(of(near, far), of(far, near))


@quickly
@given(values())
def test_counts_are_those_of_exact_arithmetic(numbers: list[float]) -> None:
    array = np.array(numbers, np.float32)
    histogram = of(array)
    exact = array.astype(np.float64)
    assert -histogram.reach <= exact.min()
    assert exact.max() < histogram.reach
    bins = np.floor(exact[exact != 0] * BINS / (2 * histogram.reach)).astype(int) + BINS // 2
    assert np.array_equal(histogram.counts, np.bincount(bins, minlength=BINS))
    assert histogram.zeros == np.count_nonzero(exact == 0)
    assert histogram.total == len(numbers)
    assert (histogram.low, histogram.high) == (exact.min(), exact.max())


@quickly
@given(values())
def test_a_quarter_of_the_bins_lies_within_the_largest_value(numbers: list[float]) -> None:
    most = max(abs(number) for number in numbers)
    histogram = of(np.array(numbers, np.float32))
    if most >= 2.0**-24:
        assert most / (2 * histogram.reach / BINS) >= BINS / 4


def test_zeros_of_either_sign_are_counted_apart() -> None:
    histogram = of(np.float32([0.0, -0.0, 1.0, -1.0]))
    assert (histogram.zeros, histogram.total, int(histogram.counts.sum())) == (2, 4, 2)
    assert of(np.zeros((3, 4), np.float32)).counts.sum() == 0


def test_magnitudes_fold_the_negative_half_over_the_positive_one() -> None:
    assert np.array_equal(
        of(np.float32([-1.51, 0.3, -0.7])).magnitudes(), of(np.float32([1.51, 0.3, 0.7])).magnitudes()
    )


def test_centers_are_within_half_a_bin_of_the_values() -> None:
    array = np.linspace(-3, 3, 100, dtype=np.float32)
    for value in array:
        histogram = of(np.float32([value]), np.float32([3.5]))
        found = histogram.centers()[np.flatnonzero(histogram.counts)[0]]
        assert abs(found - value) <= histogram.reach / BINS


def test_rms_is_that_of_the_values() -> None:
    array = np.random.default_rng(0).normal(0.3, 2, 50_000).astype(np.float32)
    array[::3] = 0
    assert of(array).rms() == pytest.approx(float(np.sqrt(np.mean(array.astype(np.float64) ** 2))), rel=1e-3)
    assert of(np.zeros(5, np.float32)).rms() == 0


def test_large_arrays_are_binned_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.random.default_rng(0).normal(0, 1, (7, 11, 13)).astype(np.float32)
    whole = of(array)
    monkeypatch.setattr(module, "_PIECE", 10)
    assert same(whole, of(array))


def test_memory_does_not_grow_with_the_number_of_values() -> None:
    def memory(histogram: Histogram) -> int:
        return sum(sys.getsizeof(value) for name, value in vars(histogram).items() if name != "counts") + (
            histogram.counts.nbytes
        )

    array = np.random.default_rng(0).normal(0, 1, 1000).astype(np.float32)
    once, often = of(array), of(*[array * 1.5**power for power in range(30)])
    assert set(vars(once)) == set(vars(often))
    assert memory(often) <= memory(once) + 16
