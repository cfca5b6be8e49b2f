"""The windows that convolutions and poolings slide over an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fcn_edge.artifacts.onnx_nodes import Node

__all__ = ["Shape", "Window", "window_of"]

Shape = tuple[int, ...]
"""Lengths along the axes."""

_AUTOMATIC = ("SAME_UPPER", "SAME_LOWER")


@dataclass(frozen=True)
class Window:
    """How a node slides over its image; each has one number a spatial axis.

    Attributes:
        kernel: Its sides.
        strides: Steps.
        dilations: Steps within it.
        begin: Padding before the image.
        end: Padding behind it.
        extra: What a transposed convolution adds to its output.
        groups: Groups of channels.
        rounds_up: Windows that only begin within the image count.
        automatic: The image's size decides on the padding, which is none here yet.
    """

    kernel: Shape
    strides: Shape
    dilations: Shape
    begin: Shape
    end: Shape
    extra: Shape
    groups: int = 1
    rounds_up: bool = False
    automatic: bool = False

    def sides(self, image: Sequence[int]) -> Shape:
        """Sides of what the window gives on an image of these sides."""
        if self.automatic:
            return tuple(-(-side // stride) for side, stride in zip(image, self.strides, strict=True))
        sides = []
        for side, reach, stride, padding in zip(image, self._reach, self.strides, self._padding, strict=True):
            room = side + padding - reach
            sides.append((-(-room // stride) if self.rounds_up else room // stride) + 1)
        return tuple(sides)

    def transposed_sides(self, image: Sequence[int]) -> Shape:
        """Sides of what the transposed window gives on an image of these sides."""
        if self.automatic:
            return tuple(side * stride for side, stride in zip(image, self.strides, strict=True))
        return tuple(
            stride * (side - 1) + extra + reach - padding
            for side, stride, extra, reach, padding in zip(
                image, self.strides, self.extra, self._reach, self._padding, strict=True
            )
        )

    def padded_for(self, image: Sequence[int]) -> Shape:
        """The larger padding of either end, along each axis, on an image of these sides."""
        if not self.automatic:
            return tuple(map(max, self.begin, self.end))
        return tuple(
            (max((-(-side // stride) - 1) * stride + reach - side, 0) + 1) // 2
            for side, stride, reach in zip(image, self.strides, self._reach, strict=True)
        )

    @property
    def _reach(self) -> Shape:
        return tuple((side - 1) * step + 1 for side, step in zip(self.kernel, self.dilations, strict=True))

    @property
    def _padding(self) -> Shape:
        return tuple(map(int.__add__, self.begin, self.end))


def window_of(node: Node, weight: Shape | None) -> Window | None:
    """The window of a convolution or pooling; None where the file does not tell it.

    Args:
        node: The node.
        weight: Shape of a convolution's weights.
    """
    try:
        return _window(node, weight)
    except (OverflowError, ValueError):  # numbers that are none
        return None


def _window(node: Node, weight: Shape | None) -> Window | None:
    kernel = _whole(node, "kernel_shape") or (weight or ())[2:]
    axes = len(kernel)
    pads = _whole(node, "pads") or (0,) * 2 * axes
    strides, dilations = (_whole(node, name) or (1,) * axes for name in ("strides", "dilations"))
    extra = _whole(node, "output_padding") or (0,) * axes
    if not axes or {len(strides), len(dilations), len(extra), len(pads) / 2} != {axes}:
        return None
    if min(*kernel, *strides, *dilations) < 1:
        return None
    (groups,) = node.numbers.get("group", (1,))[:1]
    (rounds_up,) = node.numbers.get("ceil_mode", (0,))[:1]
    automatic = node.texts.get("auto_pad") in _AUTOMATIC
    return Window(kernel, strides, dilations, pads[:axes], pads[axes:], extra, int(groups), bool(rounds_up), automatic)


def _whole(node: Node, name: str) -> Shape:
    return tuple(map(int, node.numbers.get(name, ())))
