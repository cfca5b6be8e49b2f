"""A part of the picture, mirrored or turned: ``#roi=100,0,480x640&flip=horizontal``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.artifacts.spec import Size
from fcn_edge.backends.frame_buffer import host_frame
from fcn_edge.errors import SourceError
from fcn_edge.io.opencv import cv2
from fcn_edge.runtime.sources.base import Connection, Picture
from fcn_edge.runtime.sources.wrapped import Wrapper
from fcn_edge.runtime.uri import frame_size_from_text
from fcn_edge.text import whole

__all__ = ["FLIPS", "Region", "TransformedConnection", "flip_from_text"]

Array = NDArray[np.uint8]

FLIPS: dict[str, Callable[[Array], Array]] = {
    "horizontal": lambda image: cv2().flip(image, 1),
    "vertical": lambda image: cv2().flip(image, 0),
    "rotate-180": lambda image: cv2().flip(image, -1),
    "clockwise": lambda image: cv2().rotate(image, cv2().ROTATE_90_CLOCKWISE),
    "counterclockwise": lambda image: cv2().rotate(image, cv2().ROTATE_90_COUNTERCLOCKWISE),
}
"""What ``flip`` may be, with the names of jetson-utils: left and right exchanged, top and bottom, both; turned by 90
degrees."""

TURNED = frozenset({"clockwise", "counterclockwise"})


@dataclass(frozen=True)
class Region:
    """A part of a picture.

    Attributes:
        top: Its first row, from 0.
        left: Its first column, from 0.
        size: ``(height, width)``.
    """

    top: int
    left: int
    size: Size

    @classmethod
    def from_text(cls, text: str) -> Region:
        """The region of a text such as ``100,0,480x640``: row and column of its corner, height x width.

        Raises:
            ValueError: It is no region.
        """
        parts = text.split(",")
        corner = [whole(part) for part in parts[:2]]
        if len(parts) != 3 or corner[0] is None or corner[1] is None:
            raise ValueError("top,left,height x width in pixels was expected, such as 100,0,480x640")
        return cls(corner[0], corner[1], frame_size_from_text(parts[2]))

    def of(self, image: Array) -> Array:
        """The region of an image, as a view of its memory."""
        return image[self.top : self.top + self.size[0], self.left : self.left + self.size[1]]

    def __str__(self) -> str:
        return f"{self.top},{self.left},{self.size[0]}x{self.size[1]}"


def flip_from_text(text: str) -> str:
    """A key of ``FLIPS``.

    Raises:
        ValueError: It is none.
    """
    if text not in FLIPS:
        raise ValueError(f"one of {', '.join(FLIPS)} was expected")
    return text


class TransformedConnection(Wrapper):
    """The frames of a source, cut and then flipped, with their labels where they have some.

    Connecting raises SourceError where the region does not lie in the picture; reading does where the size changes
    to one in which it does not.

    Args:
        inner: The source, which is closed with this one.
        roi: The part of the picture that is kept, in the source's own pixels; all when left out.
        flip: What is done to that part, a key of ``FLIPS``; nothing when left out.
    """

    def __init__(self, inner: Connection, roi: Region | None = None, flip: str | None = None) -> None:
        self._roi = roi
        self._flip = flip
        super().__init__(inner)

    @override
    def changed(self, picture: Picture) -> Picture:
        self._check(picture.image.shape[:2])
        image = self._transformed(host_frame(picture.image))
        labels = None if picture.labels is None else self._transformed(picture.labels)
        return replace(picture, image=image, labels=labels)

    @override
    def _take_over(self) -> None:
        super()._take_over()
        if self.size is None:
            return
        self._check(self.size)
        height, width = self.size if self._roi is None else self._roi.size
        self.size = (width, height) if self._flip in TURNED else (height, width)

    def _transformed(self, image: Array) -> Array:
        part = image if self._roi is None else self._roi.of(image)
        return part if self._flip is None else FLIPS[self._flip](part)

    def _check(self, size: tuple[Any, ...]) -> None:
        roi = self._roi
        if roi is not None and (roi.top + roi.size[0] > size[0] or roi.left + roi.size[1] > size[1]):
            raise SourceError(
                f"roi={roi} does not lie in the picture of {self.id}, which has {size[0]}x{size[1]} pixels.",
                "Give top,left,height x width that fit into it.",
            )
