"""A network with layers, whose masks survive 8 bits or do not, by construction; and labeled images for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.onnx_header import SPEC_KEY
from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.io.images import write_png
from fcn_edge.testing.engine import fake_spec

WIDE = 32
MEAN, STD = 0.0, 255.0

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class LevelsNetwork:
    """A network of three convolutions on disk.

    ``encoder.features.0.0`` gives the brightness of each cell of 8x8 pixels in every channel, ``encoder.features.1.0``
    passes it on, and ``decoder.score8`` scores class ``k`` of ``n`` best where the brightness is nearest to
    ``k / (n - 1)``. The first two are 95% of the multiplications and wide enough to be quantized; the last is not.
    """

    path: Path
    spec: ModelSpec

    def cells(self, image: Image) -> NDArray[np.float64]:
        """Brightness of each cell, 0 to 1."""
        height, width = image.shape[0] // 8, image.shape[1] // 8
        means: NDArray[np.float64] = image.reshape(height, 8, width, 8, 3).mean(axis=(1, 3, 4)) / 255
        return means


def write_levels_network(path: Path, *, loud: float = 1.0, name: str = "levels") -> LevelsNetwork:
    """Write the network.

    Args:
        path: The file.
        loud: How many times as loud half of the channels of ``encoder.features.1.0`` are as the one that is scored. At
            1000 the 8 bits of that tensor say nothing of the one, and only a float layer helps.
        name: What the model is called.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    spec = fake_spec(name=name)
    classes = len(spec.classes)
    levels = np.arange(classes) / (classes - 1)
    gains = np.ones(WIDE)
    gains[WIDE // 2 :] = loud
    score = np.zeros((classes, WIDE))
    score[:, 0] = 2 * levels  # the nearest level is the largest of 2 b l - l^2
    weights = {
        "batch_axis": np.array([0]),
        "mean": np.full((1, 3, 1, 1), MEAN, np.float32),
        "std": np.full((1, 3, 1, 1), STD, np.float32),
        "encoder.features.0.0.weight": np.full((WIDE, 3, 8, 8), 1 / 192, np.float32),
        "encoder.features.0.0.bias": np.zeros(WIDE, np.float32),
        "encoder.features.1.0.weight": np.diag(gains).astype(np.float32)[:, :, None, None],
        "encoder.features.1.0.bias": np.zeros(WIDE, np.float32),
        "decoder.score8.weight": score.astype(np.float32)[:, :, None, None],
        "decoder.score8.bias": (-(levels**2)).astype(np.float32),
    }

    def conv(layer: str, source: str, target: str, side: int) -> onnx.NodeProto:
        names = [source, f"{layer}.weight", f"{layer}.bias"]
        return helper.make_node("Conv", names, [target], name=layer, kernel_shape=[side] * 2, strides=[side] * 2)

    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["planes"], perm=[2, 0, 1]),
        helper.make_node("Unsqueeze", ["planes", "batch_axis"], ["batch"]),
        helper.make_node("Sub", ["batch", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], ["normal"]),
        conv("encoder.features.0.0", "normal", "brightness", 8),
        helper.make_node("Relu", ["brightness"], ["stride8"]),
        conv("encoder.features.1.0", "stride8", "passed", 1),
        helper.make_node("Relu", ["passed"], ["features"]),
        conv("decoder.score8", "features", "output", 1),
    ]
    graph = helper.make_graph(
        nodes,
        "levels",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["32*h", "32*w", 3])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, classes, "4*h", "4*w"])],
        [numpy_helper.from_array(value, key) for key, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    entry = model.metadata_props.add()
    entry.key, entry.value = SPEC_KEY, spec.to_json()
    onnx.save(model, path)
    return LevelsNetwork(path, spec)


def levels_image(seed: int, size: tuple[int, int] = (64, 96)) -> Image:
    """``(H, W, 3)`` uint8: cells of 8x8 pixels, of all brightnesses and each near to its neighbors'."""
    rows, columns = np.indices((size[0] // 8, size[1] // 8))
    phase = np.random.default_rng(seed).uniform(0, 2)
    wave = np.abs((0.11 * rows + 0.13 * columns + phase) % 2 - 1)
    gray = np.kron(np.rint(255 * wave), np.ones((8, 8))).astype(np.uint8)
    return np.dstack([gray] * 3)


def write_levels_split(directory: Path, network: LevelsNetwork, images: int = 8, *, first: int = 0) -> Path:
    """Write a split that the float network is always right on; what is near to two classes is void.

    Args:
        directory: Becomes the split.
        network: Names the classes.
        images: How many.
        first: Seed of the first image.
    """
    (directory / "images").mkdir(parents=True)
    (directory / "labels").mkdir()
    classes = list(network.spec.classes)
    text = f'name = "levels"\nclasses = {classes}\nvoid = 255\n'.replace("'", '"')
    (directory / "dataset.toml").write_text(text)
    for number in range(images):
        image = levels_image(first + number)
        places = network.cells(image) * (len(classes) - 1)
        steps = np.rint(places)
        labels = np.full(image.shape[:2], 255, np.uint8)
        for row, column in np.argwhere(np.abs(places - steps) < 0.25):
            # the middle of a cell, where its neighbors hardly mix in
            labels[row * 8 + 3 : row * 8 + 5, column * 8 + 3 : column * 8 + 5] = steps[row, column]
        write_png(directory / f"images/{number:02d}.png", image)
        write_png(directory / f"labels/{number:02d}.png", labels)
    return directory
