"""Networks that are written down as one forward pass, each layer with the name of its weights in a checkpoint.

The first pass makes the weights, random and with the statistics of BatchNorm. Nothing here knows fcn_edge's networks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from torch import Tensor
from torch.nn import functional

from fcn_edge.export.network import TrainedNetwork
from fcn_edge.export.parity import parity_of_onnx

Image = NDArray[np.uint8]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Described:
    """A network's weights by name.

    Args:
        forward: ``(net, image)`` to ``(N, C, h, w)`` scores, before they are brought to the image's size; calls the
            methods below.
        images: ``(H, W, 3)`` uint8 BGR, of one size; on these each class gets scores of mean 0 and variance 1.
        align_corners: How the scores are brought to the image's size.
        normalize: ``(N, 3, H, W)`` RGB of 0 to 1 to what the network takes.
    """

    def __init__(
        self,
        forward: Callable[[Described, Tensor], Tensor],
        images: Sequence[Image],
        *,
        align_corners: bool = False,
        normalize: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.state: dict[str, Tensor] = {}
        self._forward, self._align_corners = forward, align_corners
        self._normalize = normalize or imagenet
        self._random = torch.Generator().manual_seed(0)
        with torch.inference_mode(False), torch.no_grad():
            self.scores_of(images)

    def scores_of(self, images: Sequence[Image]) -> Tensor:
        rgb = torch.from_numpy(np.stack(images)[..., ::-1].copy()).permute(0, 3, 1, 2).float() / 255
        return self._forward(self, self._normalize(rgb))

    @torch.no_grad()
    def full_scores_of(self, image: Image) -> Tensor:
        """``(C, H, W)`` scores at the image's size: the network's own output."""
        scores = self.scores_of([image])
        return functional.interpolate(scores, size=image.shape[:2], mode="bilinear", align_corners=self._align_corners)[
            0
        ]

    def conv(self, x: Tensor, name: str, out: int, kernel: int, groups: int = 1, **how: int) -> Tensor:
        weight = f"{name}.weight"
        if weight not in self.state:
            fan_in = x.shape[1] // groups * kernel * kernel
            self.state[weight] = self._normal(out, x.shape[1] // groups, kernel, kernel) * (2 / fan_in) ** 0.5
        return functional.conv2d(x, self.state[weight], groups=groups, **how)

    def norm(self, x: Tensor, name: str, gain: float = 1.0) -> Tensor:
        channels = x.shape[1]
        if f"{name}.weight" not in self.state:
            self.state |= {
                f"{name}.weight": gain * self._uniform(channels, 0.7, 1.3),
                f"{name}.bias": 0.2 * self._normal(channels),
                f"{name}.running_mean": 0.3 * self._normal(channels),
                f"{name}.running_var": self._uniform(channels, 0.5, 2.0),
                f"{name}.num_batches_tracked": torch.tensor(7),
            }
        weight, bias, mean, var = (
            self.state[f"{name}.{part}"].view(1, -1, 1, 1) for part in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / (var + 1e-5).sqrt() * weight + bias

    def scores(self, x: Tensor, name: str, classes: int) -> Tensor:
        if f"{name}.weight" not in self.state:
            weight = self._normal(classes, x.shape[1], 1, 1)
            scores = functional.conv2d(x, weight)
            std = scores.std((0, 2, 3))
            self.state[f"{name}.weight"] = weight / std.view(-1, 1, 1, 1)
            self.state[f"{name}.bias"] = -scores.mean((0, 2, 3)) / std
        return functional.conv2d(x, self.state[f"{name}.weight"], self.state[f"{name}.bias"])

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self._random)

    def _uniform(self, count: int, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=self._random)


def imagenet(rgb: Tensor) -> Tensor:
    return (rgb - torch.tensor(IMAGENET_MEAN).view(3, 1, 1)) / torch.tensor(IMAGENET_STD).view(3, 1, 1)


def of_bytes(mean: Sequence[float], std: Sequence[float]) -> Callable[[Tensor], Tensor]:
    """Normalization with a mean and standard deviation for 0 to 255."""
    return lambda rgb: (255 * rgb - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)


def residual_layer(
    net: Described,
    x: Tensor,
    name: str,
    *,
    width: int,
    blocks: int,
    bottleneck: bool,
    stride: int,
    first_dilation: int = 1,
    dilation: int = 1,
    dilate_second: bool = False,
) -> Tensor:
    """One of ``layer1`` to ``layer4`` (He et al. 2015); the stride is that of the first block's first 3x3."""
    out = 4 * width if bottleneck else width
    for block in range(blocks):
        at = f"{name}.{block}"
        step, reach = (stride, first_dilation) if block == 0 else (1, dilation)
        identity = x
        if block == 0 and (stride != 1 or x.shape[1] != out):
            identity = net.norm(net.conv(x, f"{at}.downsample.0", out, 1, stride=step), f"{at}.downsample.1")
        if bottleneck:
            y = net.norm(net.conv(x, f"{at}.conv1", width, 1), f"{at}.bn1").relu()
            y = net.conv(y, f"{at}.conv2", width, 3, stride=step, padding=reach, dilation=reach)
            y = net.norm(y, f"{at}.bn2").relu()
            y = net.norm(net.conv(y, f"{at}.conv3", out, 1), f"{at}.bn3", 0.4)
        else:
            y = net.conv(x, f"{at}.conv1", width, 3, stride=step, padding=reach, dilation=reach)
            y = net.norm(y, f"{at}.bn1").relu()
            y = net.norm(net.conv(y, f"{at}.conv2", width, 3, padding=1), f"{at}.bn2", 0.4)
        x = (y + identity).relu()
    return x


class Reference(TrainedNetwork):
    """A described network, or anything else that gives scores, as that which an exported file is compared with.

    Args:
        scores: ``(C, h, w)`` scores of an image before they are brought to its size.
        full_scores: ``(C, H, W)`` scores of an image at its size.
    """

    def __init__(self, scores: Callable[[Image], Tensor], full_scores: Callable[[Image], Tensor]) -> None:
        self._scores, self._full_scores = scores, full_scores

    def graph(self) -> ModelProto:
        raise NotImplementedError

    def scores(self, image: Image) -> NDArray[np.float32]:
        return self._scores(image).numpy()

    def labels(self, image: Image) -> NDArray[np.uint8]:
        return self._full_scores(image).argmax(0).to(torch.uint8).numpy()


def reference_of(net: Described) -> Reference:
    return Reference(lambda image: net.scores_of([image])[0], net.full_scores_of)


def require_same(network: TrainedNetwork, reference: Reference, image: Image) -> None:
    """A network that was read gives the reference's scores and masks, before it is exported."""
    expected, mask = reference.scores(image), reference.labels(image)
    assert np.abs(network.scores(image) - expected).max() <= 1e-4 * np.ptp(expected)
    assert (network.labels(image) == mask).mean() >= 0.999
    assert len(np.unique(mask)) >= 5


def require_equal(model: Path, reference: Reference, images: Sequence[Image], *sizes: tuple[int, int]) -> None:
    """The file gives the reference's scores and masks at several sizes, and the masks hold many classes."""
    assert any(side % 32 for size in sizes for side in size)
    for size in sizes:
        parity = parity_of_onnx(model, reference, images, size=size)
        assert parity.max_abs_diff <= 1e-3 * parity.score_range
        assert parity.label_agreement >= 0.999
        assert len(parity.classes) >= 5
