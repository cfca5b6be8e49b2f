"""Images that a network cannot be calibrated on: tiny ones, ones of a single color, random noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fcn_edge.errors import DatasetError
from fcn_edge.io.opencv import cv2

__all__ = ["refuse_useless"]

SMALLEST_SIDE = 32
"""Pixels; a network's input has 32 or more on each side."""

LEAST_CONTRAST = 1.0
"""Standard deviation in gray levels, of the channel that varies most. CamVid's images darkened to 5%, or in fog that
leaves 6%, have 2.5 or more."""

LEAST_LIKENESS = 0.8
"""Correlation of neighboring pixels below which an image may be noise. Noise has 0, stored as JPEG up to 0.24, blurred
over 3x3 pixels 0.7. CamVid's images and rendered streets have 0.85 or more, under heavy noise (deviation 60) 0.6."""

COARSE_SIDE = 64
LEAST_COARSE_LIKENESS = 0.4
"""The same with the shorter side averaged down to 64 pixels, below which such an image is noise. Noise averages to
noise: 0.06, blurred 0.13. CamVid's images and rendered streets have 0.86 or more, in heavy noise, darkness and fog too.
The fine correlation stays a condition because a close-up of gravel may be noise when it is averaged."""


def refuse_useless(image: NDArray[np.uint8], name: object) -> None:
    """Refuse an image that would spoil a calibration.

    Args:
        image: ``(H, W, 3)`` uint8 BGR.
        name: What it is called in the error.

    Raises:
        DatasetError: A side is shorter than 32 pixels, all pixels are one color, or they are random noise.
    """
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise DatasetError(
            f"{name} is {height}x{width} (height x width), too small to calibrate on; {SMALLEST_SIDE} or more pixels a "
            "side were expected.",
            "Leave it out, or give the image at its full size.",
        )
    if max(float(image[:, :, channel].std()) for channel in range(image.shape[2])) < LEAST_CONTRAST:
        raise DatasetError(
            f"{name} is of one color; calibration needs images such as the camera will see.", "Leave it out."
        )
    if _is_noise(image):
        raise DatasetError(
            f"{name} is random noise: its pixels have nothing to do with their neighbors; calibration needs images "
            "such as the camera will see.",
            "Leave it out, or give real images; without any, synthetic://street renders some.",
        )


def _is_noise(image: NDArray[np.uint8]) -> bool:
    gray = cv2().cvtColor(image, cv2().COLOR_BGR2GRAY).astype(np.float32)
    if _likeness(gray) >= LEAST_LIKENESS:
        return False
    height, width = gray.shape
    scale = min(1.0, COARSE_SIDE / min(height, width))
    sides = round(width * scale), round(height * scale)
    return _likeness(cv2().resize(gray, sides, interpolation=cv2().INTER_AREA)) < LEAST_COARSE_LIKENESS


def _likeness(gray: NDArray[np.float32]) -> float:
    """Mean correlation (-1 to 1) of the pixels with their right and with their lower neighbors."""
    return (_correlation(gray[:, :-1], gray[:, 1:]) + _correlation(gray[:-1], gray[1:])) / 2


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    one, other = first - first.mean(), second - second.mean()
    spread = float(np.sqrt((one * one).sum() * (other * other).sum()))
    return float((one * other).sum()) / spread if spread > 0 else 0.0
