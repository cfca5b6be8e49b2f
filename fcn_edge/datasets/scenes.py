"""Rendered street scenes as images to check a converted model on, where nobody gave better ones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.spec import Size
from fcn_edge.street import Street

__all__ = ["rendered_images"]


def rendered_images(size: Size, count: int = 8) -> Iterator[NDArray[np.uint8]]:
    """Frames of different rendered streets, ``(*size, 3)`` uint8 BGR."""
    for seed in range(count):
        yield Street(seed=seed, size=size, frames=1).frame(0)[0]
