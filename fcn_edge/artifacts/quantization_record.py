"""What an INT8 ONNX file says of where its ranges come from, in its metadata."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from fcn_edge.artifacts.calibration_table import TABLE_KEY, Method
from fcn_edge.artifacts.onnx_header import metadata_of_onnx
from fcn_edge.artifacts.spec import Fraction, Sha256, first_problem
from fcn_edge.errors import ModelError

__all__ = ["QuantizationRecord", "quantization_record_of_onnx"]


class QuantizationRecord(BaseModel):
    """Where the ranges of an INT8 graph come from.

    Attributes:
        table: Digest of the calibration table.
        model: Digest of the float model.
        method: How activations are clipped.
        floats: Layers that stayed in floating point.
        images: SHA-256 of the images that the float model was calibrated on.
        int8_share: Share of the convolution MACs outside depthwise ones with INT8 operands.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, protected_namespaces=())

    table: Sha256
    model: Sha256
    method: Method
    floats: tuple[str, ...]
    images: tuple[Sha256, ...]
    int8_share: Fraction


def quantization_record_of_onnx(path: Path) -> QuantizationRecord | None:
    """The origin in an ONNX file; None where it has none, as every float graph.

    Raises:
        ModelError: The file is missing or damaged, or what it says makes no sense.
    """
    text = metadata_of_onnx(path).get(TABLE_KEY)
    if text is None:
        return None
    try:
        return QuantizationRecord.model_validate_json(text)
    except ValidationError as error:
        raise ModelError(
            f"{path} does not say properly what it was calibrated on: {first_problem(error)}.",
            "Make it again: fcn-edge build MODEL --precision int8 --onnx-only -o FILE.onnx",
        ) from error
