"""Mixed precision: convolutions compute in bfloat16 while the weights, their updates and the losses stay in float32.

bfloat16 has the range of float32, so that losses need no scaling (Kalamkar et al. 2019, "A Study of BFLOAT16 for Deep
Learning Training"). Processors with instructions for it (avx512_bf16, amx_bf16, bf16 of Arm) multiply twice as fast or
more; others are slower with it than without.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from fcn_edge.nets.fcn import FCN

__all__ = ["MixedPrecision"]


class MixedPrecision:
    """Runs a network in mixed precision, or in float32.

    Args:
        net: The network that is trained. Its depthwise convolutions with a stride go on in float32: in bfloat16 oneDNN
            has no fast gradient of them, which took four times as long and made the whole step as slow as before.
        enabled: Whether to compute in bfloat16.
    """

    def __init__(self, net: FCN, *, enabled: bool) -> None:
        self._enabled = enabled
        if not enabled:
            return
        for module in net.modules():
            if isinstance(module, nn.Conv2d) and module.groups > 1 and max(module.stride) > 1:
                module.forward = partial(_in_float32, module)  # type: ignore[method-assign]

    def scores(self, net: FCN, images: Tensor) -> dict[str, Tensor]:
        """Class scores of every decoder, float32, of normalized ``(N, 3, H, W)`` float32 images."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self._enabled):
            found: dict[str, Tensor] = net(images)
        return {name: scores.float() for name, scores in found.items()}


def _in_float32(conv: nn.Conv2d, x: Tensor) -> Tensor:
    with torch.autocast("cpu", enabled=False):
        out: Tensor = conv._conv_forward(x.float(), conv.weight, conv.bias)
    return out
