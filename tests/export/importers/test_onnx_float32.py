"""Files that compute in float16, wholly or in part, become networks in float32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from fcn_edge.artifacts.models import resolved_model
from fcn_edge.export.importers.onnx_float32 import half_bytes, widen
from fcn_edge.quantization.calibrate import ranges_of_images

from .foreign_exports import opened, parity_at
from .foreign_graphs import Sketch, network, normalized, save, standardize, streets

SIZE = (64, 96)


def halved(model: ModelProto, given: str = "input", *, whole: bool = False) -> ModelProto:
    """The file as converters to float16 write it: weights in float16, with casts around them or without."""
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and not tensor.name.startswith("keep"):
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    del model.graph.value_info[:]
    if whole:
        for value in (*model.graph.input, *model.graph.output):
            if value.type.tensor_type.elem_type == TensorProto.FLOAT:
                value.type.tensor_type.elem_type = TensorProto.FLOAT16
        return model
    for node in model.graph.node:
        node.input[:] = ["half" if name == given else name for name in node.input]
    nodes = list(model.graph.node)
    del model.graph.node[:]
    cast = helper.make_node("Cast", [given], ["half"], name="to half", to=TensorProto.FLOAT16)
    model.graph.node.extend([cast, *nodes])
    return model


def scores_in_half(*, whole: bool) -> ModelProto:
    sketch = Sketch()
    scores = network(sketch, "input", batch_norm=False)
    model = halved(standardize(sketch.model(SIZE, "input", scores), scores, normalized), whole=whole)
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    return model


def mask_of_half(*, whole: bool) -> ModelProto:
    sketch = Sketch()
    scores = network(sketch, "input", batch_norm=False)
    sketch.weights["keep.factors"] = np.array([1, 1, 8, 8], np.float32)
    full = sketch.add("Resize", scores, "", "keep.factors", mode="linear", coordinate_transformation_mode="half_pixel")
    return halved(
        standardize(sketch.model(SIZE, "input", sketch.add("ArgMax", full, axis=1)), scores, normalized), whole=whole
    )


def cast_between() -> ModelProto:
    """The Resize stays in float32, and what follows it is float16 again."""
    sketch = Sketch()
    scores = network(sketch, "input", batch_norm=False)
    sketch.weights["keep.factors"] = np.array([1, 1, 8, 8], np.float32)
    wide = sketch.add("Cast", scores, to=TensorProto.FLOAT)
    full = sketch.add("Resize", wide, "", "keep.factors", mode="linear", coordinate_transformation_mode="half_pixel")
    mask = sketch.add("ArgMax", sketch.add("Cast", full, to=TensorProto.FLOAT16), axis=1)
    return halved(standardize(sketch.model(SIZE, "input", mask), scores, normalized))


FORMS = {
    "scores": lambda: scores_in_half(whole=False),
    "scores, float16 from the image on": lambda: scores_in_half(whole=True),
    "mask": lambda: mask_of_half(whole=False),
    "mask, float16 from the image on": lambda: mask_of_half(whole=True),
    "float32 between": cast_between,
}


@pytest.mark.parametrize("form", FORMS)
def test_networks_in_float16(form: str, tmp_path: Path) -> None:
    found = opened(FORMS[form](), tmp_path / "theirs.onnx")
    assert found.spec.stride == 8
    assert "computes in float16" in found.notes[0]
    result = parity_at(found, tmp_path / "ours.onnx", SIZE)
    assert (result.label_agreement, len(result.classes)) == (1.0, 7)
    graph = onnx.load(tmp_path / "ours.onnx").graph
    assert TensorProto.FLOAT16 not in {tensor.data_type for tensor in graph.initializer}
    assert [node.op_type for node in graph.node].count("Cast") == 1
    # every convolution has a range, as in a network that was float32 from the beginning
    ranges = ranges_of_images(resolved_model(tmp_path / "ours.onnx"), streets(SIZE), threads=1)
    assert len(ranges) >= 4


def test_what_is_float32_stays_as_it_is() -> None:
    sketch = Sketch()
    model = sketch.model(SIZE, "input", network(sketch, "input"))
    before = model.SerializeToString()
    assert (half_bytes(model), widen(model), model.SerializeToString()) == (0, False, before)


def test_what_grows_is_counted(tmp_path: Path) -> None:
    model = onnx.load(save(scores_in_half(whole=False), tmp_path / "theirs.onnx"))
    before = len(model.SerializeToString())
    grown = half_bytes(model)
    assert widen(model)
    assert 0 <= len(model.SerializeToString()) - before - grown < 200
