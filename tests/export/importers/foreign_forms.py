"""Networks of ``foreign_graphs`` in the forms that other programs write; those whose sides are open take any size."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper

from fcn_edge.artifacts.spec import Size

from .foreign_graphs import (
    CLASSES,
    MEAN,
    OPEN,
    STD,
    Sketch,
    network,
    normalized,
    resize_to_image,
    standardize,
)

SAID = {
    "description": "Ultralytics YOLO26n-sem model trained on street.yaml",
    "author": "Ultralytics",
    "version": "8.4.190",
    "stride": "32",
    "task": "semantic",
    "imgsz": "[64, 96]",
    "names": str({index: f"thing {index}" for index in range(CLASSES)}),
}
"""What Ultralytics' exporter writes into the metadata."""


def mmsegmentation(size: Size) -> ModelProto:
    """Fixed, opset 11, upsampled to numbers, the mask's axis of classes kept."""
    sketch = Sketch(opset=11)
    scores = network(sketch, "input")
    target = sketch.constant([1, CLASSES, *size], np.int64)
    empty = sketch.constant([], np.float32)
    full = sketch.add(
        "Resize", scores, empty, empty, target, mode="linear", coordinate_transformation_mode="pytorch_half_pixel"
    )
    mask = sketch.add("ArgMax", full, name="output", axis=1, keepdims=1)
    return standardize(sketch.model(size, "input", mask), scores, normalized)


def paddleseg(size: Size) -> ModelProto:
    """Open sides, Softmax, and a mask of int32."""
    del size
    sketch = Sketch(opset=13)
    scores = network(sketch, "x", batch_norm=False)
    likely = sketch.add("Softmax", resize_to_image(sketch, scores, "x", "half_pixel"), axis=1)
    mask = sketch.add(
        "Cast", sketch.add("ArgMax", likely, axis=1, keepdims=0), name="argmax_0.tmp_0", to=TensorProto.INT32
    )
    return standardize(sketch.model(OPEN, "x", mask), scores, normalized)


def corners(size: Size) -> ModelProto:
    """Upsampled with ``align_corners``, to scores."""
    del size
    sketch = Sketch()
    scores = network(sketch, "input")
    full = resize_to_image(sketch, scores, "input", "align_corners")
    return standardize(sketch.model(OPEN, "input", full), scores, normalized)


def origin(size: Size) -> ModelProto:
    """Upsampled by a factor, cell on pixel."""
    del size
    sketch = Sketch()
    scores = network(sketch, "input")
    factors = sketch.constant([1, 1, 8, 8])
    full = sketch.add("Resize", scores, "", factors, mode="linear", coordinate_transformation_mode="asymmetric")
    return standardize(sketch.model(OPEN, "input", sketch.add("ArgMax", full, axis=1)), scores, normalized)


def keras(size: Size) -> ModelProto:
    """Channels last, from the image to the classes."""
    sketch = Sketch()
    planes = sketch.add("Transpose", "input_1", perm=[0, 3, 1, 2])
    scores = network(sketch, planes)
    factors = sketch.constant([1, 1, 8, 8])
    full = sketch.add("Resize", scores, "", factors, mode="linear", coordinate_transformation_mode="half_pixel")
    likely = sketch.add("Softmax", sketch.add("Transpose", full, perm=[0, 2, 3, 1]), axis=-1)
    mask = sketch.add("ArgMax", likely, axis=3, keepdims=0)
    return standardize(
        sketch.model(size, "input_1", mask, layout="nhwc"),
        scores,
        lambda image: normalized(image).transpose(0, 2, 3, 1),
    )


def bytes_inside(size: Size) -> ModelProto:
    """A uint8 image, normalized inside the graph."""
    sketch = Sketch()
    floats = sketch.add("Cast", "image", to=TensorProto.FLOAT)
    planes = sketch.add("Transpose", floats, perm=[0, 3, 1, 2])
    centered = sketch.add("Sub", planes, sketch.constant(np.reshape(MEAN, (1, 3, 1, 1))))
    scaled = sketch.add("Div", centered, sketch.constant(np.reshape(STD, (1, 3, 1, 1))))
    scores = network(sketch, scaled)
    factors = sketch.constant([1, 1, 8, 8])
    full = sketch.add("Resize", scores, "", factors, mode="linear")
    model = sketch.model(size, "image", sketch.add("ArgMax", full, axis=1), layout="nhwc", element=TensorProto.UINT8)
    return standardize(model, scores, lambda image: np.ascontiguousarray(image[None, :, :, ::-1]))


def two_readers(size: Size) -> ModelProto:
    """The image goes to a convolution and around it: nothing can be folded."""
    del size
    sketch = Sketch()
    features = sketch.add("Concat", "input", sketch.add("Relu", "input"), axis=1)
    sketch.weights["mix.weight"] = np.random.default_rng(0).normal(0, 0.5, (3, 6, 1, 1)).astype(np.float32)
    scores = network(sketch, sketch.add("Conv", features, "mix.weight"), stride=4)
    full = resize_to_image(sketch, scores, "input", "half_pixel")
    return standardize(sketch.model(OPEN, "input", sketch.add("ArgMax", full, axis=1)), scores, normalized)


def cubic(size: Size) -> ModelProto:
    """Upsampled in a way that decoding does not know."""
    del size
    sketch = Sketch()
    scores = network(sketch, "input", stride=4)
    factors = sketch.constant([1, 1, 4, 4])
    full = sketch.add("Resize", scores, "", factors, mode="cubic", coordinate_transformation_mode="half_pixel")
    return standardize(sketch.model(OPEN, "input", sketch.add("ArgMax", full, axis=1)), scores, normalized)


def learned(size: Size) -> ModelProto:
    """Upsampled by a transposed convolution."""
    sketch = Sketch()
    scores = network(sketch, "input", stride=4)
    kernel = np.eye(CLASSES, dtype=np.float32)[:, :, None, None] * np.random.default_rng(0).uniform(0, 1, (1, 1, 4, 4))
    sketch.weights["up.weight"] = kernel.astype(np.float32)
    full = sketch.add("ConvTranspose", scores, "up.weight", strides=[4, 4])
    return standardize(sketch.model(size, "input", sketch.add("ArgMax", full, axis=1)), scores, normalized)


def softmax_first(size: Size) -> ModelProto:
    """Probabilities are interpolated, not scores: their Softmax stays."""
    sketch = Sketch()
    scores = network(sketch, "input")
    likely = sketch.add("Softmax", scores, axis=1)
    factors = sketch.constant([1, 1, 8, 8])
    full = sketch.add("Resize", likely, "", factors, mode="linear", coordinate_transformation_mode="half_pixel")
    return standardize(sketch.model(size, "input", sketch.add("ArgMax", full, axis=1)), scores, normalized)


def bare(size: Size) -> ModelProto:
    """Scores at a stride, and nothing after them."""
    sketch = Sketch()
    scores = network(sketch, "input")
    return standardize(sketch.model(size, "input", scores), scores, normalized)


def twice(size: Size) -> ModelProto:
    """Upsampled to the image, and once more to the size that it has then, as mmsegmentation 0.x writes it."""
    sketch = Sketch()
    scores = network(sketch, "input")
    factors = sketch.constant([1, 1, 8, 8])
    full = sketch.add("Resize", scores, "", factors, mode="linear", coordinate_transformation_mode="half_pixel")
    target = sketch.constant([1, CLASSES, *size], np.int64)
    again = sketch.add("Resize", full, "", "", target, mode="linear", coordinate_transformation_mode="half_pixel")
    mask = sketch.add("ArgMax", sketch.add("Softmax", again, axis=1), axis=1)
    return standardize(sketch.model(size, "input", mask), scores, normalized)


def scores_last(size: Size) -> ModelProto:
    """Probabilities with the classes last, as tf2onnx gives them."""
    sketch = Sketch()
    scores = network(sketch, "input")
    last = sketch.add("Softmax", sketch.add("Transpose", scores, perm=[0, 2, 3, 1]), axis=-1)
    return standardize(sketch.model(size, "input", last), scores, normalized)


def first_of_batch(size: Size) -> ModelProto:
    """``net(x)[0].argmax(0)``."""
    sketch = Sketch()
    scores = network(sketch, "input")
    factors = sketch.constant([1, 1, 8, 8])
    full = sketch.add("Resize", scores, "", factors, mode="linear", coordinate_transformation_mode="half_pixel")
    sketch.weights["first"] = np.array(0, np.int64)
    mask = sketch.add("ArgMax", sketch.add("Gather", full, "first", axis=0), axis=0, keepdims=0)
    return standardize(sketch.model(size, "input", mask), scores, normalized)


def turned(size: Size) -> ModelProto:
    """Softmax over classes as PyTorch writes it below opset 13: with the classes last, and back."""
    sketch = Sketch(opset=11)
    scores = network(sketch, "input")
    target, empty = sketch.constant([1, CLASSES, *size], np.int64), sketch.constant([], np.float32)
    full = sketch.add(
        "Resize", scores, empty, empty, target, mode="linear", coordinate_transformation_mode="pytorch_half_pixel"
    )
    likely = sketch.add("Softmax", sketch.add("Transpose", full, perm=[0, 3, 2, 1]), axis=3)
    mask = sketch.add("ArgMax", sketch.add("Transpose", likely, perm=[0, 3, 2, 1]), axis=1)
    return standardize(sketch.model(size, "input", mask), scores, normalized)


def segnet(given: str = "input_0", made: str = "output_0", size: tuple[int, int] = (128, 192)) -> ModelProto:
    """Scores at stride 32, as dusty-nv's script exports them."""
    sketch = Sketch(opset=11)
    scores = network(sketch, given, stride=32)
    sketch.add("Identity", scores, name=made)
    return standardize(sketch.model(size, given, made), scores, normalized)


def small_yolo(size: tuple[int, int] = (64, 96), **said: str) -> ModelProto:
    """Its form: SiLU, a Split and a Concat, ending in a uint8 mask."""
    sketch = Sketch(opset=18)
    random = np.random.default_rng(0)
    sketch.weights["model.0.conv.weight"] = random.normal(0, 0.6, (8, 3, 3, 3)).astype(np.float32)
    first = sketch.add("Conv", "images", "model.0.conv.weight", pads=[1, 1, 1, 1])
    active = sketch.add("Mul", first, sketch.add("Sigmoid", first))
    halves = helper.make_node("Split", [active], ["left", "right"], axis=1, num_outputs=2)
    sketch.nodes.append(halves)
    sketch.weights["model.1.conv.weight"] = random.normal(0, 0.6, (3, 8, 1, 1)).astype(np.float32)
    joined = sketch.add("Concat", "left", "right", axis=1)
    scores = network(sketch, sketch.add("Conv", joined, "model.1.conv.weight"))
    factors = sketch.constant([1, 1, 8, 8])
    full = sketch.add("Resize", scores, "", factors, mode="linear", coordinate_transformation_mode="half_pixel")
    mask = sketch.add("Cast", sketch.add("ArgMax", full, axis=1, keepdims=0), name="output0", to=TensorProto.UINT8)
    model = sketch.model(size, "images", mask)
    helper.set_model_props(model, {**SAID, **said})
    return standardize(
        model,
        scores,
        lambda image: np.ascontiguousarray(image[None, :, :, ::-1].transpose(0, 3, 1, 2), np.float32) / 255,
    )
