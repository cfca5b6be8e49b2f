from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fcn_edge.backends.tensorrt.diagnostics import (
    lacks_memory,
    last_diagnostic,
    misread,
    out_of_memory,
    unbuildable,
    unreadable,
)
from fcn_edge.backends.tensorrt.log import Message
from fcn_edge.errors import DeviceError, FcnEdgeError, MachineError, ModelError

from .messages import DEFAULTED, READING, Said

TRT: Any = SimpleNamespace(__name__="tensorrt", __version__="10.3.0")
ONNX = Path("m.onnx")
NO_DRIVER = (
    "[checkMacros.cpp::catchCudaError::250] Error Code 1: Cuda Runtime (In catchCudaError at "
    "/_src/common/dispatch/checkMacros.cpp:250 (cudaError 35: CUDA driver version is insufficient for CUDA runtime))"
)


def parser_error(text: str, node: str = "body.q", operator: str = "QuantizeLinear") -> Any:
    return SimpleNamespace(desc=lambda: text, node_name=lambda: node, node_operator=lambda: operator)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        (
            "Invalid Node - head\nITensor::getDimensions: Error Code 4: API Usage Error (head: IConvolutionLayer "
            "`input` and `kernel` must be of same type. `input` type is Half but `kernel` is of type Float. In "
            f"validateTypes at /_src/optimizer/common/nodes/convolutionNode.cpp:88)\n{NO_DRIVER}",
            "tensors of different types meet: head: IConvolutionLayer `input` and `kernel` must be of same type. "
            "`input` type is Half but `kernel` is of type Float",
        ),
        (
            "ElementWiseOperation SUM must have same input types. But they are of types Half and Float",
            "tensors of different types meet: ElementWiseOperation SUM must have same input types. But they are of "
            "types Half and Float",
        ),
        (
            "first input has type UInt8 but must have type Float, Half, BFloat16 or Int32",
            "it works on uint8, which must be cast to a float type first",
        ),
        ("Failed to import initializer", "a weight has a type that is not taken"),
        (
            "This version of TensorRT doesn't support mode than 1 outputs for MaxPool nodes!",
            "a max pooling gives its indices, which is not taken",
        ),
        ('creator && "Plugin not found, are the plugin name correct?"', "there is no operator QuantizeLinear"),
        ("UNSUPPORTED_NODE 'false'", "there is no operator QuantizeLinear"),
        (
            "onnxOpImporters.cpp:1929: Something else is wrong. In someFunction at /_src/optimizer/x.cpp:12",
            "Something else is wrong",
        ),
    ],
)
def test_what_the_parser_refuses(text: str, meaning: str) -> None:
    error = unreadable(TRT, ONNX, [parser_error(text), parser_error("the rest")])
    assert error.message == f"TensorRT 10.3.0 cannot read m.onnx: body.q (QuantizeLinear): {meaning}."
    assert "fcn-edge" in error.fix


def test_a_file_that_is_no_onnx_names_no_node() -> None:
    text = "Assertion failed: model->ParseFromCodedStream(&codedInput): Failed to parse the ONNX model."
    error = unreadable(TRT, ONNX, [parser_error(text, "", "")])
    assert error.message == "TensorRT 10.3.0 cannot read m.onnx: it is not a whole ONNX file."


def test_a_parser_that_gives_no_error() -> None:
    assert unreadable(TRT, ONNX, []).message == "TensorRT 10.3.0 cannot read m.onnx: it gives no reason."


@pytest.mark.parametrize("said", READING, ids=lambda said: said.name)
def test_what_the_parsers_of_real_versions_say_of_quantized_graphs(said: Said) -> None:
    error = unreadable(TRT, ONNX, [parser_error(said.text)])
    assert error.message == f"TensorRT 10.3.0 cannot read m.onnx: body.q (QuantizeLinear): {said.meaning}."


@pytest.mark.parametrize("said", DEFAULTED, ids=lambda said: said.name)
def test_a_type_that_is_taken_for_int8_is_refused(said: Said) -> None:
    error = misread(TRT, ONNX, [Message("INFO", "x"), Message("WARNING", said.text)])
    assert error is not None
    assert "its quantization is not int8, as was expected" in error.message


def test_other_warnings_are_no_misreading() -> None:
    assert misread(TRT, ONNX, [Message("WARNING", "Make sure output out has Int64 binding.")]) is None


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        (
            "[optimizer.cpp::computeCosts::4048] Error Code 10: Internal Error (Could not find any implementation for "
            "node decoder.up + decoder.clip.)",
            ModelError,
            "decoder.up + decoder.clip: no kernel does it",
        ),
        (
            "Error Code 10: Internal Error (Could not find any implementation for node {ForeignNode[a.b...c]} due to "
            "insufficient workspace. See verbose log for requested sizes.)",
            ModelError,
            "{ForeignNode[a.b...c]}: no kernel does it",
        ),
        (
            "IBuilder::buildSerializedNetwork: Error Code 9: Internal Error ([type.cpp:186: infer_type] Could not "
            "infer output types for operation: dequantize, f32 output)",
            ModelError,
            "dequantize: its types cannot be told",
        ),
        (
            "IBuilder::buildSerializedNetwork: Error Code 1: Myelin ([tactic.cpp:1676: enumerate_tactics] Tactic "
            "Selection: no tactics to implement the operation within workspace limit.)",
            MachineError,
            "no kernel does with the memory that is free",
        ),
        ("Error Code 2: OutOfMemory (Requested size was 1 bytes.)", MachineError, "memory ran out"),
        ("Error Code 1: Cuda Runtime (out of memory)", MachineError, "memory ran out"),
        ("Error Code 1: Internal Error (Unsupported SM: 0x900)", MachineError, "this version does not know the GPU"),
        (
            "IBuilder::buildSerializedNetwork: Error Code 1: Myelin (MyelinCheckException: cudnn_impl.cpp:294: Strided "
            "& Dilated Deconv are currently not supported)",
            ModelError,
            "a transposed convolution is strided and dilated",
        ),
        (
            "IBuilder::buildSerializedNetwork: Error Code 4: API Usage Error (Something is odd. In f at /_src/a.cpp:3)",
            ModelError,
            "Something is odd",
        ),
    ],
)
def test_what_the_builder_refuses(text: str, kind: type[FcnEdgeError], reason: str) -> None:
    messages = [Message("WARNING", "x"), Message("ERROR", text), Message("ERROR", NO_DRIVER)]
    error = unbuildable(TRT, ONNX, messages)
    assert type(error) is kind
    assert error.message == f"TensorRT 10.3.0 cannot build m.onnx: {reason}."
    assert error.fix


def test_a_machine_without_a_gpu() -> None:
    assert type(unbuildable(TRT, ONNX, [Message("ERROR", NO_DRIVER)])) is DeviceError


def test_a_builder_that_says_nothing() -> None:
    error = unbuildable(SimpleNamespace(__name__="tensorrt_rtx", __version__="1.7.1.116"), ONNX, [])
    assert error.message == "TensorRT-RTX 1.7.1.116 cannot build m.onnx: it gives no reason."


def test_kernels_without_memory_are_counted() -> None:
    assert lacks_memory([Message("WARNING", "Device memory is insufficient to use tactic."), Message("INFO", "x")]) == 1


def test_a_lack_of_memory_is_the_last_complaint_though_others_follow() -> None:
    requested = "IRuntime::deserializeCudaEngine: Error Code 2: OutOfMemory (Requested size was 4 bytes.)"
    failed = "IRuntime::deserializeCudaEngine: Error Code 4: Internal Error (Engine deserialization failed.)"
    said = last_diagnostic([Message("ERROR", requested), Message("ERROR", failed)])
    assert said == "out of memory: Requested size was 4 bytes"
    assert out_of_memory(said)
    said = last_diagnostic([Message("ERROR", "Error Code 1: Cuda Runtime (out of memory)"), Message("ERROR", failed)])
    assert said == "out of memory"
    said = last_diagnostic([Message("ERROR", failed), Message("INFO", requested)])
    assert said == "Engine deserialization failed"
    assert not out_of_memory(said)
    assert last_diagnostic([]) == ""
