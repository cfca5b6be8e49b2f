"""A trained network as it is deployed: image in, scores out, with nothing left that a constant can absorb."""

from __future__ import annotations

import copy
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fcn_edge.artifacts.spec import Normalization

__all__ = ["DeployedNetwork"]


class DeployedNetwork(nn.Module):
    """A network that takes a ``(H, W, 3)`` uint8 BGR image and gives ``(C, h, w)`` float32 scores.

    BatchNorm is folded into the convolutions, and the standard deviation and the swap of BGR to the network's color
    order into the first one. The mean is subtracted as a step of its own: a convolution pads with zeros, which stand
    for the mean color only after the subtraction. Folding is done in float64, so that each weight is rounded once.

    Args:
        net: The trained network, from normalized ``(N, 3, H, W)`` images to scores; left as it is.
        normalization: What it was trained with.
    """

    mean: Tensor

    def __init__(self, net: nn.Module, normalization: Normalization) -> None:
        super().__init__()
        self.network = copy.deepcopy(net).eval()
        _fold_normalization(self.network, normalization)
        for module in list(self.network.modules()):
            _fold_batchnorm(module)
            if isinstance(module, nn.ReLU | nn.ReLU6):
                module.inplace = False  # the exporter first takes in-place steps apart: slower, same graph
        self.network.float()
        self.register_buffer("mean", _bgr(torch.tensor(normalization.mean), normalization).view(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor) -> Tensor:
        """Class scores ``(C, rows, columns)`` float32 of a ``(H, W, 3)`` uint8 BGR image."""
        # the cast comes first because TensorRT transposes no uint8
        pixels = image.float().permute(2, 0, 1).unsqueeze(0)
        scores: Tensor = self.network(pixels - self.mean)
        return scores.squeeze(0)


def _fold_batchnorm(module: nn.Module) -> None:
    """Fold each BatchNorm into the convolution before it; layers are defined in the order that they run in."""
    children = list(module.named_children())
    for (name, child), (next_name, next_child) in pairwise(children):
        if isinstance(child, nn.Conv2d) and isinstance(next_child, nn.BatchNorm2d):
            # in place, one at a time: a whole network in float64 would take three times the memory of the largest
            setattr(module, name, fuse_conv_bn_eval(child.double(), next_child.double()).float())
            setattr(module, next_name, nn.Identity())


def _fold_normalization(net: nn.Module, normalization: Normalization) -> None:
    """Let the first convolution, the one on three channels, take BGR pixels that were not divided; in float64."""
    first = next(module for module in net.modules() if isinstance(module, nn.Conv2d))
    std = torch.tensor(normalization.std, dtype=torch.float64).view(1, 3, 1, 1)
    weight = _bgr((first.weight.detach().double() / std).transpose(0, 1), normalization).transpose(0, 1)
    first.double().weight = nn.Parameter(weight.contiguous())


def _bgr(channels: Tensor, normalization: Normalization) -> Tensor:
    """Three channels, along the first axis, from the encoder's color order to BGR."""
    return channels if normalization.color_order == "bgr" else channels.flip(0)
