from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fcn_edge.artifacts.calibration_table import METHODS
from fcn_edge.quantization.histogram import Histogram
from fcn_edge.quantization.thresholds import TAIL, clipping_of

RANDOM = np.random.default_rng(0)
NORMAL = RANDOM.normal(0, 1, 200_000)
TENSORS = {
    "all zero": np.zeros(100),
    "one value": np.full(100, 3.7),
    "one negative value": np.full(100, -0.02),
    "a single element": np.array([5.0]),
    "all positive": RANDOM.uniform(2, 3, 10_000),
    "all negative": RANDOM.uniform(-3, -2, 10_000),
    "after a ReLU": np.maximum(NORMAL, 0),
    "after a ReLU6": np.clip(3 * NORMAL, 0, 6),
    "normal": NORMAL,
    "mostly zero": np.where(RANDOM.random(200_000) < 0.00002, 9.0, 0.0),
    "tiny": 1e-7 * NORMAL,
    "huge": 1e6 * NORMAL,
}


def clipping(values: NDArray[np.floating], method: str):
    histogram = Histogram()
    histogram.add(np.asarray(values, np.float32))
    return clipping_of(histogram, method)


def quantized(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """256 levels from low to high, one of them at zero; written down independently of the package."""
    scale = (high - low) / 255
    first = round(low / scale)
    return np.clip(np.round(values / scale), first, first + 255) * scale


def symmetric(values: NDArray[np.float64], amax: float) -> NDArray[np.float64]:
    scale = amax / 127
    return np.clip(np.round(values / scale), -127, 127) * scale


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("values", TENSORS.values(), ids=TENSORS)
def test_ranges_hold_zero_and_lie_within_the_tensor(values: NDArray[np.float64], method: str) -> None:
    found = clipping(values, method)
    low, high = min(0.0, values.min()), max(0.0, values.max())
    assert low - 1e-6 * abs(low) <= found.low <= 0 <= found.high <= high + 1e-6 * high
    assert 0 <= found.amax <= max(-low, high) * (1 + 1e-6)
    assert (found.amax > 0) == bool(values.any())


def test_minmax_clips_nothing() -> None:
    found = clipping(np.array([-0.5, 0.25, 2.0]), "minmax")
    assert (found.low, found.high, found.amax) == (-0.5, 2.0, 2.0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [3.7, -3.7, 1024.0, 1e-3])
def test_one_value_is_held(value: float, method: str) -> None:
    found = clipping(np.full(1000, value), method)
    assert quantized(np.array([value]), found.low, found.high)[0] == pytest.approx(value, rel=0.01)
    assert symmetric(np.array([value]), found.amax)[0] == pytest.approx(value, rel=0.01)


def test_percentile_clips_its_share_at_each_end() -> None:
    values = np.concatenate([np.linspace(-1, 3, 1_000_000), np.zeros(1_000_000)])
    found = clipping(values, "percentile")
    width = 8 / 4096
    below, above = np.mean(values < found.low), np.mean(values > found.high)
    for clipped in (below, above):
        assert TAIL - width / 4 / 2 <= clipped <= TAIL
    assert found.amax == found.high


def test_percentile_counts_zeros() -> None:
    few = np.concatenate([np.full(10, 5.0), np.linspace(0.1, 1, 10_000)])
    assert clipping(few, "percentile").high == 5.0
    assert clipping(np.concatenate([few, np.zeros(1_000_000)]), "percentile").high < 1.01


def test_entropy_clips_a_long_tail() -> None:
    values = np.concatenate([NORMAL, np.linspace(5, 60, 20)])
    found = clipping(values, "entropy")
    assert 2.5 < found.amax < 8
    assert (found.low, found.high) == (pytest.approx(max(values.min(), -found.amax)), found.amax)


@pytest.mark.parametrize("top", [1.0, 5.3, 6.0, 7.99])
def test_entropy_keeps_an_even_distribution(top: float) -> None:
    assert clipping(np.linspace(0, top, 100_000), "entropy").amax == pytest.approx(top, rel=0.01)


DISTRIBUTIONS = {
    "normal": NORMAL,
    "shifted": NORMAL + 1,
    "long tails": RANDOM.laplace(0, 1, 200_000),
    "long tail on one side": RANDOM.exponential(1, 200_000),
    "a few outliers": np.concatenate([NORMAL, [40.0, -40.0]]),
    "even": np.linspace(-2, 5, 100_000),
}


@pytest.mark.parametrize("values", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
def test_mse_range_has_the_least_error(values: NDArray[np.float64]) -> None:
    """Against every range of those that shrink both ends alike, on the values themselves."""
    values = values[::20]
    found = clipping(values, "mse")
    low, high, amax = min(0.0, values.min()), max(0.0, values.max()), np.abs(values).max()

    def error(rounded: NDArray[np.float64]) -> float:
        return float(np.mean((values - rounded) ** 2))

    shares = np.linspace(0.2, 1, 200)
    ranges = min(error(quantized(values, share * low, share * high)) for share in shares)
    symmetrics = min(error(symmetric(values, share * amax)) for share in shares)
    assert error(quantized(values, found.low, found.high)) <= 1.03 * ranges
    assert error(symmetric(values, found.amax)) <= 1.03 * symmetrics


def test_mse_clips_what_minmax_keeps() -> None:
    values = DISTRIBUTIONS["a few outliers"]
    assert clipping(values, "mse").amax < 0.8 * clipping(values, "minmax").amax


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(-15, 15), st.sampled_from(METHODS))
def test_clipping_scales_with_the_tensor(power: int, method: str) -> None:
    values = NORMAL[:5000] + 0.5
    plain, scaled = clipping(values, method), clipping(values * 2.0**power, method)
    for one, other in zip(vars(plain).values(), vars(scaled).values(), strict=True):
        assert other == pytest.approx(one * 2.0**power, rel=1e-12)


@pytest.mark.parametrize("values", [NORMAL, np.zeros(3)], ids=["normal", "all zero"])
def test_other_methods_are_refused(values: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match=r"no method 'max'; choose from minmax, percentile, entropy, mse"):
        clipping(values, "max")
