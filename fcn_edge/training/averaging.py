"""Averaged weights: a running mean of the weights of every step, which is what is validated and kept."""

from __future__ import annotations

from typing import Generic, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

__all__ = ["Average", "decay_after"]


def decay_after(steps: int, decay: float) -> float:
    """Share of the mean that stays in the next step.

    A fixed decay of 0.995 means over the last 200 steps, which is more than a short training has: its first weights
    would still be in the mean at its end. So the mean begins short and grows with the training, to about the last
    ninth of the steps until now, and no further than the decay says.

    Args:
        steps: Steps in the mean until now, at least 1.
        decay: The largest share.
    """
    return min(decay, (1 + steps) / (10 + steps))


Net = TypeVar("Net", bound=nn.Module)

_Tensors = tuple[Tensor, ...] | list[Tensor]


class Average(Generic[Net]):
    """The running mean of a network's weights and BatchNorm statistics.

    Args:
        net: The network that is trained.
        decay: Largest share of the mean that stays in a step (``decay_after``); 0 follows the network.
    """

    def __init__(self, net: Net, decay: float) -> None:
        self._decay = decay
        self._model = AveragedModel(net, multi_avg_fn=self._move, use_buffers=True)

    @property
    def net(self) -> Net:
        """The averaged network, in evaluation mode."""
        return cast("Net", self._model.module.eval())

    def update(self, net: Net) -> None:
        """Take in the weights after a step."""
        self._model.update_parameters(net)

    def state(self) -> dict[str, Tensor]:
        """What ``restore`` goes on from."""
        return dict(self._model.state_dict())

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from ``state()``."""
        self._model.load_state_dict(state)

    @torch.no_grad()
    def _move(self, means: _Tensors, news: _Tensors, steps: Tensor | int) -> None:
        if not torch.is_floating_point(means[0]):
            # counters of BatchNorm
            for mean, new in zip(means, news, strict=True):
                mean.copy_(new)
            return
        torch._foreach_lerp_(means, news, 1 - decay_after(int(steps), self._decay))
