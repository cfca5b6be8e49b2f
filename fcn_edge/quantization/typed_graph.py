"""One strongly typed ONNX per precision: what a backend compiles as it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import ModelProto

from fcn_edge.artifacts.calibration_table import TABLE_KEY, CalibrationTable, Method, TensorRange
from fcn_edge.artifacts.onnx_header import SPEC_KEY, damaged_onnx, spec_of_onnx
from fcn_edge.artifacts.quantization_record import QuantizationRecord
from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.errors import ModelError
from fcn_edge.quantization.fp16 import float_islands, halve
from fcn_edge.quantization.graph import GraphView, fix_size
from fcn_edge.quantization.profiles import Profile
from fcn_edge.quantization.qdq import quantize
from fcn_edge.quantization.thresholds import Range

__all__ = ["Typed", "clipped_ranges", "fp16_model", "fp32_model", "int8_model", "source_model"]


@dataclass(frozen=True)
class Typed:
    """A typed graph.

    Attributes:
        model: The graph, the spec in its metadata.
        spec: What it says of itself.
        quantized: Convolutions with INT8 operands, by layer name.
        islands: Nodes that keep float32 in an FP16 graph.
        int8_share: Share of the convolution MACs outside depthwise ones with INT8 operands, 0 to 1.
    """

    model: ModelProto
    spec: ModelSpec
    quantized: tuple[str, ...]
    islands: tuple[str, ...]
    int8_share: float


def source_model(path: Path) -> ModelProto:
    """The float graph of a file, to be typed.

    Raises:
        ModelError: The file is missing or damaged, or its graph is no fp32 one.
    """
    spec = spec_of_onnx(path)
    if spec.precision != "fp32":
        raise ModelError(
            f"{path} is an {spec.precision} graph already; an fp32 one was expected.",
            "Give the ONNX file of fcn-edge export.",
        )
    try:
        model = onnx.load_model(path)
        onnx.checker.check_model(model, full_check=True)
    except MemoryError:
        raise
    except Exception as error:  # protobuf's, onnx's and the file system's, which have no base class in common
        raise damaged_onnx(path) from error
    return model


def fp32_model(path: Path, *, size: Size | None = None) -> Typed:
    """A model's graph as it is, or frozen at a size.

    Args:
        path: The fp32 ONNX file.
        size: ``(height, width)`` to freeze the graph at; open when left out.

    Raises:
        ModelError: The file is damaged.
    """
    model = source_model(path)
    spec = _spec(path, size)
    _finish(model, size, {SPEC_KEY: spec.to_json()})
    return Typed(model, spec, (), (), 0.0)


def fp16_model(path: Path, ranges: Mapping[str, TensorRange], *, size: Size | None = None) -> Typed:
    """A model's graph in FP16.

    Args:
        path: The fp32 ONNX file.
        ranges: Ranges of its activations; they decide what keeps float32.
        size: ``(height, width)`` to freeze the graph at; open when left out.

    Raises:
        ModelError: The file is damaged, or a weight does not fit into FP16.
    """
    model = source_model(path)
    islands = float_islands(model, ranges)
    halve(model, islands)
    spec = _spec(path, size, precision="fp16")
    _finish(model, size, {SPEC_KEY: spec.to_json()})
    return Typed(model, spec, (), tuple(sorted(islands)), 0.0)


def int8_model(
    path: Path,
    profile: Profile,
    table: CalibrationTable,
    *,
    method: Method,
    excluded_layers: Collection[str] = (),
    size: Size | None = None,
) -> Typed:
    """A model's graph with the Q/DQ of a profile.

    Args:
        path: The fp32 ONNX file that the table was made for.
        profile: Quantization profile of the backend that is to run it.
        table: Its calibration table.
        method: How activations are clipped.
        excluded_layers: Layers that stay in floating point.
        size: ``(height, width)`` to freeze the graph at; open when left out.

    Raises:
        ModelError: The file is damaged, or the table lacks a tensor of it.
    """
    model = source_model(path)
    spec = _spec(path, size, precision="int8", profile=profile.name)
    view = GraphView(model)
    missing = [name for name in view.activations() if name not in table.tensors]
    if missing:
        raise ModelError(
            f"The calibration table lacks {len(missing)} tensors of {path}, such as {missing[0]}.",
            f"Make it again: fcn-edge calibrate {path} --images DIR -o TABLE.json",
        )
    macs = view.macs(spec.size)
    depthwise = {conv.name for conv in view.convs if conv.depthwise}
    islands = float_islands(model, table.tensors) if profile.rest == "fp16" else frozenset()
    means = {name: span.channel_means for name, span in table.tensors.items()}
    # what FP16 cannot hold stays in float32 altogether: Q/DQ must not be parted from its convolution by a cast
    excluded_layers = islands.union(excluded_layers)
    quantized = quantize(
        model, profile, clipped_ranges(table, method), excluded_layers=excluded_layers, channel_means=means
    )
    if profile.rest == "fp16":
        halve(model, islands)
    whole = sum(count for name, count in macs.items() if name not in depthwise)
    share = sum(macs[name] for name in quantized if name not in depthwise) / max(1, whole)
    origin = QuantizationRecord(
        table=table.digest,
        model=table.model_digest,
        method=method,
        excluded_layers=tuple(sorted(excluded_layers)),
        images=tuple(sorted(table.image_hashes)),
        int8_share=share,
    )
    _finish(model, size, {SPEC_KEY: spec.to_json(), TABLE_KEY: origin.model_dump_json()})
    return Typed(model, spec, quantized, tuple(sorted(islands)), share)


def clipped_ranges(table: CalibrationTable, method: Method) -> dict[str, Range]:
    """Where a method clips each tensor of a table."""
    return {name: _range(span, method) for name, span in table.tensors.items()}


def _range(span: TensorRange, method: Method) -> Range:
    low, high = min(span.low, 0.0), max(span.high, 0.0)
    if method == "minmax":
        return Range(low, high, max(-low, high))
    if method == "percentile":
        return Range(*span.percentile, amax=max(-span.percentile[0], span.percentile[1]))
    if method == "entropy":
        return Range(max(low, -span.entropy), min(high, span.entropy), span.entropy)
    if method == "mse":
        return Range(*span.mse, amax=span.mse_amax)
    raise ValueError(f"there is no method {method!r}")


def _spec(path: Path, size: Size | None, **changes: object) -> ModelSpec:
    spec = spec_of_onnx(path)
    return spec.replace(**changes, size=size or spec.size)


def _finish(model: ModelProto, size: Size | None, metadata: dict[str, str]) -> None:
    if size is not None:
        fix_size(model, size)
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
