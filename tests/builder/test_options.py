from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fcn_edge.builder import BuildRequest
from fcn_edge.datasets import split_of
from fcn_edge.errors import UsageError

STREET = "synthetic://street?frames=2&size=32x32"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"precision": "fp8"}, "no precision 'fp8'"),
        ({"device": -1}, "device is -1"),
        ({"max_drop": -0.01}, "max_drop is -0.01"),
        ({"max_drop": float("nan")}, "max_drop is nan"),
        ({"max_class_drop": 3}, "max_class_drop is 3"),
        ({"guard": False, "evaluation": split_of(STREET)}, "no guard was asked for"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        BuildRequest(**arguments)


def test_limits_bind_an_engine_only_where_they_are_held_against_images(levels_val: Path) -> None:
    assert BuildRequest().options() == {}
    assert BuildRequest(guard=False).options() == {}
    assert BuildRequest(precision="int8", max_drop=0.5).options() == {"guard": True}
    options = BuildRequest(precision="int8", evaluation=split_of(levels_val), max_drop=0.5).options()
    assert (options["guard"], options["max_drop"], options["max_class_drop"]) == (True, 0.5, 0.03)
    assert str(options["evaluated_on"]).startswith("levels val (8 images, ")


def test_labeled_images_bind_a_float_engine_too(levels_val: Path) -> None:
    assert set(BuildRequest(evaluation=split_of(levels_val)).options()) == {
        "evaluated_on",
        "max_drop",
        "max_class_drop",
    }
