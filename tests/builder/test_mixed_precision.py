from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import pytest

from fcn_edge.artifacts.calibration_table import METHODS, QuantizationChoice
from fcn_edge.builder.mixed_precision import (
    Sensitivity,
    best_method,
    group_of,
    groups_of,
    mixed_precision,
    sensitivities,
)
from fcn_edge.errors import GuardError
from fcn_edge.evaluation.guard import Verdict

LAYERS = ("encoder.features.0.0", "encoder.features.1.conv.0", "encoder.features.1.conv.3", "decoder.score32")
GROUPS = ("encoder.features.0", "encoder.features.1", "decoder")


def silent(_: str) -> None:
    pass


class Network:
    """A network of three groups, each of which costs something when any of its layers is quantized."""

    def __init__(self, costs: dict[str, float], shares: dict[str, float], allowed: float = 0.01) -> None:
        self.costs, self.shares, self.allowed = costs, shares, allowed
        self.tried: list[QuantizationChoice] = []

    def __call__(self, choice: QuantizationChoice) -> tuple[Verdict, float]:
        self.tried.append(choice)
        quantized = groups_of(layer for layer in LAYERS if layer not in choice.excluded_layers)
        drop = sum(self.costs[group] for group in quantized)
        excess = drop / self.allowed
        verdict = Verdict(drop <= self.allowed, drop, "car", 2 * drop, f"{100 * drop:.1f} points lost", None, excess)
        return verdict, sum(self.shares[group] for group in quantized)


@pytest.mark.parametrize(
    ("layer", "group"),
    [
        ("encoder.features.0.0", "encoder.features.0"),
        ("encoder.features.17.conv.1.0", "encoder.features.17"),
        ("encoder.layer3.4.conv2", "encoder.layer3.4"),
        ("encoder.layer3.0.downsample.0", "encoder.layer3.0"),
        ("encoder.conv1", "encoder.conv1"),
        ("decoder.score8", "decoder"),
        ("conv", "conv"),
    ],
)
def test_group_is_the_block_in_the_encoder_or_the_decoder(layer: str, group: str) -> None:
    assert group_of(layer) == group


def test_groups_keep_the_order_of_their_layers() -> None:
    assert groups_of(LAYERS) == {
        "encoder.features.0": LAYERS[:1],
        "encoder.features.1": LAYERS[1:3],
        "decoder": LAYERS[3:],
    }


def method_costing(costs: dict[str, tuple[float, float]]) -> Callable[[QuantizationChoice], tuple[Verdict, float]]:
    def attempt(choice: QuantizationChoice) -> tuple[Verdict, float]:
        drop, of_class = costs[choice.method]
        return Verdict(drop < 0.01, drop, "car", of_class, f"loses {drop}"), 1.0

    return attempt


def test_method_that_loses_least_is_chosen() -> None:
    told: list[str] = []
    costs = {"minmax": (0.02, 0.0), "percentile": (0.004, 0.0), "entropy": (0.3, 0.0), "mse": (0.005, 0.0)}
    choice, verdict = best_method(method_costing(costs), told.append)
    assert (choice.method, choice.excluded_layers, verdict.drop) == ("percentile", (), 0.004)
    assert told == [f"{method}: loses {costs[method][0]}" for method in METHODS]


def test_method_that_costs_its_worst_class_least_wins_a_tie() -> None:
    costs = {"minmax": (0.01, 0.05), "percentile": (0.01, 0.03), "entropy": (0.01, 0.02), "mse": (0.01, 0.04)}
    assert best_method(method_costing(costs), silent)[0].method == "entropy"


def test_method_that_gains_is_better_than_none_lost() -> None:
    costs = {"minmax": (0.0, 0.0), "percentile": (0.01, 0.0), "entropy": (0.01, 0.0), "mse": (-0.01, 0.0)}
    assert best_method(method_costing(costs), silent)[0].method == "mse"


def test_each_group_is_quantized_alone_and_the_costliest_comes_first() -> None:
    network = Network(dict(zip(GROUPS, (0.001, 0.03, 0.002), strict=True)), dict.fromkeys(GROUPS, 0.3))
    told: list[str] = []
    found = sensitivities(LAYERS, QuantizationChoice(method="entropy"), network, told.append)
    assert [one.group for one in found] == ["encoder.features.1", "decoder", "encoder.features.0"]
    assert [one.drop for one in found] == [0.03, 0.002, 0.001]
    assert found[0].layers == LAYERS[1:3]
    assert [set(LAYERS) - set(choice.excluded_layers) for choice in network.tried] == [
        set(LAYERS[:1]),
        set(LAYERS[1:3]),
        set(LAYERS[3:]),
    ]
    assert {choice.method for choice in network.tried} == {"entropy"}
    assert told == [
        "encoder.features.0 alone: -0.10 points, car -0.20",
        "encoder.features.1 alone: -3.00 points, car -6.00",
        "decoder alone: -0.20 points, car -0.40",
    ]


RANKING = tuple(
    Sensitivity(group, groups_of(LAYERS)[group], drop, 100 * drop)
    for group, drop in (("encoder.features.0", 0.03), ("decoder", 0.02), ("encoder.features.1", 0.001))
)
COSTS = {one.group: one.drop for one in RANKING}


def test_costliest_groups_go_back_until_the_guard_holds() -> None:
    network = Network(COSTS, {"encoder.features.0": 0.05, "decoder": 0.05, "encoder.features.1": 0.9})
    told: list[str] = []
    choice, verdict = mixed_precision(QuantizationChoice(method="mse"), RANKING, network, told.append)
    assert choice == QuantizationChoice(method="mse", excluded_layers=("encoder.features.0.0", "decoder.score32"))
    assert verdict.holds
    assert told == [
        "encoder.features.0 in floating point: 2.1 points lost; 95% in INT8",
        "encoder.features.0, decoder in floating point: 0.1 points lost; 90% in INT8",
    ]


def test_one_group_is_enough_where_it_is_enough() -> None:
    network = Network(COSTS, {"encoder.features.0": 0.05, "decoder": 0.05, "encoder.features.1": 0.9}, allowed=0.025)
    choice, _ = mixed_precision(QuantizationChoice(method="mse"), RANKING, network, silent)
    assert choice.excluded_layers == ("encoder.features.0.0",)
    assert len(network.tried) == 2


def test_layers_that_were_float_stay_so() -> None:
    network = Network(COSTS, {"encoder.features.0": 0.05, "decoder": 0.05, "encoder.features.1": 0.9}, allowed=0.025)
    start = QuantizationChoice(method="mse", excluded_layers=("encoder.features.1.conv.0", "encoder.features.0.0"))
    choice, _ = mixed_precision(start, RANKING, network, silent)
    assert choice.excluded_layers == start.excluded_layers


def test_group_that_is_too_large_is_passed_over() -> None:
    network = Network(COSTS, {"encoder.features.0": 0.5, "decoder": 0.1, "encoder.features.1": 0.4}, allowed=0.031)
    told: list[str] = []
    choice, _ = mixed_precision(QuantizationChoice(method="mse"), RANKING, network, told.append)
    assert choice.excluded_layers == ("decoder.score32",)
    assert told[0] == "encoder.features.0 cannot be in floating point: only 50% would be INT8"


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ({"encoder.features.0": 0.1, "decoder": 0.1, "encoder.features.1": 0.8}, "with encoder.features.0, decoder in"),
        (
            {"encoder.features.0": 0.4, "decoder": 0.3, "encoder.features.1": 0.3},
            "no group of layers that may go back helps",
        ),
    ],
)
def test_what_cannot_hold_and_be_called_int8_is_a_guard_error(shares: dict[str, float], said: str) -> None:
    network = Network(COSTS, shares, allowed=0.0005)
    with pytest.raises(GuardError, match=said) as caught:
        mixed_precision(QuantizationChoice(method="mse"), RANKING, network, silent)
    assert "80% of the multiplications have to be INT8" in caught.value.message
    assert "--max-drop" in caught.value.fix


def test_a_method_that_holds_is_better_than_one_that_loses_less_and_does_not() -> None:
    def attempt(choice: QuantizationChoice) -> tuple[Verdict, float]:
        holds = choice.method == "entropy"
        return Verdict(holds, 0.004 if holds else 0.001, "car", 0.02 if holds else 0.05, choice.method), 1.0

    assert best_method(attempt, silent)[0].method == "entropy"


class ClassLoss:
    """A network in which one group costs the worst class, and another mIoU that is allowed."""

    limits = (0.005, 0.03)
    costs = MappingProxyType(
        {"encoder.features.0": (0.003, 0.001), "encoder.features.1": (0.001, 0.04), "decoder": (0.0005, 0.01)}
    )

    def __call__(self, choice: QuantizationChoice) -> tuple[Verdict, float]:
        quantized = groups_of(layer for layer in LAYERS if layer not in choice.excluded_layers)
        drop, of_class = (sum(self.costs[group][index] for group in quantized) for index in (0, 1))
        excess = max(drop / self.limits[0], of_class / self.limits[1])
        return Verdict(excess <= 1, drop, "sign", of_class, f"sign {of_class}", None, excess), 0.8 + 0.05 * len(
            quantized
        )


def test_the_group_that_costs_the_failing_class_goes_back_first_and_alone() -> None:
    network = ClassLoss()
    ranking = sensitivities(LAYERS, QuantizationChoice(method="mse"), network, silent)
    assert [one.group for one in ranking] == ["encoder.features.1", "encoder.features.0", "decoder"]
    choice, verdict = mixed_precision(QuantizationChoice(method="mse"), ranking, network, silent)
    assert choice.excluded_layers == LAYERS[1:3]
    assert verdict.holds


def test_groups_that_do_not_help_or_are_not_needed_stay_int8() -> None:
    """One that is ranked first and helps too little becomes INT8 again; one that makes it worse never goes back."""

    def attempt(choice: QuantizationChoice) -> tuple[Verdict, float]:
        floats = set(groups_of(choice.excluded_layers))
        excess = 3.0 - 0.1 * ("encoder.features.0" in floats) + 1.0 * ("encoder.features.1" in floats)
        excess -= 2.5 * ("decoder" in floats)
        return Verdict(excess <= 1, 0.0, "", 0.0, f"{excess:.1f} times", None, excess), 0.9

    told: list[str] = []
    order = ("encoder.features.0", "encoder.features.1", "decoder")
    ranking = [Sensitivity(group, groups_of(LAYERS)[group], 0.01, 1.0) for group in order]
    choice, verdict = mixed_precision(QuantizationChoice(method="mse"), ranking, attempt, told.append)
    assert choice.excluded_layers == ("decoder.score32",)
    assert verdict.excess == pytest.approx(0.5)
    assert told == [
        "encoder.features.0 in floating point: 2.9 times; 90% in INT8",
        "encoder.features.1 in floating point does not help: 3.9 times",
        "encoder.features.0, decoder in floating point: 0.4 times; 90% in INT8",
        "encoder.features.0 need not be in floating point: 0.5 times",
    ]


def test_a_group_that_helps_only_after_another_is_tried_again() -> None:
    """The second class is the worst only once the first one's group went back."""

    def attempt(choice: QuantizationChoice) -> tuple[Verdict, float]:
        floats = set(groups_of(choice.excluded_layers))
        losses = (0.5 if "decoder" in floats else 5.0, 0.5 if "encoder.features.0" in floats else 3.0)
        return Verdict(max(losses) <= 1, 0.0, "", 0.0, f"{max(losses)} times", None, max(losses)), 0.9

    order = ("encoder.features.0", "encoder.features.1", "decoder")
    ranking = [Sensitivity(group, groups_of(LAYERS)[group], 0.01, 1.0) for group in order]
    choice, verdict = mixed_precision(QuantizationChoice(method="mse"), ranking, attempt, silent)
    assert choice.excluded_layers == ("decoder.score32", "encoder.features.0.0")
    assert verdict.holds
