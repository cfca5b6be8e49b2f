from __future__ import annotations

import pytest

from fcn_edge.artifacts.onnx_growth import growing_operator
from fcn_edge.artifacts.onnx_nodes import Node
from fcn_edge.artifacts.onnx_tensors import Tensor


@pytest.mark.parametrize(
    ("operator", "place", "largest", "too_large"),
    [
        ("ConstantOfShape", 0, (1 << 14, 1 << 15), (1 << 15, 1 << 15)),
        ("Expand", 1, (1, 1 << 29), (1, 1 << 30)),
        ("AffineGrid", 1, (1, 2, 1 << 14, 1 << 14), (1, 3, 1 << 20, 1 << 20)),
        ("CenterCropPad", 1, (3, 4096, 4096), (1 << 20, 1 << 20)),
        ("Col2Im", 1, (4096, 4096), (1 << 20, 1 << 20)),
        ("MaxUnpool", 2, (1, 64, 1024, 1024), (1, 1, 1 << 20, 1 << 20)),
        ("Resize", 3, (1, 11, 4096, 4096), (1, 11, 1 << 20, 1 << 20)),
        ("Resize", 2, (1.0, 1.0, 32.0, 32.0), (1.0, 1.0, 65536.0, 65536.0)),
        ("Tile", 1, (1, 4096), (1 << 13, 1 << 13)),
        ("HannWindow", 0, (1024,), (1 << 40,)),
        ("DFT", 1, (1024,), (1 << 40,)),
        ("OneHot", 1, (255,), (1 << 40,)),
        ("Pad", 1, (0, 0, 100, 100), (0, 0, -(1 << 14), 0)),
    ],
)
def test_inputs_that_ask_for_too_much(
    operator: str, place: int, largest: tuple[float, ...], too_large: tuple[float, ...]
) -> None:
    node = Node(operator, inputs=[*["other"] * place, "size"], outputs=["y"])
    for values, said in ((largest, ""), (too_large, operator)):
        assert growing_operator([node], {"size": Tensor("size", 7, (len(values),), False, values)}) == said


@pytest.mark.parametrize(
    ("operator", "name", "largest", "too_large"),
    [
        ("Conv", "pads", (100, 100), (1 << 14, 0)),
        ("RoiAlign", "output_height", (7,), (1 << 20,)),
        ("RandomNormal", "shape", (1 << 29,), (1 << 30,)),
        ("Upsample", "scales", (1.0, 1.0, 8.0, 8.0), (1.0, 1.0, 65536.0, 65536.0)),
    ],
)
def test_attributes_that_ask_for_too_much(
    operator: str, name: str, largest: tuple[float, ...], too_large: tuple[float, ...]
) -> None:
    for values, said in ((largest, ""), (too_large, operator)):
        assert growing_operator([Node(operator, outputs=["y"], numbers={name: values})], {}) == said


@pytest.mark.parametrize("name", ["value_ints", "value_floats"])
def test_a_range_of_constants_in_attributes(name: str) -> None:
    ends = [
        Node("Constant", outputs=[each], numbers={name: (value,)}) for each, value in (("a", 0), ("b", 10), ("c", 1))
    ]
    steps = Node("Range", inputs=["a", "b", "c"], outputs=["y"])
    assert growing_operator([*ends, steps], {}) == ""
    ends[1].numbers[name] = (1 << 40,)
    assert growing_operator([*ends, steps], {}) == "Range"
