from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.datasets.calibration.checks import refuse_useless
from fcn_edge.errors import DatasetError
from fcn_edge.io.images import read_image
from fcn_edge.street import Street

from .scenes import noise, scene

Image = NDArray[np.uint8]
SIZES = [(32, 32), (64, 96), (360, 480)]


def jpeg(image: Image, quality: int) -> Image:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1), np.uint8)


def gaussian(size: tuple[int, int], spread: float) -> Image:
    drawn = np.random.default_rng(0).normal(128, spread, (*size, 3))
    return np.clip(drawn, 0, 255).astype(np.uint8)


def shuffled(image: Image) -> Image:
    return np.random.default_rng(0).permutation(image.reshape(-1, 3)).reshape(image.shape)


NOISES: dict[str, Callable[[tuple[int, int]], Image]] = {
    "uniform": lambda size: noise(0, size),
    "gray": lambda size: np.repeat(noise(0, size)[:, :, :1], 3, axis=2),
    "gaussian": lambda size: gaussian(size, 40),
    "weak gaussian": lambda size: gaussian(size, 3),
    "good JPEG": lambda size: jpeg(noise(0, size), 90),
    "poor JPEG": lambda size: jpeg(noise(0, size), 20),
    "salt and pepper": lambda size: np.where(noise(0, size) > 127, 255, 0).astype(np.uint8),
    "shuffled street": lambda size: shuffled(Street(seed=1, size=size, frames=1).frame(0)[0]),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", NOISES)
def test_noise_is_refused(kind: str, size: tuple[int, int]) -> None:
    with pytest.raises(DatasetError, match=r"x\.png is random noise"):
        refuse_useless(NOISES[kind](size), "x.png")


@pytest.mark.parametrize("factor", [2, 4])
def test_enlarged_and_blurred_noise_is_refused(factor: int) -> None:
    enlarged = cv2.resize(noise(0, (360 // factor, 480 // factor)), (480, 360), interpolation=cv2.INTER_NEAREST)
    for image in (enlarged, cv2.blur(noise(0, (360, 480)), (3, 3))):
        with pytest.raises(DatasetError, match="random noise"):
            refuse_useless(np.asarray(image, np.uint8), "x.png")


@pytest.mark.parametrize("level", [0, 1, 128, 255])
def test_one_color_is_refused(level: int) -> None:
    flat = np.full((48, 64, 3), level, np.uint8)
    with pytest.raises(DatasetError, match=r"x\.png is of one color"):
        refuse_useless(flat, "x.png")
    flat[::7, ::5] ^= 1
    with pytest.raises(DatasetError, match="of one color"):
        refuse_useless(flat, "x.png")


def test_differing_in_one_channel_is_not_one_color() -> None:
    image = np.full((48, 64, 3), 90, np.uint8)
    image[:, :, 2] = np.arange(64)
    refuse_useless(image, "x.png")


def test_31_pixels_are_too_few_and_32_are_not() -> None:
    refuse_useless(scene(0, (32, 32)), "x.png")
    for size in ((31, 64), (64, 31)):
        with pytest.raises(DatasetError, match=rf"x\.png is {size[0]}x{size[1]} .* 32 or more"):
            refuse_useless(scene(0, size), "x.png")


def night(image: Image) -> Image:
    return (image * 0.05).astype(np.uint8)


def fog(image: Image) -> Image:
    return (220 + image * 0.06).astype(np.uint8)


def grainy(image: Image) -> Image:
    grain = np.random.default_rng(0).normal(0, 60, image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


def grainy_night(image: Image) -> Image:
    grain = np.random.default_rng(0).normal(0, 3, image.shape)
    return np.clip(image * 0.05 + grain, 0, 255).astype(np.uint8)


WEATHERS = [np.asarray, night, fog, grainy, grainy_night]


@pytest.fixture(scope="module")
def streets() -> list[Image]:
    return [Street(seed=seed, frames=1).frame(0)[0] for seed in range(6)]


@pytest.mark.parametrize("weather", WEATHERS)
def test_rendered_streets_pass(streets: list[Image], weather: Callable[[Image], Image]) -> None:
    for seed, street in enumerate(streets):
        refuse_useless(weather(street), seed)


@pytest.mark.parametrize("size", [(32, 32), (36, 200)])
def test_small_rendered_streets_pass(size: tuple[int, int]) -> None:
    for seed in range(6):
        refuse_useless(Street(seed=seed, size=size, frames=1).frame(0)[0], seed)


@pytest.mark.parametrize("weather", WEATHERS)
def test_photographs_pass(camvid: Path, weather: Callable[[Image], Image]) -> None:
    for path in sorted((camvid / "train" / "images").iterdir())[::40]:
        refuse_useless(weather(read_image(path)), path)
