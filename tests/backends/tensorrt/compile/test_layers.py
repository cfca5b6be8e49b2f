from __future__ import annotations

import json
from typing import Any

import pytest

from fcn_edge.backends.tensorrt.compile.layers import PlanLayer, layers_of_json, layers_of_text

LOGGED = """Layers:
Name: __myl_CastTran_myl0_0, LayerType: kgen, Inputs: [ { Name: image, Dimensions: [64,96,3], Strides: [288,3,1], \
StrideOrder: [2,1,0], Datatype: UInt8, Format: (Linear) Row major linear format }], Constants: [], Outputs: \
[ { Name: stem.q.1_2, Dimensions: [1,4,64,96], Strides: [24576,1,384,4], StrideOrder: [3,0,2,1], Datatype: Int8, \
Format: (NHWC) Channel major format }], TacticName: __myl_CastTran_0xb0, StreamId: 0, \
Metadata: [ONNX Layer: floats][ONNX Layer: stem.q]
Name: stem_myl0_1, LayerType: correlation, Inputs: [ { Name: stem.q.1_2, Dimensions: [1,4,64,96], Strides: \
[24576,1,384,4], StrideOrder: [3,0,2,1], Datatype: Int8, Format: (NHWC) Channel major format }], Constants: \
[ { Name: __mye955, Dimensions: [32,4,3,3], Strides: [36,1,12,4], StrideOrder: [3,0,2,1], Datatype: Int8, Format: \
(NHWC) Channel major format }, { Name: __mye862, Dimensions: [1,32,1,1], Strides: [32,1,32,32], StrideOrder: \
[3,0,2,1], Datatype: Float, Format: (Arbitrary) Format with stride order = [4,1,0,3,2] }], Outputs: [ { Name: o, \
Dimensions: [1,32,32,48], Strides: [49152,1,1536,32], StrideOrder: [3,0,2,1], Datatype: Half, Format: (NHWC) Channel \
major format }], TacticName: __myelin_CASK_STUB, StreamId: 0, Metadata: [ONNX Layer: stem][ONNX Layer: stem.dq]

I/O Tensors:
 Name: image, IOMode: Input, DataType: UInt8, Dimensions: [64,96,3], Location: Device
"""
INTERLEAVED = "Thirty-two wide channel vectorized row major Int8 format"


def cask(tensor: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A convolution as the engine inspector describes it."""
    return {
        "Name": "stem + clip_0",
        "LayerType": "CaskConvolution",
        "Inputs": [{"Name": "image", "Dimensions": [1, 4, 64, 96], **tensor}],
        "Outputs": [{"Name": "clip_0.o", "Dimensions": [1, 32, 32, 48], **tensor}],
        "ParameterType": "Convolution",
        "Kernel": [3, 3],
        "Groups": 1,
        "Weights": {"Type": "Int8", "Count": 864},
        "TacticName": "sm80_xmma_fprop_i8i8_i8i32_f32",
        "Metadata": "[ONNX Layer: stem]\x1e[ONNX Layer: clip_0]",
        **changes,
    }


def test_text_of_the_builder_s_log() -> None:
    first, second = layers_of_text(LOGGED)
    assert first.kind == "kgen"
    assert first.nodes == ("floats", "stem.q")
    assert first.constants == ()
    assert (first.inputs[0].element, first.inputs[0].shape) == ("uint8", (64, 96, 3))
    assert first.inputs[0].layout == "(Linear) Row major linear format"
    assert second.name == "stem_myl0_1"
    assert second.nodes == ("stem", "stem.dq")
    assert [tensor.element for tensor in second.constants] == ["int8", "fp32"]
    assert second.constants[0].shape == (32, 4, 3, 3)
    assert second.constants[1].layout == "(Arbitrary) Format with stride order = [4,1,0,3,2]"
    assert [(tensor.element, tensor.shape) for tensor in second.outputs] == [("fp16", (1, 32, 32, 48))]
    assert second.tactic == "__myelin_CASK_STUB"


@pytest.mark.parametrize(
    ("tensor", "layout"),
    [
        ({"Location": "Device", "Format/Datatype": INTERLEAVED}, INTERLEAVED),
        ({"Datatype": "Int8", "Format": "NC/32HW32"}, "NC/32HW32"),
        ({"DataType": "INT8", "Format": "NC/32HW32"}, "NC/32HW32"),
    ],
    ids=["TensorRT 10", "TensorRT 11", "TensorRT 11, other case"],
)
def test_json_of_the_engine_inspector(tensor: dict[str, Any], layout: str) -> None:
    (layer,) = layers_of_json(json.dumps({"Layers": [cask(tensor)], "Bindings": ["image"]}))
    assert layer.kind == "CaskConvolution"
    assert layer.nodes == ("stem", "clip_0")
    assert (layer.inputs[0].element, layer.inputs[0].layout) == ("int8", layout)
    assert layer.constants[0].element == "int8"
    assert layer.outputs[0].shape == (1, 32, 32, 48)


def test_weights_among_the_constants() -> None:
    constants = [{"Name": "w", "Dimensions": [32, 3, 3, 3], "Datatype": "Half", "Format": "NHWC"}]
    described = cask({"Datatype": "Half", "Format": "NHWC"}, Constants=constants)
    del described["Weights"]
    (layer,) = layers_of_json(json.dumps({"Layers": [described], "I/O Tensors": []}))
    assert [(tensor.element, tensor.shape) for tensor in layer.constants] == [("fp16", (32, 3, 3, 3))]


def test_nodes_are_in_the_name_where_there_is_no_metadata() -> None:
    described = cask({"Format/Datatype": "Row major linear FP32"}, Metadata="")
    (layer,) = layers_of_json(json.dumps({"Layers": [described]}))
    assert layer.nodes == ("stem", "clip_0")
    assert layer.inputs[0].element == "fp32"


def test_a_plan_without_details_names_its_layers() -> None:
    (layer,) = layers_of_json('{"Layers": ["stem + clip_0"], "Bindings": []}')
    assert layer == PlanLayer("stem + clip_0", "", ("stem", "clip_0"), (), (), (), "")


@pytest.mark.parametrize(
    ("text", "element"),
    [
        ("Row major linear FP32", "fp32"),
        ("Channel major FP16 format where channel % 8 == 0", "fp16"),
        ("Row major linear UINT8 format (kLINEAR)", "uint8"),
        ("Four wide channel vectorized row major Int8 format.", "int8"),
        ("Row major linear INT32", "int32"),
        ("Row major linear Int64", "int64"),
        ("Row major linear BOOL", "bool"),
        ("BFloat16", "bf16"),
        ("Row major linear FP8", "fp8"),
        ("E8M0", "e8m0"),
        ("", ""),
    ],
)
def test_element_types(text: str, element: str) -> None:
    (layer,) = layers_of_json(json.dumps({"Layers": [cask({"Format/Datatype": text})]}))
    assert layer.inputs[0].element == element


@pytest.mark.parametrize(
    ("kind", "name", "reformats"),
    [
        ("Reformat", "x", True),
        ("NoOp", "x", True),
        ("Shuffle", "Reformatting CopyNode for Input Tensor 0 to stem", True),
        ("CaskConvolution", "stem", False),
    ],
)
def test_reformats(kind: str, name: str, reformats: bool) -> None:
    assert PlanLayer(name, kind, (), (), (), (), "").reformats is reformats


@pytest.mark.parametrize("text", ["", "[]", "3", "{"])
def test_what_is_no_description_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        layers_of_json(text)
