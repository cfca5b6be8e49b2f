from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from fcn_edge.artifacts.onnx_header import SPEC_KEY, metadata_of_onnx, model_digest, spec_of_onnx
from fcn_edge.errors import ModelError
from fcn_edge.export.rewrite import (
    add_labels_head,
    open_size,
    require_operators,
    set_spec,
    store_weights_as_fp16,
    tidy,
)

from ..exported_networks import CLASSES, Exported, spec_of


def run(model: ModelProto, image: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": image})[0]


def scores_graph(scores: np.ndarray) -> ModelProto:
    """A graph that gives the same ``(C, h, w)`` scores whatever the image."""
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["pixels", "zero.axes"], ["sum"], keepdims=0),
        helper.make_node("Sub", ["sum", "sum"], ["zero"]),
        helper.make_node("Add", ["values", "zero"], ["batch"]),
        helper.make_node("Squeeze", ["batch", "axes"], ["scores"]),
    ]
    initializers = [
        numpy_helper.from_array(scores[None].astype(np.float32), "values"),
        numpy_helper.from_array(np.array([0, 1, 2], np.int64), "zero.axes"),
        numpy_helper.from_array(np.array([0], np.int64), "axes"),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["32*h", "32*w", 3])
    output = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [len(scores), "4*h", "4*w"])
    graph = helper.make_graph(nodes, "g", [image], [output], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def test_labels_head_takes_the_lowest_id_on_a_tie() -> None:
    model = scores_graph(np.zeros((CLASSES, 4, 8)))
    add_labels_head(model, spec_of("vgg16", "fcn8s"))
    onnx.checker.check_model(model, full_check=True)
    labels = run(model, np.zeros((32, 64, 3), np.uint8))
    assert labels.dtype == np.uint8
    assert labels.shape == (32, 64)
    assert not labels.any()
    shape = model.graph.output[0].type.tensor_type.shape
    assert [dim.dim_param for dim in shape.dim] == ["32*h", "32*w"]


def test_labels_head_interpolates_between_pixel_centers() -> None:
    scores = np.zeros((2, 4, 4))
    scores[1, :, 2:] = 1.0
    scores[0] = 0.6
    model = scores_graph(scores)
    add_labels_head(model, spec_of("vgg16", "fcn8s"))
    labels = run(model, np.zeros((32, 32, 3), np.uint8))
    # class 1 reaches 0.6 between the centers 11.5 and 19.5 of columns 1 and 2, at 16.3
    assert np.array_equal(labels, np.broadcast_to(np.arange(32) >= 17, (32, 32)))


def test_labels_head_gives_ids_beyond_127() -> None:
    scores = np.zeros((200, 1, 1))
    scores[199] = 1
    model = scores_graph(scores)
    add_labels_head(model, spec_of("vgg16", "fcn32s"))
    assert (run(model, np.zeros((32, 32, 3), np.uint8)) == 199).all()


def test_fp16_weights_halve_the_file_and_compute_in_float32(small: Exported, images_of_size, tmp_path: Path) -> None:
    half, rounded = onnx.load_model(small.path), onnx.load_model(small.path)
    store_weights_as_fp16(half)
    onnx.checker.check_model(half, full_check=True)
    for initializer in rounded.graph.initializer:
        values = numpy_helper.to_array(initializer)
        if values.size > 20_000:
            initializer.CopyFrom(
                numpy_helper.from_array(values.astype(np.float16).astype(np.float32), initializer.name)
            )
    image = images_of_size((96, 160))[0]
    assert np.array_equal(run(half, image), run(rounded, image))
    assert not np.array_equal(run(half, image), run(onnx.load_model(small.path), image))
    assert half.ByteSize() < 0.56 * rounded.ByteSize()
    assert half.ByteSize() <= 6e6


def test_onnxruntime_folds_the_casts_of_fp16_weights(small: Exported, tmp_path: Path) -> None:
    half = onnx.load_model(small.path)
    store_weights_as_fp16(half)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    onnxruntime.InferenceSession(half.SerializeToString(), options, providers=["CPUExecutionProvider"])
    optimized = onnx.load_model(tmp_path / "optimized.onnx").graph
    assert sum(node.op_type == "Cast" for node in half.graph.node) > 20
    assert [node.input[0] for node in optimized.node if node.op_type == "Cast"] == ["image"]
    assert not [value.name for value in optimized.initializer if value.data_type == TensorProto.FLOAT16]


def test_weights_that_fp16_cannot_hold_are_refused(small: Exported) -> None:
    model = onnx.load_model(small.path)
    weight = next(value for value in model.graph.initializer if value.name == "encoder.features.18.0.weight")
    values = numpy_helper.to_array(weight).copy()
    values[0, 0] = -70000.0
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    with pytest.raises(
        ModelError, match=r"encoder\.features\.18\.0\.weight holds a weight of 70000; FP16 ends at 65504"
    ):
        store_weights_as_fp16(model)


def test_spec_is_the_only_metadata_and_no_part_of_the_digest(small: Exported, tmp_path: Path) -> None:
    model = onnx.load_model(small.path)
    onnx.helper.set_model_props(model, {"other": "entry"})
    spec = small.spec.replace(name="renamed")
    set_spec(model, spec)
    path = tmp_path / "renamed.onnx"
    onnx.save_model(model, path)
    assert metadata_of_onnx(path) == {SPEC_KEY: spec.to_json()}
    assert spec_of_onnx(path) == spec
    assert model_digest(path) == model_digest(small.path)


def test_unexpected_operators_are_named() -> None:
    model = scores_graph(np.zeros((2, 1, 1)))
    require_operators(model, {"Cast", "ReduceSum", "Sub", "Add", "Squeeze"})
    with pytest.raises(ModelError, match=r"holds ReduceSum, Sub; only Add, Cast, Squeeze were expected"):
        require_operators(model, {"Cast", "Add", "Squeeze"})


def test_a_graph_that_resizes_to_a_fixed_size_is_refused() -> None:
    model = scores_graph(np.zeros((2, 4, 8)))
    open_size(model, spec_of("vgg16", "fcn8s"))
    assert [dim.dim_param for dim in model.graph.output[0].type.tensor_type.shape.dim] == ["", "4*h", "4*w"]
    sizes = numpy_helper.from_array(np.array([1, 2, 8, 16], np.int64), "sizes")
    model.graph.initializer.append(sizes)
    model.graph.node.append(helper.make_node("Resize", ["batch", "", "", "sizes"], ["larger"], name="up"))
    with pytest.raises(ModelError, match="resizes to a fixed size at up"):
        open_size(model, spec_of("vgg16", "fcn8s"))


def test_tidy_drops_every_trace_of_the_exporter() -> None:
    model = scores_graph(np.zeros((2, 1, 1)))
    model.doc_string = model.graph.doc_string = "at /home/someone"
    for part in (*model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output):
        part.doc_string = "at /home/someone"
        part.metadata_props.add(key="stack", value="/home/someone/net.py")
    model.graph.metadata_props.add(key="stack", value="/home/someone/net.py")
    model.graph.value_info.append(helper.make_tensor_value_info("batch", TensorProto.FLOAT, None))
    tidy(model, {"values"})
    assert b"someone" not in model.SerializeToString()
    assert [node.name for node in model.graph.node] == ["cast_0", "reducesum_0", "sub_0", "add_0", "squeeze_0"]
    assert [value.name for value in model.graph.initializer] == ["values", "constant_0", "constant_1"]
    assert model.graph.node[-1].output[0] == "scores"
    onnx.checker.check_model(model, full_check=True)
    assert run(model, np.zeros((32, 32, 3), np.uint8)).shape == (2, 1, 1)
