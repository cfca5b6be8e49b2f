"""What an INT8 ONNX file says of where its ranges come from, in its metadata."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, ValidationError

from fcn_edge.artifacts.calibration_table import TABLE_KEY, Method
from fcn_edge.artifacts.migrations import Document, renamed
from fcn_edge.artifacts.onnx_header import OnnxHeader, header_of_onnx
from fcn_edge.artifacts.spec import Fraction, Sha256, first_problem
from fcn_edge.errors import ModelError
from fcn_edge.io.outside import MalformedError, json_of

__all__ = ["QuantizationRecord", "quantization_record_of", "quantization_record_of_onnx"]


def _to_schema_2(content: dict[str, Any]) -> dict[str, Any]:
    """``excluded_layers`` were ``floats``; schema 1 named no version."""
    return renamed(content, {"floats": "excluded_layers"})


class QuantizationRecord(Document):
    """Where the ranges of an INT8 graph come from.

    Attributes:
        table: Digest of the calibration table.
        model: Digest of the float model.
        method: How activations are clipped.
        excluded_layers: Layers that stayed in floating point.
        images: SHA-256 of the images that the float model was calibrated on.
        int8_share: Share of the convolution MACs outside depthwise ones with INT8 operands.
    """

    # the graph is what runs: a key more changes nothing
    model_config = ConfigDict(extra="ignore")

    MIGRATIONS = (_to_schema_2,)

    table: Sha256
    model: Sha256
    method: Method
    excluded_layers: tuple[str, ...]
    images: Annotated[tuple[Sha256, ...], Field(min_length=1)]
    int8_share: Fraction


def quantization_record_of_onnx(path: Path) -> QuantizationRecord | None:
    """The record in an ONNX file; None where it has none, as every float graph.

    Raises:
        ModelError: The file is missing or damaged, what it says makes no sense, or a newer fcn_edge wrote it.
    """
    return quantization_record_of(header_of_onnx(path))


def quantization_record_of(header: OnnxHeader) -> QuantizationRecord | None:
    """The record in the header of an ONNX file; None where it has none, as every float graph.

    Raises:
        ModelError: What it says makes no sense, or a newer fcn_edge wrote it.
    """
    path, text = header.path, header.metadata.get(TABLE_KEY)
    if text is None:
        return None
    fix = "Make it again: fcn-edge build MODEL --precision int8 --onnx-only -o FILE.onnx"
    try:
        return QuantizationRecord.from_content(json_of(text), f"What {path} says of its calibration", ModelError)
    except ValidationError as error:
        problem = first_problem(error)
    except MalformedError as error:
        problem = str(error)
    raise ModelError(f"{path} does not say properly what it was calibrated on: {problem}.", fix)
