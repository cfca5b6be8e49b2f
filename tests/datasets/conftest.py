"""Small data sets on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fcn_edge.io.images import write_png

MakeSplit = Callable[..., Path]

TOML = 'name = "tiny"\nclasses = ["road", "sky", "car"]\nvoid = 9\n'


@pytest.fixture
def make_split(tmp_path: Path) -> MakeSplit:
    """Makes ``root/NAME`` with images and labels of three classes and void; the root has a ``dataset.toml``."""

    def make(name: str = "train", images: int = 3, size: tuple[int, int] = (8, 12), seed: int = 0) -> Path:
        random = np.random.default_rng([seed, sum(name.encode())])
        split = tmp_path / "root" / name
        (split / "images").mkdir(parents=True)
        (split / "labels").mkdir()
        (tmp_path / "root" / "dataset.toml").write_text(TOML)
        for index in range(images):
            image = random.integers(0, 256, (*size, 3), np.uint8)
            write_png(split / "images" / f"frame{index}.png", image)
            labels = random.choice(np.array([0, 1, 2, 9], np.uint8), size)
            labels[0, :4] = 0, 1, 2, 9
            write_png(split / "labels" / f"frame{index}.png", labels)
        return split

    return make
