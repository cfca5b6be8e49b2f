"""A full-width FCN-8s of its authors' layout whose masks mean something, made in minutes where nobody trained one.

Its thirteen convolutions are VGG-16's ImageNet weights; fc6 and fc7 are random (random features: Rahimi and Recht
2007), and the three score layers are trained on their features with cross-entropy. Random score layers would give
masks whose margins no number format of eight bits could keep.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from fcn_edge.artifacts.spec import Normalization
from fcn_edge.datasets import split_of
from fcn_edge.nets.vgg_fcn import POOL3_OFFSET, POOL4_OFFSET, VggFcn, cropped

__all__ = ["fitted_checkpoint"]

CLASSES = 11
AUTHORS_MEAN = (104.00698793, 116.66876762, 122.67891434)
LAYERS = tuple(
    f"conv{stage}_{number}" for stage, count in enumerate((2, 2, 3, 3, 3), 1) for number in range(1, count + 1)
)
SCORES = ("score_fr", "score_pool4", "score_pool3")
STRIDE, FIRST_CELL = 8, -24
"""Of the grid that the scores lie on: input pixels a cell, and where the first one's center is, to half a pixel."""

STEPS, BATCH, RATE, DECAY = 800, 4, 0.003, 1e-4

Pairs = Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8]]]


@dataclass(frozen=True)
class _Seen:
    """What the score layers read of an image, and the labels at the cells of their sum.

    Attributes:
        features: By layer, ``(channels, rows, columns)``.
        labels: ``(rows, columns)``, -1 where a cell lies outside or on void.
    """

    features: dict[str, Tensor]
    labels: Tensor


def fitted_checkpoint(imagenet: Path, split: Path, path: Path, *, images: int = 48) -> None:
    """Write a checkpoint as pytorch-fcn's trainer does.

    Args:
        imagenet: ``.npz`` with torchvision's VGG-16 convolutions.
        split: Images and labels of CamVid.
        path: The checkpoint to write.
        images: How many of them to train the score layers on.
    """
    torch.manual_seed(0)
    net = VggFcn("fcn8s", CLASSES).eval()
    with torch.no_grad():
        _take_encoder(net, imagenet)
    dataset = split_of(str(split))
    chosen = [dataset[index * len(dataset) // images] for index in range(images)]
    _train(net, [_seen(net, sample.image(), sample.labels()) for sample in chosen])
    state = {name: tensor.detach() for name, tensor in net.state_dict().items()}
    for layer, kernel in (("upscore2", 4), ("upscore_pool4", 4), ("upscore8", 16)):
        state[f"{layer}.weight"] = _bilinear(kernel)
    torch.save({"epoch": 0, "iteration": 0, "arch": "FCN8s", "model_state_dict": state}, path)


def _take_encoder(net: VggFcn, imagenet: Path) -> None:
    """ImageNet's convolutions on RGB of 0 to 1, normalized, become the authors' on BGR less the mean."""
    with np.load(imagenet, allow_pickle=False) as arrays:
        weights = [arrays[key].astype(np.float32) for key in arrays.files if key.endswith(".weight")]
        biases = [arrays[key].astype(np.float32) for key in arrays.files if key.endswith(".bias")]
    std = np.array(Normalization().std, np.float32).reshape(1, 3, 1, 1)
    weights[0] = np.ascontiguousarray((weights[0] / std)[:, ::-1])
    for layer, weight, bias in zip(LAYERS, weights, biases, strict=True):
        net.get_submodule(layer).weight.copy_(torch.from_numpy(weight))  # type: ignore[operator, union-attr]
        net.get_submodule(layer).bias.copy_(torch.from_numpy(bias))  # type: ignore[operator, union-attr]
    for layer in (net.fc6, net.fc7):
        nn.init.kaiming_normal_(layer.weight)
        nn.init.zeros_(layer.bias)


@torch.inference_mode()
def _seen(net: VggFcn, image: NDArray[np.uint8], labels: NDArray[np.uint8]) -> _Seen:
    features: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        return lambda _, inputs, __: features.__setitem__(name, inputs[0][0].clone())

    hooks = [net.get_submodule(name).register_forward_hook(keep(name)) for name in SCORES]
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    scores = net(pixels - torch.tensor(AUTHORS_MEAN).view(1, 3, 1, 1))
    for hook in hooks:
        hook.remove()
    rows, columns = (torch.arange(cells) * STRIDE + FIRST_CELL for cells in scores.shape[2:])
    inside = ((rows >= 0) & (rows < labels.shape[0]))[:, None] & ((columns >= 0) & (columns < labels.shape[1]))[None]
    at = torch.from_numpy(labels)[rows.clamp(0, labels.shape[0] - 1)][:, columns.clamp(0, labels.shape[1] - 1)].long()
    return _Seen(features, torch.where(inside & (at < CLASSES), at, -1))


def _train(net: VggFcn, seen: Sequence[_Seen]) -> None:
    """Train the score layers, on features that are divided by their size, which then goes into the weights."""
    layers = {name: net.get_submodule(name) for name in SCORES}
    sizes = {
        name: torch.stack([each.features[name].square().mean((1, 2)) for each in seen]).mean(0).sqrt() + 1e-6
        for name in SCORES
    }
    for layer in layers.values():
        nn.init.zeros_(layer.weight)  # type: ignore[arg-type]
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    parameters = [parameter for layer in layers.values() for parameter in layer.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    random = np.random.default_rng(0)
    for _ in tqdm(range(STEPS), desc="score layers"):
        batch = [seen[index] for index in random.choice(len(seen), BATCH, replace=False)]
        given = {
            name: torch.stack([each.features[name] for each in batch]) / sizes[name][:, None, None] for name in SCORES
        }
        scores = net.upscore2(layers["score_fr"](given["score_fr"]))
        scores = scores + cropped(layers["score_pool4"](given["score_pool4"]), POOL4_OFFSET, scores)
        scores = net.upscore_pool4(scores)
        scores = scores + cropped(layers["score_pool3"](given["score_pool3"]), POOL3_OFFSET, scores)
        loss = nn.functional.cross_entropy(scores, torch.stack([each.labels for each in batch]), ignore_index=-1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        for name, layer in layers.items():
            layer.weight /= sizes[name][None, :, None, None]  # type: ignore[operator]


def _bilinear(kernel: int) -> Tensor:
    """The fixed weights of a transposed convolution that interpolates each class on its own."""
    line = 1 - (torch.arange(kernel) - (kernel - 1) / 2).abs() / (kernel / 2)
    weight = torch.zeros(CLASSES, CLASSES, kernel, kernel)
    weight[range(CLASSES), range(CLASSES)] = line[:, None] * line
    return weight
