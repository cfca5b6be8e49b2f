"""The typed ONNX file of a candidate: what its backend compiles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fcn_edge.artifacts.calibration_table import CalibrationTable, QuantizationChoice, TensorRange
from fcn_edge.artifacts.models import Model
from fcn_edge.artifacts.quantization_record import QuantizationRecord
from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.builder.candidates import Candidate
from fcn_edge.errors import GuardError

__all__ = ["INT8_SHARE", "TypedFile", "require_share", "typed_file"]

INT8_SHARE = 0.8
"""Share of the convolution MACs outside depthwise ones that must be INT8 for a candidate to be called int8."""

RENDERED_FOR_RANGES = range(8)
"""Seeds of the scenes whose ranges tell what FP16 cannot hold, where there is no table."""


@dataclass(frozen=True)
class TypedFile:
    """A typed ONNX file.

    Attributes:
        path: The file.
        spec: What it says of itself.
        int8_share: Share of the convolution MACs outside depthwise ones with INT8 operands; None in a float graph.
        quantized: Convolutions with INT8 operands, by layer name.
        islands: Nodes that keep float32 in a graph that otherwise computes in FP16.
        record: Where the ranges of an INT8 graph come from; None in a float graph.
        divisor: What its activations are divided by, so that FP16 holds them.
    """

    path: Path
    spec: ModelSpec
    int8_share: float | None = None
    quantized: tuple[str, ...] = ()
    islands: tuple[str, ...] = ()
    record: QuantizationRecord | None = None
    divisor: int = 1


def typed_file(
    model: Model,
    candidate: Candidate,
    directory: Path,
    *,
    table: CalibrationTable | None,
    choice: QuantizationChoice | None,
    size: Size | None = None,
) -> TypedFile:
    """Write the typed ONNX of a candidate, or give the model's own file where that is typed as wanted.

    Args:
        model: What to build.
        candidate: For which backend and precision.
        directory: Where to write it.
        table: The calibration table; INT8 needs one, and FP16 does better with one.
        choice: How INT8 clips, and what it leaves alone.
        size: ``(height, width)`` to freeze the graph at; open when left out.

    Raises:
        ModelError: The model is damaged, or does not fit into FP16.
        MissingExtraError: The onnx package is not installed.
    """
    batch = candidate.identity.batch
    path = directory / f"{candidate.name}.onnx"
    if model.spec.precision == candidate.precision and size is None:
        record = model.quantization_record
        share = None if record is None else record.int8_share
        if batch == 1:
            return TypedFile(model.path, model.spec, share, record=record)
        from fcn_edge.quantization.typed_graph import batched_model

        path.write_bytes(batched_model(model, batch).SerializeToString(deterministic=True))
        return TypedFile(path, model.spec, share, record=record)
    from fcn_edge.quantization.profiles import PROFILES
    from fcn_edge.quantization.typed_graph import fp16_model, fp32_model, int8_model

    if candidate.precision == "int8":
        assert table is not None
        assert choice is not None
        assert candidate.identity.spec.profile is not None
        profile = PROFILES[candidate.identity.spec.profile]
        floats = choice.excluded_layers
        typed = int8_model(model, profile, table, method=choice.method, excluded_layers=floats, size=size, batch=batch)
    elif candidate.precision == "fp16":
        typed = fp16_model(model, _ranges(model, table), size=size, batch=batch)
    else:
        typed = fp32_model(model, size=size, batch=batch)
    path.write_bytes(typed.model.SerializeToString(deterministic=True))
    share = typed.int8_share if candidate.precision == "int8" else None
    return TypedFile(path, typed.spec, share, typed.quantized, typed.islands, typed.record, typed.divisor)


def require_share(share: float | None, unknown: int = 0) -> None:
    """Check that a candidate with Q/DQ may be called int8.

    Args:
        share: Share of the convolution MACs outside depthwise ones with INT8 operands; None in a float candidate.
        unknown: How many convolutions its plan does not name; they are not in the share.

    Raises:
        GuardError: Too few of its multiplications are.
    """
    if share is not None and share < INT8_SHARE:
        besides = f" for certain ({unknown} convolutions are not named in the plan)" if unknown else ""
        raise GuardError(
            f"Only {share:.0%} of the multiplications would be INT8{besides}; below {INT8_SHARE:.0%} it is not called "
            "int8.",
            "Leave fewer layers in floating point, or build --precision fp16, which is what it would be.",
        )


def _ranges(model: Model, table: CalibrationTable | None) -> dict[str, TensorRange]:
    """The ranges that decide what FP16 cannot hold: the table's, else those of a few rendered scenes."""
    if table is not None:
        return dict(table.tensors)
    from fcn_edge.datasets.scenes import rendered_images
    from fcn_edge.quantization.calibrate import ranges_of_images

    return ranges_of_images(model, rendered_images(model.spec.size, RENDERED_FOR_RANGES))
