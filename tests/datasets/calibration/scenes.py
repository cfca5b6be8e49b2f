"""What the test images show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CLASSES = ("road", "sky", "car", "person")
VOID = 9


def scene(seed: int, size: tuple[int, int] = (48, 64)) -> NDArray[np.uint8]:
    """``(H, W, 3)`` uint8: a smooth background with three flat boxes; another one for each seed."""
    random = np.random.default_rng(seed)
    height, width = size
    rows, columns = np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None]
    slopes = random.uniform(-90, 90, (2, 3))
    image = random.uniform(90, 160, 3) + rows[:, :, None] * slopes[0] + columns[:, :, None] * slopes[1]
    for _ in range(3):
        top, left = int(random.integers(0, height // 2)), int(random.integers(0, width // 2))
        image[top : top + height // 3, left : left + width // 3] = random.uniform(0, 255, 3)
    return np.clip(image, 0, 255).astype(np.uint8)


def noise(seed: int, size: tuple[int, int] = (48, 64)) -> NDArray[np.uint8]:
    """``(H, W, 3)`` uint8, each number drawn for itself."""
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
