"""Small ONNX files of every precision: strongly typed, as a TensorRT builder takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np


class TypedNetwork:
    """A stem, a depthwise convolution, a body and a class score, each but the last with a ReLU.

    The graph takes a uint8 ``(32*h, 32*w, 3)`` image and gives float32 ``(11, 4*h, 4*w)`` scores.

    Args:
        precision: ``fp32``; ``fp16``, with float16 weights; ``int8``, with Q/DQ pairs before the stem and the body and
            float16 elsewhere.
        depthwise: Give the depthwise convolution Q/DQ pairs, too.
        float_weights: Give only the activations of an int8 graph Q/DQ pairs.
        weights_in_fp16: Keep the weights of an fp32 graph as float16 behind Cast nodes.
        changes: Other values for tensors of the graph, by name, such as ``body.zero``.
        operators: Other operators for nodes, by name.
    """

    MACS: ClassVar = {
        "stem": 3 * 9 * 32 * (64 // 2) * (96 // 2),
        "depthwise": 9 * 32 * (64 // 4) * (96 // 4),
        "body": 32 * 9 * 64 * (64 // 8) * (96 // 8),
        "head": 64 * 11 * (64 // 8) * (96 // 8),
    }
    """MACs of the convolutions at 64x96."""

    def __init__(
        self,
        precision: str,
        *,
        depthwise: bool = False,
        float_weights: bool = False,
        weights_in_fp16: bool = False,
        changes: dict[str, Any] | None = None,
        operators: dict[str, str] | None = None,
    ) -> None:
        self._quantized = {"stem", "body", *(("depthwise",) if depthwise else ())} if precision == "int8" else set()
        self._float: Any = np.float32 if precision == "fp32" else np.float16
        self._float_weights = float_weights
        self._weights_in_fp16 = weights_in_fp16
        self._changes = changes or {}
        self._operators = operators or {}
        self._rng = np.random.default_rng(0)
        self._tensors: dict[str, Any] = {}
        self._nodes: list[Any] = []

    def write(self, path: Path) -> Path:
        """Write the file."""
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        kind = TensorProto.FLOAT if self._float is np.float32 else TensorProto.FLOAT16
        self._tensor("axis", np.array([0]))
        self._tensor("mean", np.full((1, 3, 1, 1), 110, self._float))
        self._node("Cast", ["image"], "floats", to=kind)
        self._node("Transpose", ["floats"], "planes", perm=[2, 0, 1])
        self._node("Unsqueeze", ["planes", "axis"], "batch")
        x = self._node("Sub", ["batch", "mean"], "centred")
        x = self._node("Relu", [self._convolution(x, "stem", 32, 3, 3, stride=2)], "clip_0")
        x = self._node("Relu", [self._convolution(x, "depthwise", 32, 32, 3, stride=2, group=32)], "clip_1")
        x = self._node("Relu", [self._convolution(x, "body", 64, 32, 3, stride=2)], "clip_2")
        x = self._convolution(x, "head", 11, 64, 1)
        x = self._node("Cast", [x], "wide", to=TensorProto.FLOAT)
        self._node("Squeeze", [x, "axis"], "scores")
        graph = helper.make_graph(
            self._nodes,
            "typed",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, ["32*h", "32*w", 3])],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [11, "4*h", "4*w"])],
            [numpy_helper.from_array(value, name) for name, value in {**self._tensors, **self._changes}.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
        onnx.save(model, path)
        return path

    def _convolution(
        self, x: str, name: str, maps: int, channels: int, side: int, stride: int = 1, group: int = 1
    ) -> str:
        weight = self._rng.normal(0, 0.1, (maps, channels // group, side, side)).astype(np.float32)
        if name in self._quantized:
            self._tensor(f"{name}.range", np.asarray(0.03, self._float))
            self._tensor(f"{name}.zero", np.asarray(0, np.int8))
            pair = [f"{name}.range", f"{name}.zero"]
            x = self._node("QuantizeLinear", [x, *pair], f"{name}.q")
            x = self._node("DequantizeLinear", [x, *pair], f"{name}.dq")
        if name in self._quantized and not self._float_weights:
            scales = (np.abs(weight).max(axis=(1, 2, 3)) / 127).astype(self._float)
            steps = np.round(weight / scales.astype(np.float32)[:, None, None, None])
            self._tensor(f"{name}.steps", np.clip(steps, -127, 127).astype(np.int8))
            self._tensor(f"{name}.scales", scales)
            self._tensor(f"{name}.zeros", np.zeros(maps, np.int8))
            parts = [f"{name}.steps", f"{name}.scales", f"{name}.zeros"]
            kernel = self._node("DequantizeLinear", parts, f"{name}.kernel", axis=0)
        elif self._weights_in_fp16:
            self._tensor(f"{name}.small", weight.astype(np.float16))
            kernel = self._node("Cast", [f"{name}.small"], f"{name}.weight", to=1)
        else:
            kernel = self._tensor(f"{name}.weight", weight.astype(self._float))
        bias = self._tensor(f"{name}.bias", self._rng.normal(0, 0.1, maps).astype(self._float))
        how = {"kernel_shape": [side] * 2, "strides": [stride] * 2, "pads": [side // 2] * 4, "group": group}
        return self._node("Conv", [x, kernel, bias], f"{name}.o", name=name, **how)

    def _tensor(self, name: str, value: Any) -> str:
        self._tensors[name] = value
        return name

    def _node(self, operator: str, inputs: list[str], output: str, name: str = "", **how: Any) -> str:
        from onnx import helper

        name = name or output
        self._nodes.append(helper.make_node(self._operators.get(name, operator), inputs, [output], name=name, **how))
        return output
