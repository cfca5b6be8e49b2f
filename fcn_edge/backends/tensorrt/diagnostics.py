"""TensorRT's own words turned into errors of one sentence, with what fixes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fcn_edge.artifacts.onnx_graph import EXPORT_AGAIN
from fcn_edge.backends.tensorrt.library import full_name
from fcn_edge.backends.tensorrt.log import Message
from fcn_edge.errors import DeviceError, FcnEdgeError, MachineError, ModelError

__all__ = [
    "first_diagnostic",
    "lacks_memory",
    "last_diagnostic",
    "may_lack_memory",
    "misread",
    "out_of_memory",
    "unbuildable",
    "unreadable",
]

_CONVERT = "Convert it again with: fcn-edge build MODEL --onnx-only"
_FLOAT = "Build it with --precision fp16, or keep that layer out of INT8."
_MEMORY = "Close other programs, add swap, or build for a smaller --size."


_OUT_OF_MEMORY = r"out.?of.?memory|insufficient memory|bad_alloc"


@dataclass(frozen=True)
class _Known:
    """A text of TensorRT's, and what it means."""

    text: str
    meaning: str
    fix: str
    kind: type[FcnEdgeError] = ModelError


_READING = (
    _Known("Failed to parse the ONNX model", "it is not a whole ONNX file", EXPORT_AGAIN),
    _Known(
        "Non-zero zero point|asymmetric|only supports symmetric quantization|must contains all zeros",
        "an INT8 zero point is not 0, and only symmetric INT8 is taken",
        _CONVERT,
    ),
    _Known("Scale coefficients must all be positive", "an INT8 scale is 0, negative or too small for FP16", _CONVERT),
    _Known(
        "input has type Int32 but must have type FP8|A DequantizeLayer can only run in",
        "a bias is quantized, and only a float one is taken",
        _CONVERT,
    ),
    _Known("must be of same type|must have same input types", "tensors of different types meet: {detail}", _CONVERT),
    _Known(
        "input has type UInt8 but must have",
        "it works on uint8, which must be cast to a float type first",
        EXPORT_AGAIN,
    ),
    _Known("unsupported input type of UINT8", "it takes uint8, and int8 or a float type was expected", _CONVERT),
    _Known("Failed to import initializer", "a weight has a type that is not taken", _CONVERT),
    _Known("outputs for MaxPool", "a max pooling gives its indices, which is not taken", EXPORT_AGAIN),
    _Known("UNSUPPORTED_NODE|Plugin not found", "there is no operator {operator}", EXPORT_AGAIN),
)
_BUILDING = (
    _Known(
        r"Could not find any implementation for node (?P<node>.+?)(?: due to|\.\s|\.?\)|\.?$)",
        "no kernel does it",
        _FLOAT,
    ),
    _Known("Could not infer output types for operation: (?P<node>[^,]+)", "its types cannot be told", _FLOAT),
    _Known(
        "no tactics to implement the operation within workspace limit",
        "no kernel does with the memory that is free",
        _MEMORY,
        MachineError,
    ),
    _Known(_OUT_OF_MEMORY, "memory ran out", _MEMORY, MachineError),
    _Known(
        "Unsupported SM|Target GPU SM",
        "this version does not know the GPU",
        "Install the version that is for it; docs/tensorrt.md says which.",
        MachineError,
    ),
    _Known(
        "CUDA driver version is insufficient|no CUDA-capable device",
        "there is no NVIDIA GPU or no driver",
        "Build on a machine with the GPU; fcn-edge doctor checks it.",
        DeviceError,
    ),
    _Known("Strided & Dilated Deconv", "a transposed convolution is strided and dilated", EXPORT_AGAIN),
)
_NO_KERNEL = re.compile("Could not find any implementation|no tactics to implement", re.IGNORECASE)
_DEFAULTED = re.compile("Defaulting to INT8 instead|will use INT8 instead")
_OUTER = re.compile(r"^(?:\[[^\]]*\] )?(?:[A-Za-z_]\w*(?:::\w+)+: )?Error Code \d+: [\w /]+?\((?P<inner>.*)\)$", re.S)
_PLACES = (
    re.compile(r"\[[\w./]+\.(?:cpp|h|cc):\d+: ?\w*\] ?"),
    re.compile(r"\s*In \w+ at \S+:\d+"),
    re.compile(r"^[\w./]+\.(?:cpp|h):\d+: "),
    re.compile(r"^(?:Assertion failed: )(?:.*?[)\w]: )?"),
)
_NO_DRIVER = "catchCudaError"
"""Stands in a message that follows every other error on a machine without a driver."""


def unreadable(trt: Any, path: Path, errors: Sequence[Any]) -> ModelError:
    """The error of a file that the parser refuses.

    Args:
        trt: The library.
        path: The file.
        errors: The parser's.
    """
    reason, fix = "it gives no reason", EXPORT_AGAIN
    if errors:
        first = errors[0]
        text, node, operator = first.desc(), first.node_name(), first.node_operator()
        known = next((known for known in _READING if re.search(known.text, text)), None)
        detail = _detail(text)
        reason = known.meaning.format(detail=detail, operator=operator) if known else detail
        fix = known.fix if known else EXPORT_AGAIN
        if node:
            reason = f"{node} ({operator}): {reason}"
    return ModelError(f"{full_name(trt)} cannot read {path}: {reason}.", fix)


def misread(trt: Any, path: Path, messages: Sequence[Message]) -> ModelError | None:
    """The error of a file that the parser took for something else; None when it did not.

    A zero point of another type is taken for an int8 one, with a warning: of uint8 half of the range is lost.
    """
    if not any(_DEFAULTED.search(message.text) for message in messages):
        return None
    return ModelError(
        f"{full_name(trt)} would read {path} wrongly: its quantization is not int8, as was expected.", _CONVERT
    )


def unbuildable(trt: Any, path: Path, messages: Sequence[Message]) -> FcnEdgeError:
    """The error of a network that the builder made no plan of.

    Args:
        trt: The library.
        path: The file that the network is of.
        messages: What the library said meanwhile.
    """
    errors = [message.text for message in messages if message.severity in ("INTERNAL_ERROR", "ERROR")]
    for text in [text for text in errors if _NO_DRIVER not in text] or errors:
        for known in _BUILDING:
            found = re.search(known.text, text, re.I)
            if found:
                node = found.groupdict().get("node")
                reason = f"{node}: {known.meaning}" if node else known.meaning
                return known.kind(f"{full_name(trt)} cannot build {path}: {reason}.", known.fix)
    return ModelError(f"{full_name(trt)} cannot build {path}: {first_diagnostic(messages)}.", _FLOAT)


def first_diagnostic(messages: Sequence[Message]) -> str:
    """The first error of a log, as a phrase for people."""
    for message in messages:
        if message.severity in ("INTERNAL_ERROR", "ERROR") and _NO_DRIVER not in message.text:
            return _detail(message.text)
    return "it gives no reason"


def last_diagnostic(messages: Sequence[Message]) -> str:
    """The last error of a log, as a phrase for people; empty when there is none.

    A lack of memory is told in its place, because what fails for it complains again, of itself.
    """
    errors = [message.text for message in messages if message.severity in ("INTERNAL_ERROR", "ERROR")]
    short = [text for text in errors if out_of_memory(text)]
    if short:
        detail = _detail(short[-1])
        return detail if out_of_memory(detail) else f"out of memory: {detail}"
    return _detail(errors[-1]) if errors else ""


def out_of_memory(text: str) -> bool:
    """Whether a message or a phrase of this module says that memory was short."""
    return re.search(_OUT_OF_MEMORY, text, re.IGNORECASE) is not None


def lacks_memory(messages: Sequence[Message]) -> int:
    """How many kernels were passed over because memory was short: the plan may be slower than it could be."""
    return sum(
        "insufficient memory" in message.text or "Device memory is insufficient" in message.text for message in messages
    )


def may_lack_memory(messages: Sequence[Message]) -> bool:
    """Whether a build may have failed for the memory that kernels are allowed: some were passed over, or none found."""
    errors = [message.text for message in messages if message.severity in ("INTERNAL_ERROR", "ERROR")]
    return lacks_memory(messages) > 0 or any(out_of_memory(text) or _NO_KERNEL.search(text) for text in errors)


def _detail(text: str) -> str:
    """The part of a message that is for people: without function names, codes, files and lines."""
    lines = [line for line in text.splitlines() if line and not line.startswith("Invalid Node")]
    line = lines[0] if lines else text
    found = _OUTER.match(line)
    if found:
        line = found["inner"]
    for place in _PLACES:
        line = place.sub("", line)
    return " ".join(line.split()).strip(" .;")
