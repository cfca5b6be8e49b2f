"""What parsers and builders of real versions say, where that was read or seen, and what it means.

Sources: ``onnx-tensorrt`` is github.com/onnx/onnx-tensorrt, read at the version's commit; ``log`` is one that somebody
published; ``run`` was seen here, with TensorRT-RTX. Files and lines are those that a message names, or where it stands.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULTED", "READING", "Said"]

SYMMETRIC = "an INT8 zero point is not 0, and only symmetric INT8 is taken"
SCALE = "an INT8 scale is 0, negative or too small for FP16"
BIAS = "a bias is quantized, and only a float one is taken"
UINT8 = "it takes uint8, and int8 or a float type was expected"


@dataclass(frozen=True)
class Said:
    """A message.

    Attributes:
        version: Of TensorRT, or of TensorRT-RTX.
        source: Where it is from.
        text: As it came.
        meaning: What is made of it; empty for a warning.
    """

    version: str
    source: str
    text: str
    meaning: str = ""

    @property
    def name(self) -> str:
        """The version, and the begin of the meaning or of the text."""
        return f"{self.version}: {(self.meaning or self.text)[:40]}"


READING = (
    Said(
        "10.3",
        "log; importerUtils.cpp, checkNotInvalidType",
        "Assertion failed: false: Found unsupported input type of UINT8",
        UINT8,
    ),
    Said(
        "10.6.0",
        "onnx-tensorrt 0137504e; onnxOpImporters.cpp, QuantDequantLinearHelper",
        "Assertion failed: shiftIsAllZeros(zeroPoint): TensorRT only supports symmetric quantization. The zero point "
        "for the QuantizeLinear/DequantizeLinear operator must be all zeros.",
        SYMMETRIC,
    ),
    Said(
        "10.6.0",
        "onnx-tensorrt 0137504e; onnxOpImporters.cpp, QuantDequantLinearHelper",
        "Assertion failed: zeroPoint.values: QuantizeLinear/DequantizeLinear operator must contains all zeros values.",
        SYMMETRIC,
    ),
    Said(
        "10.6.0",
        "onnx-tensorrt 0137504e; onnxOpImporters.cpp, QuantDequantLinearHelper",
        "Assertion failed: scaleAllPositive: Scale coefficients must all be positive",
        SCALE,
    ),
    Said(
        "10.8.0.43",
        "log",
        "Invalid Node - deep_head.bias_DequantizeLinear\nIDequantizeLayer::setPrecision: Error Code 3: API Usage Error "
        "(Parameter check failed, condition: isQuantized(dataType). A DequantizeLayer can only run in DataType::kINT8, "
        "DataType::kFP8, DataType::kFP4 or DataType::kINT4precision)\nITensor::getDimensions: Error Code 3: API Usage "
        "Error (deep_head.bias_DequantizeLinear: only activation types allowed as input to this layer.)",
        BIAS,
    ),
    Said(
        "10.16.1.11",
        "log; dequantizeLayer.cpp:131",
        "Invalid Node - fc.bias_DequantizeLinear\nIDequantizeLayer::setPrecision: Error Code 3: API Usage Error "
        "(Parameter check failed, condition: isQuantized(dataType) || (uint8QDQSupported() && dataType == "
        "DataType::kUINT8). A DequantizeLayer can only run in DataType::kINT8, DataType::kFP8, DataType::kFP4, or "
        "DataType::kINT4 precision In setPrecision at .../dequantizeLayer.cpp:131)",
        BIAS,
    ),
    Said(
        "10.16.1.11",
        "log; onnxOpImporters.cpp:1738, QuantDequantLinearHelper",
        "Assertion failed: shiftIsAllZeros(zeroPoint): Non-zero zero point is not supported.",
        SYMMETRIC,
    ),
    Said(
        "11.0.0",
        "log",
        "Invalid Node - model.0.conv.bias_DequantizeLinear\nITensor::getDimensions: Error Code 4: API Usage Error "
        "(model.0.conv.bias_DequantizeLinear: input has type Int32 but must have type FP8, FP4, Int4, or Int8.)",
        BIAS,
    ),
    Said(
        "rtx 1.7.1",
        "run",
        "Assertion failed: shiftIsAllZeros(zeroPoint): Non-zero zero point is not supported. Please set "
        "kENABLE_UINT8_AND_ASYMMETRIC_QUANTIZATION_DLA to enable asymmetric quantization if it is on DLA.",
        SYMMETRIC,
    ),
    Said(
        "rtx 1.7.1",
        "run",
        "Assertion failed: (scaleAllPositive || allowNegativeScale): Scale coefficients must all be positive",
        SCALE,
    ),
    Said("rtx 1.7.1", "run", "bias input has type Int32 but must have type FP8, FP4, Int4, Int8, or UInt8", BIAS),
    Said("rtx 1.7.1", "run", "Found unsupported input type of UINT8", UINT8),
)
"""With which a parser refuses a quantized graph."""

DEFAULTED = (
    Said(
        "10.6.0",
        "onnx-tensorrt 0137504e; onnxOpImporters.cpp, QuantDequantLinearHelper",
        "TensorRT doesn't support QuantizeLinear/DequantizeLinear with UINT8 zero_point. TensorRT will use INT8 "
        "instead.",
    ),
    Said(
        "10.8.0.43",
        "log; onnxOpImporters.cpp:1499",
        "onnxOpImporters.cpp:1499: TensorRT doesn't support QuantizeLinear/DequantizeLinear with UINT8 zero_point. "
        "TensorRT will use INT8 instead.",
    ),
    Said(
        "10.16.1.11",
        "log; onnxOpImporters.cpp:1695",
        "onnxOpImporters.cpp:1695: TensorRT supports QuantizeLinear/DequantizeLinear with UINT8 zero_point only on DLA "
        "(version >= 3.16). Defaulting to INT8 instead. To import as UINT8, set the kIMPORT_UINT8_QUANTIZATION flag.",
    ),
    Said(
        "10.16.1.11",
        "log; onnxOpImporters.cpp:1703",
        "onnxOpImporters.cpp:1703: For zero_point with type int32 TensorRT will use INT8 instead.",
    ),
    Said(
        "rtx 1.7.1",
        "run; onnxOpImporters.cpp:1980",
        "onnxOpImporters.cpp:1980: TensorRT supports QuantizeLinear/DequantizeLinear with UINT8 zero_point only on DLA "
        "(version >= 3.16). Defaulting to INT8 instead.",
    ),
)
"""Warnings with which a parser takes a graph for another one."""
