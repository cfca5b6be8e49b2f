"""Small graphs with a few convolutions, made by hand, and what the tests ask of graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from fcn_edge.artifacts.calibration_table import TensorRange
from fcn_edge.artifacts.models import resolved_model
from fcn_edge.export.rewrite import add_labels_head, set_spec
from fcn_edge.quantization.calibrate import ranges_of_images

from ..exported_networks import spec_of

Array = NDArray[np.float32]


class SmallGraph:
    """A graph from ``image`` to scores at stride 8, built node by node.

    The image's three channels, as they are, are in ``planes``.
    """

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self.node("Cast", "image", "floats", to=TensorProto.FLOAT)
        self.node("Transpose", "floats", "channels", perm=[2, 0, 1])
        self.constant("axis", np.array([0], np.int64))
        self.node("Unsqueeze", ["channels", "axis"], "planes")

    def node(self, operator: str, inputs: str | list[str], output: str, **attributes: Any) -> str:
        names = [inputs] if isinstance(inputs, str) else inputs
        self.nodes.append(helper.make_node(operator, names, [output], name=output, **attributes))
        return output

    def constant(self, name: str, values: NDArray[Any]) -> str:
        self.initializers.append(numpy_helper.from_array(values, name))
        return name

    def conv(self, name: str, taken: str, weight: NDArray[Any], bias: NDArray[Any] | None = None, **how: Any) -> str:
        """A convolution called ``name``; ``how`` are its attributes, no padding by default."""
        inputs = [taken, self.constant(f"{name}.weight", np.asarray(weight, np.float32))]
        if bias is not None:
            inputs.append(self.constant(f"{name}.bias", np.asarray(bias, np.float32)))
        return self.node("Conv", inputs, name, kernel_shape=list(weight.shape[2:]), **how)

    def model(self, scores: str, *, labels: bool = False) -> ModelProto:
        """The model; ``scores`` names a tensor of two classes at stride 8."""
        self.node("Squeeze", [scores, "axis"], "scores")
        image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["32*h", "32*w", 3])
        output = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [2, "4*h", "4*w"])
        graph = helper.make_graph(self.nodes, "small", [image], [output], self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
        changes = {"classes": ["a", "b"], "palette": [(0, 0, 0), (1, 1, 1)], "size": (32, 64)}
        spec = spec_of("mobilenet_v2", "fcn8s", **changes, head="labels" if labels else "scores")
        if labels:
            add_labels_head(model, spec)
        set_spec(model, spec)
        onnx.checker.check_model(model, full_check=True)
        return model


def span(most: float, *, rms: float | None = None, means: tuple[float, ...] = ()) -> TensorRange:
    """The range of a tensor from ``-most`` to ``most``, clipped nowhere."""
    return TensorRange(
        low=-most,
        high=most,
        rms=most if rms is None else rms,
        zeros=0,
        percentile=(-most, most),
        entropy=most,
        mse=(-most, most),
        mse_amax=most,
        channel_means=means,
    )


def copied(model: ModelProto) -> ModelProto:
    other = ModelProto()
    other.CopyFrom(model)
    return other


def saved(model: ModelProto, path: Path) -> Path:
    onnx.save_model(model, path)
    return path


def run(model: ModelProto, image: NDArray[np.uint8]) -> NDArray[Any]:
    """What a graph gives in ONNX Runtime, without optimizations that could hide what is in it."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    result: NDArray[Any] = session.run(None, {"image": image})[0]
    return result


def run_exactly_typed(model: ModelProto, image: NDArray[np.uint8]) -> NDArray[Any]:
    """What a small graph gives where FP16 tensors are FP16: ONNX Runtime computes them in float32 on a processor."""
    with np.errstate(all="ignore"):
        result: NDArray[Any] = ReferenceEvaluator(model).run(None, {"image": image})[0]
    return result


def attribute(node: NodeProto, name: str) -> Any:
    return next(helper.get_attribute_value(each) for each in node.attribute if each.name == name)


class Wires:
    """A graph's nodes by what they give, and its constants as arrays."""

    def __init__(self, model: ModelProto) -> None:
        self.graph = model.graph
        self.constants = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
        self.producers = {name: node for node in model.graph.node for name in node.output}

    def of_type(self, operator: str) -> list[NodeProto]:
        return [node for node in self.graph.node if node.op_type == operator]

    def named(self, name: str) -> NodeProto:
        (found,) = [node for node in self.graph.node if node.name == name]
        return found

    def readers(self, name: str) -> list[NodeProto]:
        return [node for node in self.graph.node if name in node.input]

    def before(self, name: str) -> NodeProto | None:
        return self.producers.get(name)

    def dequantized(self, name: str) -> bool:
        """A tensor comes straight out of a DequantizeLinear."""
        producer = self.before(name)
        return producer is not None and producer.op_type == "DequantizeLinear"


def measured(model: ModelProto, directory: Path, image: NDArray[np.uint8]) -> dict[str, TensorRange]:
    """Ranges of a graph's activations on one image."""
    return ranges_of_images(resolved_model(saved(model, directory / "measured.onnx")), [image], threads=1)
