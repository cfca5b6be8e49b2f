from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from fcn_edge.artifacts.calibration_table import TABLE_KEY, CalibrationTable
from fcn_edge.artifacts.models import resolved_model
from fcn_edge.artifacts.onnx_header import SPEC_KEY, metadata_of_onnx, model_digest, spec_of_onnx
from fcn_edge.artifacts.onnx_precisions import float32_islands
from fcn_edge.backends.onnxruntime.cpu import OnnxRuntime
from fcn_edge.backends.options import RunOptions
from fcn_edge.errors import ModelError, SpecError
from fcn_edge.export.rewrite import store_weights_as_fp16
from fcn_edge.ops.decode import decode
from fcn_edge.ops.geometry import placement
from fcn_edge.quantization.profiles import PROFILES, profile_for
from fcn_edge.quantization.typed_graph import Typed, clipped_ranges, fp16_model, fp32_model, int8_model, source_model
from fcn_edge.system.cpu import instruction_set
from fcn_edge.version import __version__

from ..exported_networks import Exported, an_encoder_each, convolutions, macs_of
from .graphs import SmallGraph, Wires, run, run_exactly_typed, saved

Int8 = Callable[[str], Typed]
TableOf = Callable[..., CalibrationTable]


@an_encoder_each
@pytest.mark.parametrize("name", PROFILES)
def test_int8_stays_close_to_float(exported: Exported, int8: Int8, images_of_size, name: str) -> None:
    """As the graph says it, whatever the processor's own products do.

    The weights are random, so nothing is redundant, and errors add up over the 53 layers before ResNet-50's scores.
    """
    image = images_of_size((96, 160))[0]
    exact, rounded = run(onnx.load_model(exported.path), image), run(int8(name).model, image)
    mapping = placement((96, 160), (96, 160), exported.spec.resize).mapping(exported.spec.stride)
    assert (decode(exact, mapping, 255) == decode(rounded, mapping, 255)).mean() > 0.85
    assert 0.01 < np.sqrt(((exact - rounded) ** 2).mean()) / exact.std() < 0.25


@an_encoder_each
def test_int8_gives_the_labels_of_float_on_this_processor(
    exported: Exported, int8: Int8, images_of_size, tmp_path: Path
) -> None:
    typed = int8(profile_for("onnxruntime", instruction_set()).name)
    masks = []
    path = saved(typed.model, tmp_path / "int8.onnx")
    for file, spec in ((exported.path, exported.spec), (path, typed.spec)):
        with (
            OnnxRuntime().open_onnx(file, spec, spec.size, RunOptions(threads=1)) as engine,
            engine.session() as session,
        ):
            masks.append([session.labels(image) for image in images_of_size((96, 160))])
    path.unlink()
    assert np.mean(np.equal(*masks)) > 0.9


@an_encoder_each
@pytest.mark.parametrize("name", PROFILES)
def test_int8_share_is_that_of_the_macs(exported: Exported, int8: Int8, name: str) -> None:
    """Counted by torch, over the convolutions whose both operands come out of a DequantizeLinear."""
    typed, macs = int8(name), macs_of(exported, exported.spec.size)
    wires = Wires(typed.model)
    convs = wires.of_type("Conv")
    depthwise = {layer for layer, module in exported.net.named_modules() if getattr(module, "groups", 1) > 1}
    done = {node.name for node in convs if all(wires.dequantized(each) for each in node.input[:2])}
    assert set(typed.quantized) == done
    whole = sum(count for layer, count in macs.items() if layer not in depthwise)
    share = sum(macs[layer] for layer in done - depthwise) / whole
    assert typed.int8_share == pytest.approx(share, rel=1e-9)
    assert share > 0.9


def test_share_falls_with_the_layers_that_stay_float(small: Exported, small_table: CalibrationTable) -> None:
    macs = macs_of(small, small.spec.size)
    layer = "encoder.features.18.0"
    layers = convolutions(small.net, small.spec.decoder)
    whole = sum(count for name, count in macs.items() if layers[name].groups == 1)
    shares = [
        int8_model(small.model, PROFILES["tensorrt"], small_table, method="mse", excluded_layers=floats).int8_share
        for floats in ((), (layer,))
    ]
    assert shares[0] - shares[1] == pytest.approx(macs[layer] / whole, rel=1e-9)


def test_graph_says_what_it_is_and_what_it_was_made_with(
    small: Exported, small_table: CalibrationTable, tmp_path: Path
) -> None:
    digest = model_digest(small.path)
    typed = int8_model(
        small.model,
        PROFILES["tensorrt"],
        small_table,
        method="entropy",
        excluded_layers=["encoder.features.0.0"],
    )
    path = saved(typed.model, tmp_path / "int8.onnx")
    assert spec_of_onnx(path) == typed.spec == small.spec.replace(precision="int8", profile="tensorrt")
    metadata = metadata_of_onnx(path)
    assert set(metadata) == {SPEC_KEY, TABLE_KEY}
    assert json.loads(metadata[TABLE_KEY]) == {
        "schema_version": 2,
        "written_by": __version__,
        "table": small_table.digest,
        "model": digest,
        "method": "entropy",
        "excluded_layers": ["encoder.features.0.0"],
        "images": sorted(small_table.image_hashes),
        "int8_share": typed.int8_share,
    }
    assert model_digest(small.path) == digest


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_graph_may_be_frozen_at_a_size(
    small: Exported, small_table: CalibrationTable, images_of_size, precision: str
) -> None:
    size = (64, 96)
    typed = {
        "fp32": lambda: fp32_model(small.model, size=size),
        "fp16": lambda: fp16_model(small.model, small_table.tensors, size=size),
        "int8": lambda: int8_model(small.model, PROFILES["openvino"], small_table, method="mse", size=size),
    }[precision]()
    assert (typed.spec.size, typed.spec.precision) == (size, precision)
    image, scores = typed.model.graph.input[0], typed.model.graph.output[0]
    assert [dim.dim_value for dim in image.type.tensor_type.shape.dim] == [64, 96, 3]
    assert [dim.dim_value for dim in scores.type.tensor_type.shape.dim] == [7, 8, 12]
    assert run(typed.model, images_of_size(size)[0]).shape == (7, 8, 12)


def test_fp32_graph_is_the_model_s_own(small: Exported) -> None:
    typed = fp32_model(small.model)
    assert typed.model.graph == onnx.load_model(small.path).graph
    assert (typed.spec, typed.quantized, typed.islands, typed.int8_share) == (small.spec, (), (), 0.0)


def test_sizes_that_no_network_takes_are_refused(small: Exported) -> None:
    with pytest.raises(SpecError, match="multiples of 32"):
        fp32_model(small.model, size=(64, 97))


def test_tables_of_models_that_end_in_a_mask_hold_the_large_scores_too(
    small_table: CalibrationTable, labels_table: CalibrationTable
) -> None:
    table = labels_table
    assert {name: table.tensors[name] for name in small_table.tensors} == small_table.tensors
    assert set(table.tensors) - set(small_table.tensors) == {"labels.resize"}


@pytest.mark.parametrize("name", PROFILES)
def test_models_that_end_in_a_mask_are_quantized(
    labels: Exported, labels_table: CalibrationTable, images_of_size, name: str
) -> None:
    typed = int8_model(labels.model, PROFILES[name], labels_table, method="mse")
    wires = Wires(typed.model)
    for node in (wires.named(each) for each in ("labels.resize", "labels.squeeze", "labels.argmax")):
        assert not any(wires.dequantized(each) for each in node.input)
    image = images_of_size((96, 160))[0]
    exact, rounded = run(onnx.load_model(labels.path), image), run(typed.model, image)
    assert rounded.dtype == np.uint8
    assert (exact == rounded).mean() > 0.85


def test_models_with_weights_stored_as_fp16_are_quantized(
    small: Exported, made_table: TableOf, images_of_size, tmp_path: Path
) -> None:
    model = onnx.load_model(small.path)
    store_weights_as_fp16(model)
    path = saved(model, tmp_path / "half.onnx")
    table = made_table(path, small.spec)
    image = images_of_size((96, 160))[0]
    exact = run(model, image)
    for name, layers in (("tensorrt", 35), ("onnxruntime", 52)):
        typed = int8_model(resolved_model(path), PROFILES[name], table, method="mse")
        assert len(typed.quantized) == layers
        assert np.sqrt(((run(typed.model, image) - exact) ** 2).mean()) < 0.15 * exact.std()


def test_tables_that_lack_a_tensor_are_refused(small: Exported, small_table: CalibrationTable) -> None:
    tensors = {name: each for name, each in small_table.tensors.items() if name not in ("add_3", "add_5")}
    table = small_table.model_copy(update={"tensors": tensors})
    with pytest.raises(ModelError, match=r"lacks 2 tensors of .*, such as add_3") as caught:
        int8_model(small.model, PROFILES["tensorrt"], table, method="mse")
    assert "fcn-edge calibrate" in caught.value.fix


def test_graphs_that_are_typed_already_are_refused(
    small: Exported, small_table: CalibrationTable, int8_file: Path
) -> None:
    for typed in (
        lambda: fp32_model(resolved_model(int8_file)),
        lambda: fp16_model(resolved_model(int8_file), small_table.tensors),
        lambda: int8_model(resolved_model(int8_file), PROFILES["tensorrt"], small_table, method="mse"),
    ):
        with pytest.raises(ModelError, match="is an int8 graph already; an fp32 one was expected") as caught:
            typed()
        assert "fcn-edge export" in caught.value.fix


def unknown_operator(model: onnx.ModelProto) -> None:
    model.graph.node[5].op_type = "Convolve"


def missing_tensor(model: onnx.ModelProto) -> None:
    model.graph.node[5].input[0] = "nowhere"


def short_weights(model: onnx.ModelProto) -> None:
    model.graph.initializer[3].raw_data = model.graph.initializer[3].raw_data[:-4]


def weights_elsewhere(model: onnx.ModelProto) -> None:
    weights = model.graph.initializer[3]
    weights.data_location = onnx.TensorProto.EXTERNAL
    weights.ClearField("raw_data")
    weights.external_data.add(key="location", value="nowhere.bin")


def wrong_shape(model: onnx.ModelProto) -> None:
    model.graph.output[0].type.tensor_type.shape.dim.add()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (unknown_operator, "is not an ONNX file, or is cut off"),
        (missing_tensor, "which nothing before it gives"),
        (short_weights, "not as many as its shape says"),
        (weights_elsewhere, "keeps weights in another file"),
        (wrong_shape, "is not an ONNX file, or is cut off"),
    ],
)
def test_damaged_graphs_are_a_model_error(
    small: Exported, tmp_path: Path, damage: Callable[[onnx.ModelProto], None], message: str
) -> None:
    model = onnx.load_model(small.path)
    onnx.helper.set_model_props(model, {SPEC_KEY: small.spec.to_json()})  # without a seal
    damage(model)
    path = tmp_path / "damaged.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=rf"damaged\.onnx .*{message}"):
        source_model(resolved_model(path))


def test_bytes_that_are_no_graph_are_a_model_error(small: Exported, tmp_path: Path) -> None:
    """A field that says ``graph`` and holds something else: whole as protobuf's outer message is."""
    spec = small.spec.to_json().encode()
    model = onnx.ModelProto()
    onnx.helper.set_model_props(model, {SPEC_KEY: spec.decode()})
    path = tmp_path / "damaged.onnx"
    path.write_bytes(model.SerializeToString() + b"\x3a\x03\xff\xff\xff" + b"\x42\x02\x10\x14")
    with pytest.raises(ModelError, match=r"damaged\.onnx is not an ONNX file"):
        source_model(resolved_model(path))


METHODS = {
    "minmax": lambda span: (span.low, span.high, max(-span.low, span.high)),
    "percentile": lambda span: (*span.percentile, max(-span.percentile[0], span.percentile[1])),
    "entropy": lambda span: (max(span.low, -span.entropy), min(span.high, span.entropy), span.entropy),
    "mse": lambda span: (*span.mse, span.mse_amax),
}


@pytest.mark.parametrize("method", METHODS)
def test_ranges_are_those_of_the_method(small_table: CalibrationTable, method: str) -> None:
    found = clipped_ranges(small_table, method)
    assert set(found) == set(small_table.tensors)
    for name, span in small_table.tensors.items():
        low, high, amax = METHODS[method](span)
        assert (found[name].low, found[name].high, found[name].amax) == (min(low, 0.0), max(high, 0.0), amax)


def test_other_methods_are_refused(small_table: CalibrationTable) -> None:
    with pytest.raises(ValueError, match="no method 'max'"):
        clipped_ranges(small_table, "max")


def test_a_sum_beyond_fp16_stays_whole_in_int8(made_table: TableOf, tmp_path: Path) -> None:
    """Nothing next to it is rounded to a pair in FP16, whose end it is beyond.

    The bounds of the Clip, though nothing reaches them, keep the network from being divided by a number instead.
    """
    random = np.random.default_rng(0)
    graph = SmallGraph()
    graph.conv("first", "planes", random.uniform(0.5, 1, (16, 3, 8, 8)) * 10, strides=[8, 8])
    graph.conv("second", "first", random.normal(0, 1e-4, (16, 16, 1, 1)))
    graph.conv("branch", "second", random.normal(0, 1, (16, 16, 1, 1)))
    graph.node("Add", ["first", "branch"], "sum")
    graph.conv("third", "sum", random.normal(0, 1e-4, (16, 16, 1, 1)))
    bounds = [graph.constant(f"bound{end}", np.array(end, np.float32)) for end in (-1e4, 1e4)]
    graph.node("Clip", ["third", *bounds], "clip")
    graph.conv("last", "clip", random.normal(0, 1, (2, 16, 1, 1)))
    model = graph.model("last")
    path = saved(model, tmp_path / "loud.onnx")
    typed = int8_model(
        resolved_model(path), PROFILES["tensorrt"], made_table(path, spec_of_onnx(path)), method="minmax"
    )
    assert set(typed.islands) == {"first", "second", "sum", "third"}
    assert (typed.quantized, typed.divisor) == (("branch",), 1)
    assert float32_islands(saved(typed.model, tmp_path / "typed.onnx")) == set(typed.islands)
    image = random.integers(0, 256, (32, 64, 3), np.uint8)
    exact = run(model, image)
    assert np.abs(run_exactly_typed(typed.model, image) - exact).max() < 0.02 * np.abs(exact).max()


@pytest.mark.parametrize("name", ["tensorrt", "onnxruntime", "openvino"])
def test_branches_that_take_the_image_in_other_forms(made_table: TableOf, tmp_path: Path, name: str) -> None:
    """The detail of the image as it is, and the context of a normalized one, as two-branch networks have them."""
    random = np.random.default_rng(0)
    graph = SmallGraph()
    graph.node("Mul", ["planes", graph.constant("factor", np.float32([1 / 255]))], "normal")
    context = graph.conv("context", "normal", random.uniform(-0.2, 0.2, (16, 3, 8, 8)), strides=[8, 8])
    detail = graph.conv("detail", "planes", random.uniform(-1e-3, 1e-3, (16, 3, 8, 8)), strides=[8, 8])
    graph.node("Relu", graph.node("Add", [context, detail], "sum"), "features")
    graph.conv("score", "features", random.normal(0, 1, (2, 16, 1, 1)))
    model = graph.model("score")
    path = saved(model, tmp_path / "branches.onnx")
    table = made_table(path, spec_of_onnx(path))
    assert {"normal", "planes", "sum", "features", "score"} <= set(table.tensors)
    typed = int8_model(resolved_model(path), PROFILES[name], table, method="minmax")
    assert {"context", "detail"} <= set(typed.quantized)
    image = random.integers(0, 256, (32, 64, 3), np.uint8)
    exact = run(model, image)
    assert np.sqrt(((run(typed.model, image) - exact) ** 2).mean()) < 0.15 * exact.std()
