"""A full-width FCN-8s of its authors' layout whose masks mean something, made in minutes where nobody trained one.

Its thirteen convolutions are VGG-16's ImageNet weights; fc6 and fc7 are random, and the score layers are the
least-squares fit of one-hot labels to their features (random features: Rahimi and Recht 2007). Random score layers
would give masks whose margins no number format of eight bits could keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fcn_edge.artifacts.spec import Normalization
from fcn_edge.datasets import split_of
from fcn_edge.nets.vgg_fcn import VggFcn

__all__ = ["fitted_checkpoint"]

CLASSES = 11
AUTHORS_MEAN = (104.00698793, 116.66876762, 122.67891434)
LAYERS = tuple(
    f"conv{stage}_{number}" for stage, count in enumerate((2, 2, 3, 3, 3), 1) for number in range(1, count + 1)
)
FIRST_CELL = {"score_fr": (32, 12.5), "score_pool4": (16, -11.5), "score_pool3": (8, -23.5)}
"""Stride and center of the first cell, in image pixels, of the grid that each score layer's sum lies on."""

Pairs = Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8]]]


@torch.inference_mode()
def fitted_checkpoint(imagenet: Path, split: Path, path: Path, *, images: int = 24) -> None:
    """Write a checkpoint as pytorch-fcn's trainer does.

    Args:
        imagenet: ``.npz`` with torchvision's VGG-16 convolutions.
        split: Images and labels of CamVid.
        path: The checkpoint to write.
        images: How many of them to fit the score layers to.
    """
    torch.manual_seed(0)
    net = VggFcn("fcn8s", CLASSES).eval()
    _take_encoder(net, imagenet)
    dataset = split_of(str(split))
    chosen = [dataset[index * len(dataset) // images] for index in range(images)]
    pairs = [(sample.image(), sample.labels()) for sample in chosen]
    for layer in (net.score_fr, net.score_pool4, net.score_pool3):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    for name in FIRST_CELL:
        _fit(net, name, pairs)
    state = dict(net.state_dict())
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


def _fit(net: VggFcn, name: str, pairs: Pairs) -> None:
    """Fit one score layer to what the coarser ones leave of the labels, by ridge regression."""
    layer = net.get_submodule(name)
    assert isinstance(layer, nn.Conv2d)
    width = layer.in_channels + 1
    gram, right = torch.zeros(width, width, dtype=torch.float64), torch.zeros(width, CLASSES, dtype=torch.float64)
    for image, labels in pairs:
        features, coarse = _seen(net, layer, name, image)
        wanted, places = _targets(labels, coarse, name)
        rows = torch.cat([features[:, places[0], places[1]].T, torch.ones(len(wanted), 1)], 1).double()
        gram += rows.T @ rows
        right += rows.T @ (wanted - coarse[:, places[0], places[1]].T).double()
    gram += torch.eye(width, dtype=torch.float64) * gram.diagonal().mean() * 1e-3
    solution = torch.linalg.solve(gram, right).float()
    layer.weight.copy_(solution[:-1].T[:, :, None, None])
    layer.bias.copy_(solution[-1])


def _seen(net: VggFcn, layer: nn.Conv2d, name: str, image: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """What a score layer reads, and the sum of the scores so far, both on the grid of that sum."""
    kept: dict[str, Tensor] = {}
    grids = {"score_fr": net.score_fr, "score_pool4": net.upscore2, "score_pool3": net.upscore_pool4}
    hooks = [
        layer.register_forward_hook(lambda _, inputs, __: kept.__setitem__("features", inputs[0][0])),
        grids[name].register_forward_hook(lambda _, __, output: kept.__setitem__("scores", output[0])),
    ]
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    net(pixels - torch.tensor(AUTHORS_MEAN).view(1, 3, 1, 1))
    for hook in hooks:
        hook.remove()
    offset = {"score_fr": 0, "score_pool4": 5, "score_pool3": 9}[name]
    height, width = kept["scores"].shape[1:]
    return kept["features"][:, offset : offset + height, offset : offset + width], kept["scores"]


def _targets(labels: NDArray[np.uint8], scores: Tensor, name: str) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """One-hot labels, less the mean, at the cells that lie on labeled pixels, and those cells."""
    stride, first = FIRST_CELL[name]
    rows, columns = (torch.arange(cells) * stride + round(first) for cells in scores.shape[1:])
    inside = ((rows >= 0) & (rows < labels.shape[0]))[:, None] & ((columns >= 0) & (columns < labels.shape[1]))[None]
    at = torch.from_numpy(labels)[rows.clamp(0, labels.shape[0] - 1)][:, columns.clamp(0, labels.shape[1] - 1)]
    places = torch.nonzero(inside & (at < CLASSES), as_tuple=True)
    return nn.functional.one_hot(at[places].long(), CLASSES).float() - 1 / CLASSES, (places[0], places[1])


def _bilinear(kernel: int) -> Tensor:
    """The fixed weights of a transposed convolution that interpolates each class on its own."""
    line = 1 - (torch.arange(kernel) - (kernel - 1) / 2).abs() / (kernel / 2)
    weight = torch.zeros(CLASSES, CLASSES, kernel, kernel)
    weight[range(CLASSES), range(CLASSES)] = line[:, None] * line
    return weight
