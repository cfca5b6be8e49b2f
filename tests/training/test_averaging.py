from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from fcn_edge.training.averaging import Average, decay_after


def averaged(values: list[float], decay: float) -> float:
    """The mean after a weight took each value in turn."""
    net = nn.Linear(1, 1)
    average = Average(net, decay)
    for value in values:
        with torch.no_grad():
            net.weight.fill_(value)
        average.update(net)
    return float(average.net.weight.detach())


def test_the_decay_rises_to_its_limit() -> None:
    decays = [decay_after(steps, 0.995) for steps in range(1, 4000)]
    assert decays == sorted(decays)
    assert decays[0] == pytest.approx(2 / 11)
    assert decays[-1] == 0.995
    assert decay_after(50, 0.0) == 0.0


@pytest.mark.parametrize("steps", [20, 50, 200, 1000])
def test_the_first_weights_of_a_short_training_are_forgotten(steps: int) -> None:
    """Of weights that change once, after the first half, next to nothing of the old is left at the end."""
    values = [0.0] * (steps // 2) + [1.0] * (steps // 2)
    assert averaged(values, 0.995) > 0.98


def test_the_mean_begins_with_the_first_weights() -> None:
    assert averaged([3.0], 0.995) == 3.0
    assert averaged([3.0, 14.0], 0.995) == pytest.approx(3 + 11 * 9 / 11)


def test_a_small_decay_is_kept() -> None:
    assert averaged([0.0] * 30 + [1.0], 0.5) == pytest.approx(0.5)


def test_statistics_are_averaged_and_counters_are_not() -> None:
    net = nn.BatchNorm2d(2)
    average = Average(net, 0.5)
    for count in (5, 9):
        net.num_batches_tracked.fill_(count)
        net.running_mean.fill_(count)
        average.update(net)
    assert int(average.net.num_batches_tracked) == 9
    assert average.net.running_mean.tolist() == [pytest.approx(5 + 4 * 9 / 11)] * 2
    assert not average.net.training


def test_a_mean_goes_on_from_its_state() -> None:
    net = nn.Linear(1, 1)
    first, second = Average(net, 0.995), Average(net, 0.995)
    for value in (1.0, 5.0, 2.0):
        with torch.no_grad():
            net.weight.fill_(value)
        first.update(net)
    second.restore(first.state())
    with torch.no_grad():
        net.weight.fill_(7.0)
    for average in (first, second):
        average.update(net)
    assert torch.equal(first.net.weight, second.net.weight)
