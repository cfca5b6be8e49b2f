"""Graphs of several images at once give each image what the graph of one gives it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from fcn_edge.artifacts.calibration_table import CalibrationTable
from fcn_edge.artifacts.models import Model, resolved_model
from fcn_edge.artifacts.onnx_graph import checked_graph
from fcn_edge.artifacts.onnx_header import metadata_of_onnx
from fcn_edge.builder.calibration import table_for
from fcn_edge.builder.options import BuildRequest
from fcn_edge.errors import ModelError
from fcn_edge.export.rewrite import store_weights_as_fp16
from fcn_edge.quantization.batching import batch_graph
from fcn_edge.quantization.profiles import PROFILES
from fcn_edge.quantization.typed_graph import batched_model, fp16_model, fp32_model, int8_model

from ..exported_networks import Exported
from ..tiny_network import write_tiny_network
from .graphs import SmallGraph, run, saved

BATCH = 3
SIZE = (64, 96)


def images(size: tuple[int, int] = SIZE, count: int = BATCH) -> NDArray[np.uint8]:
    """Noise, coarse enough for several classes; no two images alike."""
    coarse = np.random.default_rng(5).integers(0, 256, (count, size[0] // 8, size[1] // 8, 3), np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


def check_alike(single: ModelProto, batched: ModelProto, size: tuple[int, int] = SIZE) -> None:
    """Each image's result is that of the graph of one, to the bit, and does not depend on its place."""
    batch = images(size)
    alone = np.stack([run(single, image) for image in batch])
    together = run(batched, batch)
    if together.shape != alone.shape:  # the graph of one has an axis of length 1 for the image
        alone = alone[:, 0]
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(run(batched, batch[::-1]), alone[::-1])
    assert (alone[0] != alone[1]).any()


def typed(model: Model, table: CalibrationTable, name: str, batch: int) -> ModelProto:
    if name == "fp32":
        return fp32_model(model, batch=batch).model
    if name == "fp16":
        return fp16_model(model, table.tensors, batch=batch).model
    return int8_model(model, PROFILES[name], table, method="mse", batch=batch).model


# those of 7 bits differ from these in the numbers alone
@pytest.mark.parametrize("name", ["fp32", "fp16", *(name for name in PROFILES if not name.endswith("-7bit"))])
def test_each_image_has_the_scores_that_it_has_alone(small: Exported, small_table: CalibrationTable, name: str) -> None:
    single, batched = (typed(small.model, small_table, name, batch) for batch in (1, BATCH))
    if name in ("fp32", *(each for each in PROFILES if PROFILES[each].rest == "fp32")):
        check_alike(single, batched)
        return
    # ONNX Runtime computes FP16 in float32 and rounds where it likes
    batch = images()
    alone = np.stack([run(single, image) for image in batch])
    np.testing.assert_allclose(run(batched, batch), alone, atol=2e-3 * np.abs(alone).max())


# those of 7 bits differ from these in the numbers alone
@pytest.mark.parametrize("name", ["fp32", "fp16", *(name for name in PROFILES if not name.endswith("-7bit"))])
def test_each_image_has_the_mask_that_it_has_alone(labels: Exported, labels_table: CalibrationTable, name: str) -> None:
    single, batched = (typed(labels.model, labels_table, name, batch) for batch in (1, BATCH))
    batch = images()
    alone, together = np.stack([run(single, image) for image in batch]), run(batched, batch)
    assert together.dtype == np.uint8
    assert together.shape == (BATCH, *SIZE)
    exact = name != "fp16" and (name == "fp32" or PROFILES[name].rest == "fp32")
    assert (together == alone).mean() >= (1 if exact else 0.999)
    assert len(np.unique(alone)) > 3


@pytest.mark.parametrize("name", ["fp32", "onnxruntime", "openvino-7bit"])
def test_shipped_model_scores_each_image_as_alone(name: str) -> None:
    model = resolved_model("camvid-mobilenet_v2-fcn8s")
    table = table_for(model, BuildRequest(precision="int8"))
    assert table is not None
    check_alike(*(typed(model, table, name, batch) for batch in (1, BATCH)))


def test_weights_stored_as_fp16_stay_so(small: Exported, tmp_path: Path) -> None:
    model = onnx.load_model(small.path)
    store_weights_as_fp16(model)
    found = resolved_model(saved(model, tmp_path / "half.onnx"))
    batched = fp32_model(found, batch=BATCH).model
    assert batched.ByteSize() < 0.6 * small.path.stat().st_size
    check_alike(fp32_model(found).model, batched)


@pytest.mark.parametrize("head", ["scores", "labels"])
@pytest.mark.parametrize("axis", [False, True])
def test_output_with_an_axis_of_its_own_gets_that_of_the_images(tmp_path: Path, head: str, axis: bool) -> None:
    network = write_tiny_network(tmp_path / "m.onnx", head=head, batched=axis)
    single = onnx.load_model(network.path)
    batched = batched_model(resolved_model(network.path), BATCH)
    batch = images()
    together = run(batched, batch)
    assert run(single, batch[0]).shape[: int(axis)] == (1,) * axis
    for image, result in zip(batch, together, strict=True):
        if head == "labels":
            np.testing.assert_array_equal(result, network.labels(image))
        else:
            np.testing.assert_allclose(result, network.scores(image), atol=1e-4)


def test_graph_says_how_many_it_takes_and_stays_open_in_size(small: Exported, tmp_path: Path) -> None:
    path = saved(fp32_model(small.model, batch=BATCH).model, tmp_path / "b.onnx")
    graph = checked_graph(path, batches=True)
    assert graph.inputs[0].shape == (BATCH, "32*h", "32*w", 3)
    assert graph.outputs[0].shape == (BATCH, 7, "4*h", "4*w")
    assert graph.batch == BATCH
    assert metadata_of_onnx(path) == metadata_of_onnx(small.path)
    frozen = saved(fp32_model(small.model, size=SIZE, batch=BATCH).model, tmp_path / "f.onnx")
    assert checked_graph(frozen, batches=True).inputs[0].shape == (BATCH, *SIZE, 3)
    check_alike(fp32_model(small.model, size=SIZE).model, onnx.load_model(frozen))


def test_nothing_is_left_of_the_axis_that_the_graph_added(small: Exported) -> None:
    graph = fp32_model(small.model, batch=2).model.graph
    assert not {"Squeeze", "Unsqueeze"} & {node.op_type for node in graph.node}
    read = {name for node in graph.node for name in node.input}
    assert {each.name for each in graph.initializer} <= read


def test_a_batch_of_one_is_the_graph_as_it_is(small: Exported) -> None:
    assert fp32_model(small.model, batch=1).model == fp32_model(small.model).model
    model = onnx.load_model(small.path)
    batch_graph(model, 1)
    assert model == onnx.load_model(small.path)


def handmade(*steps: tuple[str, list[str], str, dict[str, Any]]) -> ModelProto:
    """A graph of ``steps`` from ``image`` to ``tensor``, then one convolution with stride 8 to scores."""
    weight = np.random.default_rng(0).normal(0, 0.1, (2, 3, 8, 8)).astype(np.float32)
    constants = {
        "axis": np.array([0]),
        "mean": np.array([1, 2, 3], np.float32),
        "planes of it": np.array([1, 2, 3], np.float32).reshape(3, 1, 1),
        "weight": weight,
        "two": np.array([2, 1, 1, 1], np.float32),
        "shape": np.array([1, 3, 64, 96]),
        "scale": np.array(1, np.float32),
        "zero": np.array(0, np.uint8),
    }
    nodes = [helper.make_node(kind, inputs, [output], name=output, **how) for kind, inputs, output, how in steps]
    nodes.append(helper.make_node("Conv", ["tensor", "weight"], ["cells"], kernel_shape=[8, 8], strides=[8, 8]))
    nodes.append(helper.make_node("Squeeze", ["cells", "axis"], ["scores"]))
    graph = helper.make_graph(
        nodes,
        "handmade",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [*SIZE, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [2, SIZE[0] // 8, SIZE[1] // 8])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


CAST: tuple[str, dict[str, Any]] = ("Cast", {"to": TensorProto.FLOAT})
HEADS = {
    "cast first": [
        ("Cast", ["image"], "f", CAST[1]),
        ("Transpose", ["f"], "t", {"perm": [2, 0, 1]}),
        ("Unsqueeze", ["t", "axis"], "tensor", {}),
    ],
    "transpose first": [
        ("Transpose", ["image"], "t", {"perm": [2, 0, 1]}),
        ("Cast", ["t"], "f", CAST[1]),
        ("Unsqueeze", ["f", "axis"], "tensor", {}),
    ],
    "unsqueeze first": [
        ("Unsqueeze", ["image", "axis"], "u", {}),
        ("Cast", ["u"], "f", CAST[1]),
        ("Transpose", ["f"], "tensor", {"perm": [0, 3, 1, 2]}),
    ],
    "normalized between": [
        ("Cast", ["image"], "f", CAST[1]),
        ("Sub", ["f", "mean"], "s", {}),
        ("Transpose", ["s"], "t", {"perm": [2, 0, 1]}),
        ("Div", ["t", "planes of it"], "d", {}),
        ("Unsqueeze", ["d", "axis"], "tensor", {}),
    ],
    "quantized between": [
        ("Cast", ["image"], "f", CAST[1]),
        ("QuantizeLinear", ["f", "scale", "zero"], "q", {}),
        ("DequantizeLinear", ["q", "scale", "zero"], "d", {}),
        ("Transpose", ["d"], "t", {"perm": [2, 0, 1]}),
        ("Unsqueeze", ["t", "axis"], "tensor", {}),
    ],
}


@pytest.mark.parametrize("steps", HEADS.values(), ids=HEADS)
def test_the_image_may_come_to_the_network_in_any_order(steps: list[Any]) -> None:
    single, batched = handmade(*steps), handmade(*steps)
    batch_graph(batched, BATCH)
    onnx.checker.check_model(batched, full_check=True)
    check_alike(single, batched)


MIXING = {
    "Reshape": [
        ("Cast", ["image"], "f", CAST[1]),
        ("Reshape", ["f", "shape"], "tensor", {}),
    ],
    "Concat": [
        *HEADS["cast first"][:2],
        ("Unsqueeze", ["t", "axis"], "u", {}),
        ("Concat", ["u", "u"], "tensor", {"axis": 0}),
    ],
    "Transpose": [
        *HEADS["cast first"][:2],
        ("Unsqueeze", ["t", "axis"], "u", {}),
        ("Transpose", ["u"], "tensor", {"perm": [1, 0, 2, 3]}),
    ],
    "Resize": [
        *HEADS["cast first"][:2],
        ("Unsqueeze", ["t", "axis"], "u", {}),
        ("Resize", ["u", "", "two"], "tensor", {"mode": "nearest"}),
    ],
    "Add": [
        *HEADS["cast first"][:2],
        ("Identity", ["t"], "i", {}),
        ("Unsqueeze", ["i", "axis"], "u", {}),
        ("Add", ["u", "t"], "tensor", {}),
    ],
    "Unsqueeze": [
        *HEADS["cast first"][:2],
        ("Unsqueeze", ["t", "axis"], "u", {}),
        ("Add", ["u", "t"], "tensor", {}),
    ],
}


@pytest.mark.parametrize("operator", MIXING)
def test_graphs_that_might_mix_the_images_are_refused(operator: str) -> None:
    model = handmade(*MIXING[operator])
    with pytest.raises(ModelError, match=f"several images at once: {operator} .* might mix them") as caught:
        batch_graph(model, 2)
    assert "without --batch" in caught.value.fix


def test_graphs_of_several_images_are_not_batched_again(small: Exported) -> None:
    model = fp32_model(small.model, batch=2).model
    with pytest.raises(ModelError, match="does not take one image"):
        batch_graph(model, 2)


def test_a_sum_of_branches_keeps_them_apart() -> None:
    single, batched = SmallGraph(), SmallGraph()
    for graph in (single, batched):
        random = np.random.default_rng(0)
        graph.conv("first", "planes", random.normal(0, 0.1, (16, 3, 8, 8)), strides=[8, 8])
        graph.conv("branch", "first", random.normal(0, 1, (16, 16, 1, 1)))
        graph.node("Add", ["first", "branch"], "sum")
        graph.conv("last", "sum", random.normal(0, 1, (2, 16, 1, 1)))
    made, again = single.model("last"), batched.model("last")
    batch_graph(again, BATCH)
    check_alike(made, again)
