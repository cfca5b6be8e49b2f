"""Blocks of an encoder that training leaves as they are."""

from __future__ import annotations

from torch import nn

from fcn_edge.errors import UsageError
from fcn_edge.nets.fcn import FCN

__all__ = ["Frozen"]


class Frozen:
    """The first blocks of a network's encoder, whose weights and BatchNorm statistics are not trained.

    Nothing is computed backward through them, which is what saves the time.

    Args:
        net: The network; gradients of the blocks' weights are turned off.
        blocks: How many of ``encoder.blocks``.

    Raises:
        UsageError: The encoder has fewer blocks.
    """

    def __init__(self, net: FCN, blocks: int) -> None:
        known = net.encoder.blocks
        if blocks > len(known):
            raise UsageError(
                f"{blocks} blocks of {net.encoder_name} were to be frozen, and it has {len(known)} that can be.",
                "Freeze fewer blocks.",
            )
        self._prefixes = tuple(part for block in known[:blocks] for part in block)
        for name, parameter in net.encoder.named_parameters():
            if name.startswith(self._prefixes):
                parameter.requires_grad_(False)

    def hold(self, net: FCN) -> None:
        """Keep the BatchNorm statistics of the blocks, after ``net.train()`` let go of them."""
        for name, module in net.encoder.named_modules():
            if isinstance(module, nn.BatchNorm2d) and f"{name}.".startswith(self._prefixes):
                module.eval()
