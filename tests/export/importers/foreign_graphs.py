"""Small ONNX files in the forms that other programs write, with random weights whose masks hold many classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from fcn_edge.artifacts.spec import Size
from fcn_edge.street import Street

CLASSES = 7
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
OPEN = (0, 0)


@dataclass
class Sketch:
    """A graph in the making: nodes in order, and weights by name."""

    opset: int = 17
    nodes: list[NodeProto] = field(default_factory=list)
    weights: dict[str, NDArray[Any]] = field(default_factory=dict)

    def add(self, operator: str, *given: str, name: str | None = None, **how: Any) -> str:
        """Append a node; the name of its output."""
        output = name or f"/{operator}_{len(self.nodes)}_output_0"
        self.nodes.append(
            helper.make_node(operator, list(given), [output], name=f"/{operator}_{len(self.nodes)}", **how)
        )
        return output

    def constant(self, values: Any, kind: type = np.float32) -> str:
        """A constant as an initializer."""
        name = f"onnx::Constant_{len(self.weights)}"
        self.weights[name] = np.asarray(values, kind)
        return name

    def model(
        self, size: Size, given: str, output: str, layout: str = "nchw", element: int = TensorProto.FLOAT
    ) -> ModelProto:
        """The file, with open sides where the size is zero."""
        sides: list[Any] = ["height" if not size[0] else size[0], "width" if not size[1] else size[1]]
        shape = [1, 3, *sides] if layout == "nchw" else [1, *sides, 3]
        kinds = {"ArgMax": TensorProto.INT64}
        last = next(node for node in self.nodes if output in node.output)
        kind = kinds.get(last.op_type, next((a.i for a in last.attribute if a.name == "to"), TensorProto.FLOAT))
        graph = helper.make_graph(
            self.nodes,
            "traced by somebody",
            [helper.make_tensor_value_info(given, element, shape)],
            [helper.make_tensor_value_info(output, kind, None)],
            [numpy_helper.from_array(values, name) for name, values in self.weights.items()],
            doc_string="/home/somebody/net.py",
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        return onnx.shape_inference.infer_shapes(made, data_prop=True)


def network(sketch: Sketch, planes: str, *, stride: int = 8, batch_norm: bool = True) -> str:
    """Convolutions to scores at a stride; masks of street scenes hold all classes."""
    random = np.random.default_rng(3)
    name, channels, layer = planes, 3, 0
    while stride > 1:
        wider = 8 if layer == 0 else 12
        sketch.weights[f"backbone.{layer}.weight"] = (
            random.normal(0, 1.6, (wider, channels, 3, 3)) / np.sqrt(9 * channels)
        ).astype(np.float32)
        name = sketch.add(
            "Conv", name, f"backbone.{layer}.weight", strides=[2, 2], pads=[1, 1, 1, 1], kernel_shape=[3, 3]
        )
        if batch_norm:
            drawn = [random.uniform(0.7, 1.3, wider), random.normal(0, 0.2, wider), random.normal(0, 0.3, wider)]
            parts = [sketch.constant(values) for values in (*drawn, random.uniform(0.5, 2, wider))]
            name = sketch.add("BatchNormalization", name, *parts)
        name = sketch.add("Relu", name)
        channels, layer, stride = wider, layer + 1, stride // 2
    weight = random.normal(0, 1, (CLASSES, channels, 1, 1)).astype(np.float32)
    sketch.weights["head.weight"], sketch.weights["head.bias"] = weight, np.zeros(CLASSES, np.float32)
    return sketch.add("Conv", name, "head.weight", "head.bias", kernel_shape=[1, 1])


def standardize(model: ModelProto, scores: str, feed: Callable[[NDArray[np.uint8]], NDArray[Any]]) -> ModelProto:
    """Give each class zero mean and unit variance on street scenes, in place, so that no class decides alone."""
    probe = ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.append(helper.make_tensor_value_info(scores, TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    sides = [side for side in given.shape if side not in (1, 3)]
    size = (sides[0], sides[1]) if all(isinstance(side, int) for side in sides) else (64, 96)
    found = np.concatenate([session.run(None, {given.name: feed(image)})[0] for image in streets(size)])
    axis = 1 if found.shape[1] == CLASSES else 3
    values = np.moveaxis(found, axis, 0).reshape(CLASSES, -1)
    for tensor in model.graph.initializer:
        if tensor.name == "head.weight":
            scaled = numpy_helper.to_array(tensor) / values.std(1).reshape(-1, 1, 1, 1)
            tensor.CopyFrom(numpy_helper.from_array(scaled.astype(np.float32), tensor.name))
        elif tensor.name == "head.bias":
            tensor.CopyFrom(numpy_helper.from_array((-values.mean(1) / values.std(1)).astype(np.float32), tensor.name))
    return model


def normalized(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """``(1, 3, H, W)`` RGB by ImageNet's mean and deviation, of ``(H, W, 3)`` uint8 BGR."""
    pixels = (image[:, :, ::-1].astype(np.float32) - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])


@cache
def streets(size: Size, count: int = 2) -> list[NDArray[np.uint8]]:
    """Rendered frames of a size; the same arrays each time."""
    return [Street(seed=seed, size=size, frames=1).frame(0)[0] for seed in range(count)]


def resize_to_image(sketch: Sketch, scores: str, planes: str, mode: str) -> str:
    """Upsampling to the sides of the image as a tracer writes it where they are open."""
    image = sketch.add("Shape", planes)
    sides = sketch.add("Slice", image, *(sketch.constant(each, np.int64) for each in ([2], [4], [0])))
    lead = sketch.add(
        "Slice", sketch.add("Shape", scores), *(sketch.constant(each, np.int64) for each in ([0], [2], [0]))
    )
    target = sketch.add("Concat", lead, sides, axis=0)
    return sketch.add("Resize", scores, "", "", target, mode="linear", coordinate_transformation_mode=mode)


def save(model: ModelProto, path: Path) -> Path:
    """Write a file, checked."""
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path
