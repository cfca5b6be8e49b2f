from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fcn_edge.backends.tensorrt.compile.islands import keep_float32

KINDS = SimpleNamespace(CAST=0, CONSTANT=1, SHAPE=2, POOLING=3)
TYPES = SimpleNamespace(FLOAT="fp32", HALF="fp16", INT32="int32")


def library(*flags: str) -> Any:
    return SimpleNamespace(
        LayerType=KINDS, DataType=TYPES, BuilderFlag=SimpleNamespace(**{flag: flag for flag in flags})
    )


class Layer:
    """A layer that remembers what its outputs are bound to."""

    def __init__(self, kind: int, *outputs: str, name: str = "pool", metadata: str = "") -> None:
        self.type, self.name, self.metadata, self.num_outputs = kind, name, metadata, len(outputs)
        self.precision: str | None = None
        self.bound: dict[int, str] = {}
        self.get_output = lambda number: SimpleNamespace(dtype=outputs[number])
        self.set_output_type = self.bound.__setitem__


def kept(trt: Any, *layers: Layer) -> tuple[int, list[str]]:
    """How many layers of the node ``pool`` are bound, and the flags that are set."""
    flags: list[str] = []
    network = SimpleNamespace(num_layers=len(layers), get_layer=layers.__getitem__)
    return keep_float32(trt, network, SimpleNamespace(set_flag=flags.append), {"pool"}), flags


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        (("OBEY_PRECISION_CONSTRAINTS", "PREFER_PRECISION_CONSTRAINTS"), ["OBEY_PRECISION_CONSTRAINTS"]),
        (("PREFER_PRECISION_CONSTRAINTS",), ["PREFER_PRECISION_CONSTRAINTS"]),
        ((), []),
    ],
)
def test_the_strictest_flag_that_there_is_binds_the_builder(there: tuple[str, ...], taken: list[str]) -> None:
    assert kept(library(*there), Layer(KINDS.POOLING, "fp16")) == (1, taken)


def test_only_what_is_computed_in_floats_is_bound() -> None:
    pool = Layer(KINDS.POOLING, "fp16", "int32", name="another", metadata="[ONNX Layer: pool]")
    others = [Layer(kind, "fp16") for kind in (KINDS.CAST, KINDS.CONSTANT, KINDS.SHAPE)]
    others += [Layer(KINDS.POOLING, "int32"), Layer(KINDS.POOLING, "fp16", metadata="[ONNX Layer: mean]")]
    assert kept(library("OBEY_PRECISION_CONSTRAINTS"), pool, *others)[0] == 1
    assert (pool.precision, pool.bound) == ("fp32", {0: "fp32"})
    assert all(one.precision is None and not one.bound for one in others)


def test_nothing_is_asked_of_a_builder_without_islands() -> None:
    assert kept(library("OBEY_PRECISION_CONSTRAINTS"), Layer(KINDS.POOLING, "fp16", name="mean")) == (0, [])
