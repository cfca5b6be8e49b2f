"""Names and shapes of torchvision's ImageNet ``state_dict`` files, written down by its published architectures.

Independent of fcn_edge's encoders; the parameter counts that torchvision publishes for its weights check the tables.
"""

from __future__ import annotations

from collections.abc import Callable

Layout = dict[str, tuple[int, ...]]


def batchnorm(name: str, channels: int) -> Layout:
    vectors = {f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}
    return {**vectors, f"{name}.num_batches_tracked": ()}


def vgg16() -> Layout:
    layout: Layout = {}
    convolutions = [(0, 3, 64), (2, 64, 64), (5, 64, 128), (7, 128, 128), (10, 128, 256), (12, 256, 256)]
    convolutions += [(14, 256, 256), (17, 256, 512), *((index, 512, 512) for index in (19, 21, 24, 26, 28))]
    for index, channels, width in convolutions:
        layout[f"features.{index}.weight"] = (width, channels, 3, 3)
        layout[f"features.{index}.bias"] = (width,)
    for index, channels, width in ((0, 512 * 7 * 7, 4096), (3, 4096, 4096), (6, 4096, 1000)):
        layout[f"classifier.{index}.weight"] = (width, channels)
        layout[f"classifier.{index}.bias"] = (width,)
    return layout


def resnet50() -> Layout:
    layout: Layout = {"conv1.weight": (64, 3, 7, 7), **batchnorm("bn1", 64)}
    channels = 64
    for layer, (blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), 1):
        for block in range(blocks):
            name = f"layer{layer}.{block}"
            layout[f"{name}.conv1.weight"] = (width, channels, 1, 1)
            layout[f"{name}.conv2.weight"] = (width, width, 3, 3)
            layout[f"{name}.conv3.weight"] = (4 * width, width, 1, 1)
            layout |= batchnorm(f"{name}.bn1", width) | batchnorm(f"{name}.bn2", width)
            layout |= batchnorm(f"{name}.bn3", 4 * width)
            if block == 0:
                layout[f"{name}.downsample.0.weight"] = (4 * width, channels, 1, 1)
                layout |= batchnorm(f"{name}.downsample.1", 4 * width)
            channels = 4 * width
    return layout | {"fc.weight": (1000, 2048), "fc.bias": (1000,)}


def mobilenet_v2() -> Layout:
    layout: Layout = {"features.0.0.weight": (32, 3, 3, 3), **batchnorm("features.0.1", 32)}
    outputs = [16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320]
    channels = 32
    for index, out in enumerate(outputs, 1):
        name, hidden = f"features.{index}.conv", channels if index == 1 else 6 * channels
        depthwise = 0 if index == 1 else 1
        if depthwise:
            layout[f"{name}.0.0.weight"] = (hidden, channels, 1, 1)
            layout |= batchnorm(f"{name}.0.1", hidden)
        layout[f"{name}.{depthwise}.0.weight"] = (hidden, 1, 3, 3)
        layout |= batchnorm(f"{name}.{depthwise}.1", hidden)
        layout[f"{name}.{depthwise + 1}.weight"] = (out, hidden, 1, 1)
        layout |= batchnorm(f"{name}.{depthwise + 2}", out)
        channels = out
    layout["features.18.0.weight"] = (1280, 320, 1, 1)
    return (
        layout | batchnorm("features.18.1", 1280) | {"classifier.1.weight": (1000, 1280), "classifier.1.bias": (1000,)}
    )


LAYOUTS: dict[str, Callable[[], Layout]] = {"vgg16": vgg16, "resnet50": resnet50, "mobilenet_v2": mobilenet_v2}

PUBLISHED_PARAMETERS = {"vgg16": 138_357_544, "resnet50": 25_557_032, "mobilenet_v2": 3_504_872}
"""``num_params`` of torchvision's weights; statistics and counters of BatchNorm are not parameters."""

CLASSIFIERS = ("classifier.", "fc.")
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
