"""Tensors of a weights file into a network, once their names and shapes fit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import nn

from fcn_edge.artifacts.names import shown
from fcn_edge.artifacts.weights import Weights
from fcn_edge.errors import CheckpointError
from fcn_edge.text import listed

__all__ = ["fill"]

MOST_UNPACKED, SMALL = 4, 64 << 20
"""Half precision doubles in memory; a network of a few megabytes may repeat what it likes."""

BESIDE = ("criterion.", "loss.", "loss_fn.", "metric.", "metrics.", "n_averaged")
"""What training keeps beside a network: weights of classes in a loss, and the count of an average of weights."""


def fill(net: nn.Module, weights: Weights, about: str, *, ignored: Sequence[str] = ()) -> None:
    """Give a network the tensors of weights, one at a time, so that the largest is in memory twice and no other.

    Args:
        net: The network; every parameter and buffer must be in the weights, in its shape. A BatchNorm's number of
            batches may be missing. One on the ``meta`` device comes to the CPU once the weights are known to fit.
        weights: The weights, under the network's own names.
        about: What the network is, for the message.
        ignored: Leading parts of names that the weights may hold beyond the network's.

    Raises:
        CheckpointError: They do not fit, and the message says which names differ; they are integers; they hold NaN or
            infinity; or they are many times as large as their file, which then repeats one number or one tensor many
            times.
    """
    own = dict(net.state_dict(keep_vars=True))
    counters = {name for name in own if name.endswith("num_batches_tracked")}
    wanted = {name: tuple(tensor.shape) for name, tensor in own.items() if name not in counters}
    problem = difference(
        wanted, {name: tensor.shape for name, tensor in weights.tensors.items()}, (*BESIDE, *ignored, *counters)
    )
    if problem:
        raise CheckpointError(
            f"{weights.path} looks like {about}, but does not fit it: {problem}.",
            "Give the checkpoint of an unchanged network, or export it to ONNX where its code is and give that file.",
        )
    _require_numbers(weights, wanted)
    if any(tensor.is_meta for tensor in own.values()):
        net.to_empty(device="cpu")
        own = dict(net.state_dict(keep_vars=True))
        for name in counters:
            own[name].zero_()
    damaged = []
    for name in wanted:
        with torch.no_grad():
            own[name].copy_(torch.from_numpy(weights.tensors[name].array()))
        if not own[name].isfinite().all():
            damaged.append(name)
    if damaged:
        raise CheckpointError(
            f"{weights.path} holds NaN or infinity in {_some(damaged)}.",
            "Download or save it again; if its training diverged, give a checkpoint from before that.",
        )


def _require_numbers(weights: Weights, wanted: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse integers, whose scale is elsewhere, and files that would take far more memory than they are large."""
    for name in wanted:
        if "float" not in weights.tensors[name].dtype:
            raise CheckpointError(
                f"{weights.path} stores {_some([name])} as {weights.tensors[name].dtype}; floating-point weights were "
                "expected.",
                "Give the checkpoint from before it was quantized.",
            )
    taken = 4 * sum(math.prod(shape) for shape in wanted.values())
    held = weights.path.stat().st_size
    if taken > MOST_UNPACKED * held + SMALL:
        raise CheckpointError(
            f"{weights.path} would unpack {held / 1e6:.1f} MB to {taken / 1e6:.0f} MB of weights: it repeats them.",
            "Save it again with torch.save(net.state_dict(), path).",
        )


def difference(
    wanted: Mapping[str, tuple[int, ...]], given: Mapping[str, tuple[int, ...]], ignored: Iterable[str] = ()
) -> str:
    """How the names and shapes of two sets of tensors differ, as a phrase; empty when they fit."""
    missing = [name for name in wanted if name not in given]
    if missing:
        return f"it lacks {_some(missing)}"
    extra = [name for name in given if name not in wanted and not name.startswith(tuple(ignored))]
    if extra:
        return f"it also holds {_some(extra)}"
    for name, shape in wanted.items():
        if given[name] != shape:
            return f"its {name} is {given[name]}, and {shape} was expected"
    return ""


def _some(names: Sequence[str]) -> str:
    return listed([shown(name) for name in names], 3)
