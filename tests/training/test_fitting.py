from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fcn_edge.artifacts.spec import Size
from fcn_edge.training.fitting import LARGEST_AREA, fitting_size, typical_size


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ((360, 480), (384, 480)),  # CamVid with SegNet's labels
        ((300, 300), (320, 320)),
        ((720, 1280), (320, 576)),
        ((1080, 1920), (320, 576)),
        ((2160, 3840), (320, 576)),
        ((375, 1242), (224, 768)),  # KITTI
        ((1920, 1080), (576, 320)),
        ((20, 500), (64, 512)),
        ((40, 20_000), (64, 2880)),
        ((2, 70_000), (64, 2880)),
        ((1, 1), (64, 64)),
        ((32, 32), (64, 64)),
    ],
)
def test_sizes_for_images(images: Size, expected: Size) -> None:
    height, width = fitting_size(images)
    assert (height, width) == expected
    assert height % 32 == width % 32 == 0
    assert height * width < 1.15 * LARGEST_AREA


class Images(list[Size]):
    """A split of so many images, of which only the sizes matter."""

    def __getitem__(self, index: Any) -> Any:
        return SimpleNamespace(image=lambda: np.zeros((*list(self)[index], 3), np.uint8))


@pytest.mark.parametrize("count", [1, 3, 40])
def test_the_typical_size_is_that_of_most(count: int) -> None:
    images: Any = Images([(30, 60)] * (2 * count) + [(900, 20)] * count)
    assert typical_size(images) == (30, 60)
