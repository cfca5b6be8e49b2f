"""NVIDIA's own parser, type checker and compiler as the judge of typed graphs; TensorRT-RTX builds without a GPU."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto

from fcn_edge.artifacts.calibration_table import CalibrationTable
from fcn_edge.artifacts.models import resolved_model
from fcn_edge.artifacts.onnx_precisions import float32_islands
from fcn_edge.artifacts.spec import Size
from fcn_edge.quantization.calibrate import ranges_of_images
from fcn_edge.quantization.profiles import PROFILES
from fcn_edge.quantization.typed_graph import Typed, fp16_model, fp32_model, int8_model

from ..exported_fixtures import table_of
from ..exported_networks import Exported, an_encoder_each
from .cropped_network import SIZES as CROPPED_SIZES
from .cropped_network import cropped_network
from .graphs import saved

SIZE = (64, 96)

Compiled = Callable[[ModelProto, Size], bytes]


@pytest.fixture(scope="session")
def library() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module: ModuleType = pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")
    return module


@pytest.fixture(scope="session")
def compiled(library: ModuleType) -> Compiled:
    """Compiles a graph at a size for an RTX 30 GPU; what the library has against it fails the test."""
    said: list[str] = []

    class Log(library.ILogger):  # type: ignore[misc, name-defined]
        def log(self, severity: Any, message: str) -> None:
            if severity in (library.ILogger.ERROR, library.ILogger.INTERNAL_ERROR):
                said.append(message)

    # the library keeps the first logger that it was given, whatever it is given later
    log = Log()

    def compile_graph(model: ModelProto, size: Size) -> bytes:
        said.clear()
        builder = library.Builder(log)
        network = builder.create_network(1 << int(library.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
        parser = library.OnnxParser(network, log)
        parsed = parser.parse(model.SerializeToString())
        assert parsed, [parser.get_error(index).desc() for index in range(parser.num_errors)]
        config = builder.create_builder_config()
        config.num_compute_capabilities = 1
        config.set_compute_capability(library.ComputeCapability.SM86, 0)
        profile = builder.create_optimization_profile()
        several = tuple(network.get_input(0).shape)[:-3]
        profile.set_shape("image", *[(*several, *size, 3)] * 3)
        config.add_optimization_profile(profile)
        plan = builder.build_serialized_network(network, config)
        assert plan is not None, said
        assert not said
        return bytes(plan)

    return compile_graph


def graph_of(exported: Exported, table: CalibrationTable, int8: Callable[[str], Typed], precision: str) -> ModelProto:
    if precision == "int8":
        return int8("tensorrt").model
    return (fp32_model(exported.model) if precision == "fp32" else fp16_model(exported.model, table.tensors)).model


@an_encoder_each
def test_typed_graphs_compile(
    exported: Exported, table: CalibrationTable, int8: Callable[[str], Typed], compiled: Compiled
) -> None:
    sizes = [len(compiled(graph_of(exported, table, int8, precision), SIZE)) for precision in ("fp32", "fp16", "int8")]
    assert sizes[1] < 0.75 * sizes[0]
    if exported.path.stat().st_size > 8 << 20:  # of thinner ones most of a plan is the code of the kernels
        assert sizes[2] < sizes[0]


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_graphs_that_end_in_a_mask_compile(
    labels: Exported, labels_table: CalibrationTable, compiled: Compiled, precision: str
) -> None:
    if precision == "fp16":
        typed = fp16_model(labels.model, labels_table.tensors, size=SIZE)
    else:
        typed = int8_model(labels.model, PROFILES["tensorrt"], labels_table, method="mse", size=SIZE)
    assert compiled(typed.model, SIZE)


def test_graph_with_islands_of_float32_compiles(
    small: Exported, small_table: CalibrationTable, compiled: Compiled, tmp_path: Path
) -> None:
    """As if a sum had been measured to leave FP16: casts lie around it, none between a pair and its convolution."""
    loud = small_table.tensors["add_3"].model_copy(update={"high": 1e5, "mse": (-1e5, 1e5), "mse_amax": 1e5})
    table = small_table.model_copy(update={"tensors": {**small_table.tensors, "add_3": loud}})
    half = fp16_model(small.model, table.tensors)
    whole = int8_model(small.model, PROFILES["tensorrt"], table, method="mse")
    assert "add_3" in half.islands
    assert whole.islands == half.islands
    for typed in (half, whole):
        assert compiled(typed.model, SIZE)
        # what is bound to float32 where the builder may choose the types, told by the file alone
        path = tmp_path / "typed.onnx"
        path.write_bytes(typed.model.SerializeToString())
        assert float32_islands(path) == set(typed.islands)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_graphs_of_several_images_compile(
    small: Exported, small_table: CalibrationTable, compiled: Compiled, precision: str
) -> None:
    if precision == "fp32":
        typed = fp32_model(small.model, batch=4)
    elif precision == "fp16":
        typed = fp16_model(small.model, small_table.tensors, batch=4)
    else:
        typed = int8_model(small.model, PROFILES["tensorrt"], small_table, method="mse", batch=4)
    assert compiled(typed.model, SIZE)


def test_a_graph_of_several_images_that_ends_in_masks_compiles(labels: Exported, compiled: Compiled) -> None:
    assert compiled(fp32_model(labels.model, batch=4).model, SIZE)


@pytest.mark.parametrize(("precision", "attention", "frozen"), [("fp16", True, False), ("int8", False, True)])
def test_networks_of_others(compiled: Compiled, precision: str, attention: bool, frozen: bool, tmp_path: Path) -> None:
    model = resolved_model(saved(cropped_network(attention=attention), tmp_path / "cropped.onnx"))
    image = np.random.default_rng(0).integers(0, 256, (*CROPPED_SIZES[0], 3), np.uint8)
    ranges = ranges_of_images(model, [image], threads=1)
    size = CROPPED_SIZES[1] if frozen else None
    if precision == "fp16":
        typed = fp16_model(model, ranges, size=size)
    else:
        table = table_of(model.path, model.spec, ranges)
        typed = int8_model(model, PROFILES["tensorrt"], table, method="mse", size=size)
    assert compiled(typed.model, CROPPED_SIZES[1])
