"""Small scenes that look enough like photographs: smooth, with a few flat things in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.io.images import write_png

from .scenes import CLASSES, VOID, scene

MakeScenes = Callable[..., Path]


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeScenes:
    """Makes a folder of images without labels."""

    def make(images: int = 6, name: str = "folder", size: tuple[int, int] = (48, 64)) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for index in range(images):
            write_png(folder / f"{index:03d}.png", scene(index, size))
        return folder

    return make


@pytest.fixture
def make_labeled(tmp_path: Path) -> MakeScenes:
    """Makes a split from the class shares of each image; what they leave over is void."""

    def make(shares: list[Mapping[str, float]], name: str = "train", size: tuple[int, int] = (40, 50)) -> Path:
        split = tmp_path / "scenes" / name
        (split / "images").mkdir(parents=True)
        (split / "labels").mkdir()
        toml = f'name = "scenes"\nclasses = {list(CLASSES)}\nvoid = {VOID}\n'.replace("'", '"')
        (tmp_path / "scenes" / "dataset.toml").write_text(toml)
        for index, of_image in enumerate(shares):
            write_png(split / "images" / f"{index:03d}.png", scene(index, size))
            write_png(split / "labels" / f"{index:03d}.png", _labels(of_image, size))
        return split

    return make


def _labels(shares: Mapping[str, float], size: tuple[int, int]) -> NDArray[np.uint8]:
    labels = np.full(size, VOID, np.uint8).ravel()
    start = 0
    for name, share in shares.items():
        stop = start + round(share * labels.size)
        labels[start:stop] = CLASSES.index(name)
        start = stop
    return labels.reshape(size)
