"""What the keys of a ResNet tell of it, for the families that are built on one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fcn_edge.errors import CheckpointError, UsageError
from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.nets.resnet import ResNetPlan

if TYPE_CHECKING:
    from pathlib import Path

    from fcn_edge.artifacts.weights import Weights

__all__ = ["DECODER", "dimension", "numbered", "plan_of", "require_arch"]

DECODER = "fcn_head"
"""What torchvision and mmsegmentation call the head: a few convolutions on the last features, without skips."""

MOST = 1 << 14
"""Channels that a layer may have; no network has nearly as many, and sizes made of these do not overflow."""

MOST_BLOCKS = 100


def plan_of(weights: Weights) -> ResNetPlan:
    """Blocks, stem and width of the ResNet under ``backbone.``; strides and dilations are not in its keys.

    Raises:
        CheckpointError: A layer is missing or too large.
    """
    names = weights.tensors
    one, two, three, four = (numbered(weights, f"backbone.layer{layer}.") for layer in (1, 2, 3, 4))
    deep_stem = "backbone.stem.0.weight" in names
    return ResNetPlan(
        bottleneck="backbone.layer1.0.conv3.weight" in names,
        blocks=(one, two, three, four),
        deep_stem=deep_stem,
        width=dimension(weights, "backbone.stem.6.weight" if deep_stem else "backbone.conv1.weight"),
    )


def numbered(weights: Weights, prefix: str) -> int:
    """How many modules have a number after a prefix.

    Raises:
        CheckpointError: There are none, or too many.
    """
    pattern = re.compile(re.escape(prefix) + r"(\d{1,4})\.")
    count = len({found[1] for found in map(pattern.match, weights.tensors) if found})
    if not 1 <= count <= MOST_BLOCKS:
        raise CheckpointError(
            f"{weights.path} has {count} modules named {prefix}0 and so on; 1 to {MOST_BLOCKS} were expected.",
            "Give the checkpoint of an unchanged network.",
        )
    return count


def dimension(weights: Weights, name: str, axis: int = 0, axes: int = 4) -> int:
    """A dimension of a tensor that a network is built by.

    Args:
        weights: The weights.
        name: Name of the tensor.
        axis: Which dimension; the first is the number of a convolution's outputs.
        axes: How many it must have.

    Raises:
        CheckpointError: There is no such tensor, or it is no convolution's.
    """
    shape = weights.tensors[name].shape if name in weights.tensors else ()
    if len(shape) != axes or not 1 <= shape[axis] <= MOST:
        raise CheckpointError(
            f"{weights.path} holds no weight of a convolution named {name}, or one of a size that none has.",
            "Give the checkpoint of an unchanged network.",
        )
    return shape[axis]


def require_arch(path: Path, options: ImportOptions, names: tuple[str, ...], decoder: str) -> None:
    """Check that a checkpoint is what the user expects it to be.

    Args:
        path: The checkpoint.
        options: What the user says of it.
        names: What the network is called, the usual name first.
        decoder: What its decoder is called.

    Raises:
        UsageError: It is another one.
    """
    if options.arch is not None and options.arch not in names:
        raise UsageError(
            f"{path} is {names[0]}, not {options.arch}.", "Leave out --arch: the checkpoint says what it is."
        )
    if options.decoder not in (None, decoder):
        raise UsageError(
            f"The decoder of {path} is {decoder}, not {options.decoder}.", "Leave out --decoder: there is no other."
        )
