"""Random scale, crop, flip and color for training pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.spec import Size
from fcn_edge.io.opencv import cv2

__all__ = ["Augmentation", "View"]

View = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
"""Image, labels and where the image is, of one size."""


@dataclass(frozen=True)
class Augmentation:
    """What a training pair may look like.

    Attributes:
        crop: ``(height, width)`` of the result.
        scales: Smallest and largest scale, drawn log-uniformly.
        size: Network size that scale 1 is for: that at which the image just fits into it, as it does when the network
            is used. None for the image's own pixels.
        color: Strength of the color changes; 0 leaves colors alone, 1 is strong.
        flip: Whether to mirror every other pair.
        balance: Share of the crops that are laid around a pixel of a class, drawn among those of the image, each alike:
            so that rare classes are seen more often.
        inside: Whether to tell which pixels of a view show the image and not what lies beyond its edges.
    """

    crop: Size
    scales: tuple[float, float] = (0.5, 2.0)
    color: float = 0.4
    flip: bool = True
    balance: float = 0.0
    inside: bool = False
    size: Size | None = None

    def __call__(
        self,
        image: NDArray[np.uint8],
        labels: NDArray[np.uint8],
        random: np.random.Generator,
        *,
        fill: tuple[int, int, int],
        void: int,
    ) -> View:
        """One random view of a pair.

        Args:
            image: ``(H, W, 3)`` uint8 BGR.
            labels: ``(H, W)`` uint8.
            random: Where the draws come from.
            fill: BGR color beyond the edges of the image.
            void: Label beyond the edges of the image.

        Returns:
            Image, ``(*crop, 3)`` uint8 BGR; labels, ``crop`` uint8; and with ``inside`` 1 where the image is and 0
            beyond its edges, ``crop`` uint8, else nothing, ``(0, 0)``.
        """
        around = None
        if self.balance and random.random() < self.balance:
            around = _pixel_of_a_class(labels, random, void)
        image, labels, inside = self._view(image, labels, random, fill, void, around)
        if self.flip and random.random() < 0.5:
            image, labels, inside = (np.ascontiguousarray(each[:, ::-1]) for each in (image, labels, inside))
        return _recolored(image, random, self.color), labels, inside

    def _view(
        self,
        image: NDArray[np.uint8],
        labels: NDArray[np.uint8],
        random: np.random.Generator,
        fill: tuple[int, int, int],
        void: int,
        around: tuple[int, int] | None,
    ) -> View:
        """Scale and crop in one affine warp, so that only the pixels of the crop are computed.

        The crop lies anywhere, or anywhere that holds the pixel ``around``, (row, column), of the source.
        """
        low, high = np.log(self.scales)
        scale = float(np.exp(random.uniform(low, high)))
        if self.size is not None:
            scale *= min(self.size[0] / image.shape[0], self.size[1] / image.shape[1])
        stretch = float(np.exp(random.uniform(-0.08, 0.08)))
        scale_y, scale_x = scale / stretch, scale * stretch
        height, width = self.crop
        spare_y, spare_x = image.shape[0] * scale_y - height, image.shape[1] * scale_x - width
        top, left = spare_y * random.random(), spare_x * random.random()
        if around is not None:
            top = _beside((around[0] + 0.5) * scale_y, height, spare_y, random)
            left = _beside((around[1] + 0.5) * scale_x, width, spare_x, random)
        matrix = _sampling(scale_y, scale_x, top, left)
        shrunk = _shrunk(image, scale)
        less_y, less_x = image.shape[0] / shrunk.shape[0], image.shape[1] / shrunk.shape[1]
        flags, constant = cv2().WARP_INVERSE_MAP, cv2().BORDER_CONSTANT
        size = (width, height)
        view = cv2().warpAffine(
            shrunk,
            _sampling(scale_y * less_y, scale_x * less_x, top, left),
            size,
            flags=flags | cv2().INTER_LINEAR,
            borderMode=constant,
            borderValue=fill,
        )
        nearest = flags | cv2().INTER_NEAREST
        view_labels = cv2().warpAffine(labels, matrix, size, flags=nearest, borderMode=constant, borderValue=void)
        inside = np.empty((0, 0), np.uint8)
        if self.inside:
            ones = np.ones(labels.shape, np.uint8)
            inside = cv2().warpAffine(ones, matrix, size, flags=nearest, borderMode=constant, borderValue=0)
        return view, view_labels, inside


def _sampling(scale_y: float, scale_x: float, top: float, left: float) -> NDArray[np.float64]:
    """The affine map from pixels of a crop to those of its source; pixel centers lie at halves."""
    return np.array(
        [
            [1 / scale_x, 0, (left + 0.5) / scale_x - 0.5],
            [0, 1 / scale_y, (top + 0.5) / scale_y - 0.5],
        ]
    )


def _shrunk(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """The image, smaller and smoother as far as it is going to be shrunk: bilinear sampling alone would alias."""
    times = int(1 / scale)
    height, width = max(1, image.shape[0] // max(1, times)), max(1, image.shape[1] // max(1, times))
    if times > 1:
        image = np.asarray(cv2().resize(image, (width, height), interpolation=cv2().INTER_AREA), np.uint8)
        scale *= times
    if scale < 0.7:
        image = np.asarray(cv2().GaussianBlur(image, (0, 0), 0.4 / scale), np.uint8)
    return image


def _pixel_of_a_class(labels: NDArray[np.uint8], random: np.random.Generator, void: int) -> tuple[int, int] | None:
    """Row and column of a random pixel of a random class of an image; None where all is void."""
    classes = np.flatnonzero(np.bincount(labels.ravel(), minlength=256))
    classes = classes[classes != void]
    if not len(classes):
        return None
    places = np.flatnonzero(labels == random.choice(classes))
    row, column = divmod(int(random.choice(places)), labels.shape[1])
    return row, column


def _beside(center: float, length: int, spare: float, random: np.random.Generator) -> float:
    """Where a crop begins along one axis that holds a point and, if it can, nothing beyond the edges.

    Args:
        center: The point, in pixels of the scaled image.
        length: Length of the crop.
        spare: Length of the scaled image less that of the crop; negative where the crop is longer.
        random: Where the draw comes from.
    """
    low, high = min(0.0, spare), max(0.0, spare)
    return float(np.clip(center - length * random.random(), low, high))


def _recolored(image: NDArray[np.uint8], random: np.random.Generator, strength: float) -> NDArray[np.uint8]:
    """Random gamma, contrast, brightness and white balance by one table a channel; then saturation and blur."""
    if strength <= 0:
        return image
    levels = np.linspace(0, 1, 256)
    gamma = np.exp(random.uniform(-0.5, 0.5) * strength)
    contrast = np.exp(random.uniform(-0.6, 0.6) * strength)
    brightness = random.uniform(-0.3, 0.3) * strength
    balance = np.exp(random.uniform(-0.2, 0.2, size=3) * strength)
    curve = (levels**gamma - 0.5) * contrast + 0.5 + brightness
    table = np.clip(curve[:, None] * balance[None] * 255, 0, 255).astype(np.uint8)
    image = cv2().LUT(image, table[None])
    if random.random() < 0.5:
        saturation = float(np.exp(random.uniform(-0.8, 0.8) * strength))
        gray = cv2().cvtColor(cv2().cvtColor(image, cv2().COLOR_BGR2GRAY), cv2().COLOR_GRAY2BGR)
        image = cv2().addWeighted(image, saturation, gray, 1 - saturation, 0)
    if random.random() < 0.15:
        image = cv2().GaussianBlur(image, (0, 0), float(random.uniform(0.4, 1.2)))
    return np.asarray(image, np.uint8)
