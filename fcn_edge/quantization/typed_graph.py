"""One strongly typed ONNX per precision: what a backend compiles as it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import onnx
from onnx import ModelProto

from fcn_edge.artifacts.calibration_table import TABLE_KEY, CalibrationTable, Method, TensorRange
from fcn_edge.artifacts.models import Model
from fcn_edge.artifacts.onnx_graph import EXPORT_AGAIN, check_image
from fcn_edge.artifacts.onnx_header import SPEC_KEY, damaged_onnx
from fcn_edge.artifacts.onnx_seal import SEAL_KEY
from fcn_edge.artifacts.quantization_record import QuantizationRecord
from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.errors import FcnEdgeError, ModelError
from fcn_edge.quantization.batching import batch_graph
from fcn_edge.quantization.fp16 import float_islands, halve
from fcn_edge.quantization.fp16_scaling import divide_activations
from fcn_edge.quantization.graph import GraphView
from fcn_edge.quantization.profiles import Profile
from fcn_edge.quantization.qdq import quantize
from fcn_edge.quantization.shapes import fix_size
from fcn_edge.quantization.thresholds import Range
from fcn_edge.text import quoted

__all__ = ["Typed", "batched_model", "clipped_ranges", "fp16_model", "fp32_model", "int8_model", "source_model"]


@dataclass(frozen=True)
class Typed:
    """A typed graph.

    Attributes:
        model: The graph, the spec in its metadata.
        spec: What it says of itself.
        quantized: Convolutions with INT8 operands, by layer name.
        islands: Nodes that keep float32 in an FP16 graph.
        int8_share: Share of the convolution MACs outside depthwise ones with INT8 operands, 0 to 1.
        record: Where the ranges of an INT8 graph come from, as its metadata say too; None in a float graph.
        divisor: What activations between the first convolutions and the scores' are divided by, so that FP16 holds
            them: a power of two.
    """

    model: ModelProto
    spec: ModelSpec
    quantized: tuple[str, ...]
    islands: tuple[str, ...]
    int8_share: float
    record: QuantizationRecord | None = None
    divisor: int = 1


def source_model(model: Model) -> ModelProto:
    """The float graph of a model, to be typed.

    Raises:
        ModelError: The file is damaged, was changed since it was opened, or its graph is no fp32 one of one image.
    """
    if model.spec.precision != "fp32":
        raise ModelError(
            f"{model.path} is an {model.spec.precision} graph already; an fp32 one was expected.",
            "Give the ONNX file of fcn-edge export.",
        )
    if model.graph.batch > 1:
        raise ModelError(
            f"{model.path} takes {model.graph.batch} images at once; a graph of one was expected.",
            "Give the ONNX file of fcn-edge export.",
        )
    check_image(model.path, model.graph)
    return _loaded(model)


def batched_model(model: Model, batch: int) -> ModelProto:
    """A model's graph as it is, typed already or not, for several images at once; its metadata stay, but for its seal.

    Args:
        model: The ONNX file.
        batch: Images that the graph is to take at once, >= 1.

    Raises:
        ModelError: The file is damaged, was changed since it was opened, or its graph cannot be batched.
    """
    proto = _loaded(model)
    metadata = {entry.key: entry.value for entry in proto.metadata_props if entry.key != SEAL_KEY}
    onnx.helper.set_model_props(proto, metadata)
    batch_graph(proto, batch)
    _check(proto)
    return proto


def _loaded(model: Model) -> ModelProto:
    try:
        with model.opened() as file:
            proto = onnx.load_model(file)
        onnx.checker.check_model(proto, full_check=True)
    except (MemoryError, FcnEdgeError):
        raise
    except Exception as error:  # protobuf's, onnx's and the file system's, which have no base class in common
        raise damaged_onnx(model.path) from error
    return proto


def fp32_model(model: Model, *, size: Size | None = None, batch: int = 1) -> Typed:
    """A model's graph as it is, or frozen at a size.

    Args:
        model: The fp32 ONNX file.
        size: ``(height, width)`` to freeze the graph at; open when left out.
        batch: Images that the graph takes at once.

    Raises:
        ModelError: The file is damaged, or its graph cannot be batched.
    """
    proto = source_model(model)
    spec = _spec(model, size)
    _finish(proto, spec, size, batch, {SPEC_KEY: spec.to_json()})
    return Typed(proto, spec, (), (), 0.0)


def fp16_model(model: Model, ranges: Mapping[str, TensorRange], *, size: Size | None = None, batch: int = 1) -> Typed:
    """A model's graph in FP16.

    Args:
        model: The fp32 ONNX file.
        ranges: Ranges of its activations; they decide what they are divided by, and what keeps float32.
        size: ``(height, width)`` to freeze the graph at; open when left out.
        batch: Images that the graph takes at once.

    Raises:
        ModelError: The file is damaged, a weight does not fit into FP16, or the graph cannot be batched.
    """
    proto = source_model(model)
    divisor, ranges = divide_activations(proto, ranges)
    islands = float_islands(proto, ranges)
    halve(proto, islands)
    spec = _spec(model, size, precision="fp16")
    _finish(proto, spec, size, batch, {SPEC_KEY: spec.to_json()})
    return Typed(proto, spec, (), tuple(sorted(islands)), 0.0, divisor=divisor)


def int8_model(
    model: Model,
    profile: Profile,
    table: CalibrationTable,
    *,
    method: Method,
    excluded_layers: Collection[str] = (),
    size: Size | None = None,
    batch: int = 1,
) -> Typed:
    """A model's graph with the Q/DQ of a profile.

    Args:
        model: The fp32 ONNX file that the table was made for.
        profile: Quantization profile of the backend that is to run it.
        table: Its calibration table.
        method: How activations are clipped.
        excluded_layers: Layers that stay in floating point.
        size: ``(height, width)`` to freeze the graph at; open when left out.
        batch: Images that the graph takes at once.

    Raises:
        ModelError: The file is damaged, the table lacks a tensor of it, or the graph cannot be batched.
    """
    proto = source_model(model)
    spec = _spec(model, size, precision="int8", profile=profile.name)
    view = GraphView(proto)
    missing = [name for name in view.activations() if name not in table.tensors]
    if missing:
        raise ModelError(
            f"The calibration table lacks {len(missing)} tensors of {model.path}, such as {missing[0]}.",
            f"Make it again: fcn-edge calibrate {quoted(model.path)} --images DIR -o TABLE.json",
        )
    macs = view.macs(spec.size)
    depthwise = {conv.name for conv in view.convs if conv.depthwise}
    divisor, ranges, islands = 1, table.tensors, frozenset[str]()
    if profile.rest == "fp16":
        divisor, ranges = divide_activations(proto, ranges)
        islands = float_islands(proto, ranges)
    means = {name: span.channel_means for name, span in ranges.items()}
    clipped = clipped_ranges(table.model_copy(update={"tensors": ranges}), method)
    # what FP16 cannot hold stays in float32 altogether: Q/DQ must not be parted from its convolution by a cast
    excluded_layers = islands.union(excluded_layers)
    quantized = quantize(proto, profile, clipped, excluded_layers=excluded_layers, channel_means=means)
    if profile.rest == "fp16":
        halve(proto, islands)
    whole = sum(count for name, count in macs.items() if name not in depthwise)
    share = sum(macs[name] for name in quantized if name not in depthwise) / max(1, whole)
    record = QuantizationRecord(
        table=table.digest,
        model=table.model_digest,
        method=method,
        excluded_layers=tuple(sorted(excluded_layers)),
        images=tuple(sorted(table.image_hashes)),
        int8_share=share,
    )
    _finish(proto, spec, size, batch, {SPEC_KEY: spec.to_json(), TABLE_KEY: record.model_dump_json()})
    return Typed(proto, spec, quantized, tuple(sorted(islands)), share, record, divisor)


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


def _spec(model: Model, size: Size | None, **changes: object) -> ModelSpec:
    return model.spec.replace(**changes, size=size or model.spec.size)


def _finish(proto: ModelProto, spec: ModelSpec, size: Size | None, batch: int, metadata: dict[str, str]) -> None:
    if size is not None:
        fix_size(proto, size, spec.grid_size(size) if spec.head == "scores" else None)
    batch_graph(proto, batch)
    onnx.helper.set_model_props(proto, metadata)
    _check(proto)


def _check(proto: ModelProto) -> None:
    """Check a graph that was made of one that ``onnx.checker`` passed.

    Raises:
        ModelError: Its sizes do not fit together any more: only now some of them are numbers.
    """
    try:
        onnx.checker.check_model(proto, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelError(
            "The model's graph has sizes that do not fit together at the size that was asked for.", EXPORT_AGAIN
        ) from error
