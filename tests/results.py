"""Results of frames, for the tests of whatever takes them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.backends.base import Timing
from fcn_edge.runtime.frame import Frame
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.segmentation import Segmentation
from fcn_edge.testing.engine import fake_spec

__all__ = ["gray", "make_result"]


def gray(level: int, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    return np.full((height, width, 3), level, np.uint8)


@pytest.fixture
def make_result() -> Callable[..., Result]:
    """A result of a gray image whose mask has the class 3 to the left and 0 to the right."""

    def make(index: int = 0, height: int = 48, width: int = 64, name: str = "") -> Result:
        image = gray(10 * index % 256, height, width)
        labels = np.zeros((height, width), np.uint8)
        labels[:, : width // 2] = 3
        frame = Frame(image, index, 0, name or f"{index:06d}", source="drive.mp4", captured_unix_ns=7, time=index / 4)
        return Result(frame, Segmentation(image, labels, fake_spec(), Timing()), latency_ns=5_000_000)

    return make
