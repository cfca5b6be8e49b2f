"""Taking class weights back out of a trained network's scores.

Training with weighted cross-entropy teaches a network the rare classes and shifts its posterior by the weights: it then
sees those classes too often, which costs intersection over union. Subtracting a multiple of the weights' logarithm
from the scores moves the posterior back (Menon et al. 2021, "Long-tail learning via logit adjustment", post-hoc form).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from fcn_edge.nets.decoders import Decoder
from fcn_edge.nets.fcn import FCN

__all__ = ["correct_prior"]


@torch.no_grad()
def correct_prior(net: FCN, class_weights: Tensor, strength: float) -> None:
    """Subtract ``strength * log(class_weights)`` from the scores of every decoder, in place.

    The shift goes into the bias of the stride-32 score: bilinear upsampling leaves a constant as it is, so it arrives
    unchanged at every decoder's output.

    Args:
        net: The trained network.
        class_weights: ``(classes,)`` positive weights of the loss.
        strength: 0 leaves the scores alone, 1 takes the weights back entirely.
    """
    shift = strength * torch.log(class_weights)
    for decoder in net.decoders.values():
        bias = cast("Decoder", decoder).score32.bias
        assert bias is not None
        bias -= shift
