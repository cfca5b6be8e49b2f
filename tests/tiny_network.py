"""Small self-describing ONNX files, whose scores are known without a library that runs them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.onnx_header import SPEC_KEY
from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.testing.engine import fake_spec

MEAN, STD = 110.0, 60.0


@dataclass(frozen=True)
class TinyNetwork:
    """One convolution of 8x8 with stride 8 on the normalized image, on disk.

    ``scores`` and ``labels`` compute what it gives, with NumPy in float64.
    """

    path: Path
    spec: ModelSpec
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def scores(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:
        height, width = image.shape[0] // 8, image.shape[1] // 8
        cells = ((image.astype(np.float64) - MEAN) / STD).reshape(height, 8, width, 8, 3)
        scores: NDArray[np.float64] = np.einsum("hywxc,kcyx->khw", cells, self.weight) + self.bias[:, None, None]
        return scores

    def labels(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return self.scores(image).argmax(axis=0).astype(np.uint8).repeat(8, axis=0).repeat(8, axis=1)


def write_tiny_network(
    path: Path,
    *,
    seed: int = 0,
    head: str = "scores",
    size: tuple[int, int] = (64, 96),
    fixed: bool = False,
    batched: bool = True,
    bias: float | None = None,
    operator: str = "Conv",
    outputs: int = 1,
    metadata: dict[str, str] | None = None,
) -> TinyNetwork:
    """Write a tiny network.

    Args:
        path: The file.
        seed: Seed of its weights.
        head: ``scores`` or ``labels``.
        size: The spec's.
        fixed: The graph takes that size only.
        batched: The output has a leading axis of length 1.
        bias: Bias of all classes; a random one each when left out.
        operator: Name of the convolution's operator; one that does not exist makes a model that nothing runs.
        outputs: Number of outputs.
        metadata: Instead of the spec.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    spec = fake_spec(name=f"tiny-{seed}", head=head, size=size)
    classes = len(spec.classes)
    rng = np.random.default_rng(seed)
    weight = rng.normal(0, 0.1, (classes, 3, 8, 8)).astype(np.float32)
    offset = rng.normal(0, 0.1, classes).astype(np.float32) if bias is None else np.full(classes, bias, np.float32)
    weights = {
        "batch_axis": np.array([0]),
        "mean": np.full((1, 3, 1, 1), MEAN, np.float32),
        "std": np.full((1, 3, 1, 1), STD, np.float32),
        "weight": weight,
        "bias": offset,
        "scale": np.array([1, 1, 8, 8], np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["planes"], perm=[2, 0, 1]),
        helper.make_node("Unsqueeze", ["planes", "batch_axis"], ["batch"]),
        helper.make_node("Sub", ["batch", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], ["normal"]),
        helper.make_node(operator, ["normal", "weight", "bias"], ["grid"], kernel_shape=[8, 8], strides=[8, 8]),
    ]
    rows, columns = ("4*h", "4*w") if head == "scores" else ("32*h", "32*w")
    if head == "labels":
        nodes += [
            # each score repeated 8x8 times, so that the mask too is known exactly
            helper.make_node(
                "Resize",
                ["grid", "", "scale"],
                ["full"],
                mode="nearest",
                nearest_mode="floor",
                coordinate_transformation_mode="asymmetric",
            ),
            helper.make_node("ArgMax", ["full"], ["ids"], axis=1, keepdims=0),
            helper.make_node("Cast", ["ids"], ["small"], to=TensorProto.FLOAT),
        ]
        last, shape, kind = "small", [1, rows, columns], TensorProto.UINT8
    else:
        last, shape, kind = "grid", [1, classes, rows, columns], TensorProto.FLOAT
    if batched:
        nodes.append(helper.make_node("Identity", [last], ["whole"]))
    else:
        nodes.append(helper.make_node("Squeeze", [last, "batch_axis"], ["whole"]))
        shape = shape[1:]
    # TensorRT makes uint8 of floats only, and at the end of a graph only
    nodes.append(helper.make_node("Cast", ["whole"], ["output"], to=kind))
    results = [helper.make_tensor_value_info("output", kind, shape)]
    for number in range(1, outputs):
        nodes.append(helper.make_node("Identity", ["output"], [f"output{number}"]))
        results.append(helper.make_tensor_value_info(f"output{number}", kind, shape))
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [*(size if fixed else ("32*h", "32*w")), 3])
    graph = helper.make_graph(
        nodes, "tiny", [image], results, [numpy_helper.from_array(value, name) for name, value in weights.items()]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    for key, value in ({SPEC_KEY: spec.to_json()} if metadata is None else metadata).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, path)
    return TinyNetwork(path, spec, weight, offset)
