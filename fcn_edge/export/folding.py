"""A trained network as it is deployed: image in, scores out, with nothing left that a constant can absorb."""

from __future__ import annotations

import copy
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fcn_edge.artifacts.spec import Normalization
from fcn_edge.nets.encoders import Encoder
from fcn_edge.nets.fcn import FCN

__all__ = ["DeployedFCN"]


class DeployedFCN(nn.Module):
    """One encoder and one decoder that take a ``(H, W, 3)`` uint8 BGR image and give ``(C, h, w)`` float32 scores.

    BatchNorm is folded into the convolutions, and the standard deviation and the swap of BGR to the encoder's color
    order into the first one. The mean is subtracted as a step of its own: a convolution pads with zeros, which stand
    for the mean color only after the subtraction. Folding is done in float64, so that each weight is rounded once.

    Args:
        net: The trained network; left as it is.
        decoder_name: Which of its decoders to take.
        normalization: What the encoder was trained with.

    Raises:
        UsageError: The network has no such decoder.
    """

    mean: Tensor

    def __init__(self, net: FCN, decoder_name: str, normalization: Normalization) -> None:
        super().__init__()
        one = copy.deepcopy(net.single(decoder_name)).eval().double()
        for module in list(one.modules()):
            _fold_batchnorm(module)
            if isinstance(module, nn.ReLU | nn.ReLU6):
                module.inplace = False  # the exporter first takes in-place steps apart: slower, same graph
        self.encoder = one.encoder
        self.decoder = one.decoders[decoder_name]
        _fold_normalization(self.encoder, normalization)
        self.float()
        self.register_buffer("mean", _bgr(torch.tensor(normalization.mean), normalization).view(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor) -> Tensor:
        """Class scores ``(C, H / stride, W / stride)`` float32 of a ``(H, W, 3)`` uint8 BGR image."""
        # the cast comes first because TensorRT transposes no uint8
        pixels = image.float().permute(2, 0, 1).unsqueeze(0)
        scores: Tensor = self.decoder(*self.encoder(pixels - self.mean))
        return scores.squeeze(0)


def _fold_batchnorm(module: nn.Module) -> None:
    """Fold each BatchNorm into the convolution before it; layers are defined in the order that they run in."""
    children = list(module.named_children())
    for (name, child), (next_name, next_child) in pairwise(children):
        if isinstance(child, nn.Conv2d) and isinstance(next_child, nn.BatchNorm2d):
            setattr(module, name, fuse_conv_bn_eval(child, next_child))
            setattr(module, next_name, nn.Identity())


def _fold_normalization(encoder: Encoder, normalization: Normalization) -> None:
    """Let the first convolution, the one on three channels, take BGR pixels that were not divided."""
    first = next(module for module in encoder.modules() if isinstance(module, nn.Conv2d))
    weight = first.weight.detach() / torch.tensor(normalization.std, dtype=torch.float64).view(1, 3, 1, 1)
    first.weight = nn.Parameter(_bgr(weight.transpose(0, 1), normalization).transpose(0, 1).contiguous())


def _bgr(channels: Tensor, normalization: Normalization) -> Tensor:
    """Three channels, along the first axis, from the encoder's color order to BGR."""
    return channels if normalization.color_order == "bgr" else channels.flip(0)
