"""Long, Shelhamer and Darrell's networks as they are published, written for the tests from their description.

Layer by layer, with full transposed convolutions, as ``torchfcn/models/fcn*.py`` (version 1.9.7) and the ``.prototxt``
files of https://github.com/shelhamer/fcn.berkeleyvision.org describe them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from torch import Tensor, nn

from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.export.network import Image, TrainedNetwork

MEAN_BGR = (104.00698793, 116.66876762, 122.67891434)

NARROW = (6, 8, 10, 12, 14, 24, 20)
VGG16 = (64, 128, 256, 512, 512, 4096, 4096)


@dataclass(frozen=True)
class Published:
    """What is published of a network.

    Attributes:
        last: Name, kernel and crop of its last transposed convolution.
        skips: How many skips it has.
        scales: What pool4 and pool3 are multiplied with.
    """

    last: tuple[str, int, int]
    skips: int
    scales: tuple[float, float] = (1.0, 1.0)


PUBLISHED = {
    "fcn32s": Published(("upscore", 64, 19), 0),
    "fcn16s": Published(("upscore16", 32, 27), 1),
    "fcn8s": Published(("upscore8", 16, 31), 2),
    "fcn8s-atonce": Published(("upscore8", 16, 31), 2, (0.01, 0.0001)),
}


class PublishedFcn(nn.Module):
    """One of the networks."""

    def __init__(self, name: str, classes: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.published = PUBLISHED[name]
        w = widths
        self.conv1_1 = nn.Conv2d(3, w[0], 3, padding=100)
        self.conv1_2 = nn.Conv2d(w[0], w[0], 3, padding=1)
        self.conv2_1 = nn.Conv2d(w[0], w[1], 3, padding=1)
        self.conv2_2 = nn.Conv2d(w[1], w[1], 3, padding=1)
        self.conv3_1 = nn.Conv2d(w[1], w[2], 3, padding=1)
        self.conv3_2 = nn.Conv2d(w[2], w[2], 3, padding=1)
        self.conv3_3 = nn.Conv2d(w[2], w[2], 3, padding=1)
        self.conv4_1 = nn.Conv2d(w[2], w[3], 3, padding=1)
        self.conv4_2 = nn.Conv2d(w[3], w[3], 3, padding=1)
        self.conv4_3 = nn.Conv2d(w[3], w[3], 3, padding=1)
        self.conv5_1 = nn.Conv2d(w[3], w[4], 3, padding=1)
        self.conv5_2 = nn.Conv2d(w[4], w[4], 3, padding=1)
        self.conv5_3 = nn.Conv2d(w[4], w[4], 3, padding=1)
        self.fc6 = nn.Conv2d(w[4], w[5], 7)
        self.fc7 = nn.Conv2d(w[5], w[6], 1)
        self.score_fr = nn.Conv2d(w[6], classes, 1)
        layer, kernel, _ = self.published.last
        if self.published.skips > 0:
            self.score_pool4 = nn.Conv2d(w[3], classes, 1)
            self.upscore2 = _bilinear(classes, 4)
        if self.published.skips > 1:
            self.score_pool3 = nn.Conv2d(w[2], classes, 1)
            self.upscore_pool4 = _bilinear(classes, 4)
        self.add_module(layer, _bilinear(classes, kernel))

    def features(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The inputs of score_pool3, score_pool4 and score_fr."""
        pool = nn.MaxPool2d(2, stride=2, ceil_mode=True)
        h = pool(self.conv1_2(self.conv1_1(x).relu()).relu())
        h = pool(self.conv2_2(self.conv2_1(h).relu()).relu())
        pool3 = pool(self.conv3_3(self.conv3_2(self.conv3_1(h).relu()).relu()).relu())
        pool4 = pool(self.conv4_3(self.conv4_2(self.conv4_1(pool3).relu()).relu()).relu())
        h = pool(self.conv5_3(self.conv5_2(self.conv5_1(pool4).relu()).relu()).relu())
        scale4, scale3 = self.published.scales
        return pool3 * scale3, pool4 * scale4, self.fc7(self.fc6(h).relu()).relu()

    def coarse(self, x: Tensor) -> Tensor:
        """The scores before the last upsampling."""
        pool3, pool4, fc7 = self.features(x)
        h = self.score_fr(fc7)
        if self.published.skips > 0:
            h = self.upscore2(h)
            h = h + self.score_pool4(pool4)[:, :, 5 : 5 + h.shape[2], 5 : 5 + h.shape[3]]
        if self.published.skips > 1:
            h = self.upscore_pool4(h)
            h = h + self.score_pool3(pool3)[:, :, 9 : 9 + h.shape[2], 9 : 9 + h.shape[3]]
        return h

    def full(self, scores: Tensor, x: Tensor) -> Tensor:
        """The last upsampling of scores, cropped to the image."""
        layer, _, crop = self.published.last
        whole: Tensor = getattr(self, layer)(scores)
        return whole[:, :, crop : crop + x.shape[2], crop : crop + x.shape[3]]


def _bilinear(classes: int, kernel: int) -> nn.ConvTranspose2d:
    layer = nn.ConvTranspose2d(classes, classes, kernel, stride=kernel // 2, bias=False)
    factor = (kernel + 1) // 2
    og = np.ogrid[:kernel, :kernel]
    center = factor - 0.5
    filt = (1 - abs(og[0] - center) / factor) * (1 - abs(og[1] - center) / factor)
    nn.init.zeros_(layer.weight)
    for index in range(classes):
        layer.weight.data[index, index] = torch.from_numpy(filt)
    return layer


def as_input(images: Sequence[Image], mean: Sequence[float] = MEAN_BGR) -> Tensor:
    """``(N, 3, H, W)`` float32 of ``(H, W, 3)`` uint8 BGR images of one size."""
    batch = np.stack(images).astype(np.float32) - np.array(mean, np.float32)
    return torch.from_numpy(batch).permute(0, 3, 1, 2)


@torch.no_grad()
def random_published(
    name: str,
    images: Sequence[Image],
    *,
    classes: int = 21,
    widths: Sequence[int] = NARROW,
    learned: Sequence[str] = (),
    seed: int = 0,
) -> PublishedFcn:
    """A network with random weights whose masks depend on every layer.

    Each score layer gives each class zero mean and unit variance on the images, so that no class and no skip decides
    alone. Upsampling layers named in ``learned`` mix the classes.
    """
    torch.manual_seed(seed)
    net = PublishedFcn(name, classes, widths).eval()
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.normal_(layer.bias, std=1.0)
    features = net.features(as_input(images))
    scores = [getattr(net, f"score_{layer}", None) for layer in ("pool3", "pool4", "fr")]
    for score, inputs in zip(scores, features, strict=True):
        if score is not None:
            nn.init.normal_(score.weight)
            score.bias.zero_()
            out = score(inputs)
            score.weight /= out.std((0, 2, 3)).view(-1, 1, 1, 1)
            score.bias -= (out / out.std((0, 2, 3), keepdim=True)).mean((0, 2, 3))
    for layer in learned:
        weight = getattr(net, layer).weight
        weight += 0.1 * torch.randn_like(weight)
    return net


class Theirs(TrainedNetwork):
    """The published network, to compare an exported file with."""

    def __init__(self, net: PublishedFcn, spec: ModelSpec, mean: Sequence[float] = MEAN_BGR) -> None:
        self.net, self.spec, self.mean = net, spec, mean

    def graph(self) -> ModelProto:
        raise NotImplementedError

    @torch.inference_mode()
    def scores(self, image: Image) -> NDArray[np.float32]:
        x = as_input([image], self.mean)
        scores = self.net.coarse(x)
        return (self.net.full(scores, x) if self.spec.stride == 1 else scores)[0].numpy()

    def labels(self, image: Image) -> NDArray[np.uint8]:
        return self.scores_and_labels(image)[1]

    @torch.inference_mode()
    def scores_and_labels(self, image: Image) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        x = as_input([image], self.mean)
        scores = self.net.coarse(x)
        full = self.net.full(scores, x)
        mask = full[0].argmax(0).to(torch.uint8).numpy()
        return (full if self.spec.stride == 1 else scores)[0].numpy(), mask
