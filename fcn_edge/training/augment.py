"""Random scale, crop, flip and color for training pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.spec import Size
from fcn_edge.io.opencv import cv2

__all__ = ["Augmentation"]

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


@dataclass(frozen=True)
class Augmentation:
    """What a training pair may look like.

    Attributes:
        crop: ``(height, width)`` of the result.
        scales: Smallest and largest scale of the source, drawn log-uniformly.
        color: Strength of the color changes; 0 leaves colors alone, 1 is strong.
        flip: Whether to mirror every other pair.
    """

    crop: Size
    scales: tuple[float, float] = (0.75, 2.0)
    color: float = 0.4
    flip: bool = True

    def __call__(
        self,
        image: NDArray[np.uint8],
        labels: NDArray[np.uint8],
        random: np.random.Generator,
        *,
        fill: tuple[int, int, int],
        void: int,
    ) -> Pair:
        """One random view of a pair.

        Args:
            image: ``(H, W, 3)`` uint8 BGR.
            labels: ``(H, W)`` uint8.
            random: Where the draws come from.
            fill: BGR color beyond the edges of the image.
            void: Label beyond the edges of the image.

        Returns:
            ``(*crop, 3)`` uint8 BGR and ``crop`` uint8.
        """
        image, labels = self._view(image, labels, random, fill, void)
        if self.flip and random.random() < 0.5:
            image, labels = np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(labels[:, ::-1])
        return _recolored(image, random, self.color), labels

    def _view(
        self,
        image: NDArray[np.uint8],
        labels: NDArray[np.uint8],
        random: np.random.Generator,
        fill: tuple[int, int, int],
        void: int,
    ) -> Pair:
        """Scale and crop in one affine warp, so that only the pixels of the crop are computed."""
        low, high = np.log(self.scales)
        scale = float(np.exp(random.uniform(low, high)))
        stretch = float(np.exp(random.uniform(-0.08, 0.08)))
        scale_y, scale_x = scale / stretch, scale * stretch
        height, width = self.crop
        spare_y, spare_x = image.shape[0] * scale_y - height, image.shape[1] * scale_x - width
        top, left = spare_y * random.random(), spare_x * random.random()
        # pixel centers: crop pixel (x + 0.5) lies at source pixel (x + 0.5 + left) / scale
        matrix = np.array(
            [
                [1 / scale_x, 0, (left + 0.5) / scale_x - 0.5],
                [0, 1 / scale_y, (top + 0.5) / scale_y - 0.5],
            ]
        )
        if scale < 0.7:
            # warpAffine samples bilinearly and would alias when shrinking
            image = cv2().GaussianBlur(image, (0, 0), 0.4 / scale)
        flags, constant = cv2().WARP_INVERSE_MAP, cv2().BORDER_CONSTANT
        size = (width, height)
        view = cv2().warpAffine(
            image, matrix, size, flags=flags | cv2().INTER_LINEAR, borderMode=constant, borderValue=fill
        )
        view_labels = cv2().warpAffine(
            labels, matrix, size, flags=flags | cv2().INTER_NEAREST, borderMode=constant, borderValue=void
        )
        return view, view_labels


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
