"""Quantization profiles: which tensors a backend wants as INT8, and in which form, on which processor.

A profile turns a float graph and its calibration table into the Q/DQ graph that runs best on one backend:

- ``tensorrt``: symmetric INT8, zero point 0, weights per channel, float bias; Q/DQ next to the inputs of convolutions
  and on the shortcut of residual sums, nowhere else. Depthwise convolutions, narrow heads, Resize and ArgMax compute in
  FP16: TensorRT has no good INT8 kernels for them.
- ``openvino``: UINT8 activations with a zero point, weights per channel, at the inputs of convolutions and of residual
  sums; OpenVINO moves the scales behind the convolutions by itself.
- ``onnxruntime``: UINT8 activations at inputs and outputs and an INT32 bias, which is what its fusion to QLinearConv
  takes. The decoder's scores stay in FP32: 256 levels would make ties of them.

The ``-7bit`` ones are for x86 processors without dot-product instructions: those multiply UINT8 by INT8 and add pairs
in 16 bits, which saturates at full range and says nothing (a MobileNetV2 FCN-8s lost 13 points of mIoU in OpenVINO).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # profiles are looked up where onnx is not installed too
    from fcn_edge.quantization.graph import Conv

__all__ = ["PROFILES", "Profile", "profile_for", "takes"]

SATURATING = frozenset({"avx512", "avx2", "x86_64", "AMD64"})
"""Classes of processors (``system.cpu.instruction_set``) whose INT8 products are added up in 16 bits."""

NARROW = 16
"""Channels below which a convolution is too narrow to gain from INT8."""


@dataclass(frozen=True)
class Profile:
    """How a backend wants its INT8 graphs.

    Attributes:
        name: Key in ``PROFILES``.
        activations: ``int8``: symmetric, zero point 0; ``uint8``: with a zero point.
        weight_limit: Largest quantized weight: 127, or 63 for 7 bits.
        rest: Type that everything else computes in.
        outputs: Quantize what a convolution gives as well, and its bias.
        depthwise: Quantize depthwise convolutions.
        sums: Which inputs of a residual sum are quantized: only its shortcut, or both.
    """

    name: str
    activations: Literal["int8", "uint8"]
    weight_limit: int
    rest: Literal["fp32", "fp16"]
    outputs: bool
    depthwise: bool
    sums: Literal["shortcut", "both"]


_TENSORRT = Profile("tensorrt", "int8", 127, "fp16", outputs=False, depthwise=False, sums="shortcut")
_OPENVINO = Profile("openvino", "uint8", 127, "fp32", outputs=False, depthwise=True, sums="both")
_ONNXRUNTIME = Profile("onnxruntime", "uint8", 127, "fp32", outputs=True, depthwise=True, sums="both")

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "tensorrt": _TENSORRT,
        "openvino": _OPENVINO,
        "openvino-7bit": replace(_OPENVINO, name="openvino-7bit", weight_limit=63),
        "onnxruntime": _ONNXRUNTIME,
        "onnxruntime-7bit": replace(_ONNXRUNTIME, name="onnxruntime-7bit", weight_limit=63),
    }
)
"""The profiles by name."""

_FAMILIES = {"tensorrt-rtx": "tensorrt"}
"""Backends that take another one's profile. ``onnxruntime-cuda`` has none: it runs no convolution in INT8."""


def profile_for(backend: str, instructions: str) -> Profile:
    """The profile of a backend on a device.

    Args:
        backend: Name of the backend.
        instructions: Instruction-set class of a processor, or compute capability of a GPU.
    """
    family = _FAMILIES.get(backend, backend)
    narrowed = f"{family}-7bit"
    return PROFILES[narrowed if instructions in SATURATING and narrowed in PROFILES else family]


def takes(profile: Profile, conv: Conv, *, head: bool = False) -> bool:
    """Whether a profile quantizes a convolution.

    Args:
        profile: The profile.
        conv: The convolution.
        head: It gives scores.
    """
    if conv.depthwise:
        return profile.depthwise
    if head and profile.outputs:
        return False
    inputs, outputs = conv.channels
    # the first convolution has three input channels and gains all the same: it reads the image
    return outputs >= NARROW and (inputs >= NARROW or inputs == 3)
