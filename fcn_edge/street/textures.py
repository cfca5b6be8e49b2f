"""Pictures for facades, foliage and fences, drawn once per street."""

from functools import cache

import cv2
import numpy as np

from fcn_edge.street.kinds import ByteArray, Color, FloatArray, NoiseArray
from fcn_edge.street.texture import Texture


def white_noise(rng: np.random.Generator, *shape: int) -> NoiseArray:
    """Independent normal numbers."""
    return rng.standard_normal(shape, dtype=np.float32)


def cloud_noise(rng: np.random.Generator, height: int, width: int, coarse: int, octaves: int = 4) -> NoiseArray:
    """Smooth noise (H, W) of mean 0 and about unit spread; it tiles in neither direction."""
    total: NoiseArray = np.zeros((height, width), np.float32)
    cells, weight = coarse, 1.0
    for _ in range(octaves):
        rows = max(2, int(cells * height / max(width, height)) + 1)
        columns = max(2, int(cells * width / max(width, height)) + 1)
        grid = white_noise(rng, rows, columns) * np.float32(weight)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
        cells, weight = cells * 2, weight * 0.55
    return total


@cache
def _grit() -> NoiseArray:
    """One sheet of independent normal numbers, of which pictures use different parts."""
    return white_noise(np.random.default_rng(2015), 1024, 1024)


def grain(rng: np.random.Generator, picture: ByteArray, strength: float) -> ByteArray:
    """The picture (H, W, 3), up to 512 pixels each way, with uneven brightness."""
    height, width = picture.shape[:2]
    row, column = rng.integers(0, 512, 2).tolist()
    noise = cloud_noise(rng, height, width, 5, 3)
    noise += _grit()[row : row + height, column : column + width]
    gain = cv2.convertScaleAbs(noise, alpha=0.6 * strength * 128, beta=128)
    return np.asarray(cv2.multiply(picture, cv2.merge([gain, gain, gain]), scale=1 / 128))


def foliage(rng: np.random.Generator, color: Color, bare: float, size: int = 224) -> Texture:
    """The crown of a tree, BGRA; `bare` is 0 for full leaf and 1 for winter twigs."""
    picture = np.zeros((size, size, 4), np.uint8)
    shade = np.multiply(color, 0.55) * (1 - bare) + np.array([70.0, 74.0, 78.0]) * bare
    picture[:, :, :3] = shade.astype(np.uint8)
    if bare > 0.3:
        _twigs(rng, picture, (50.0, 52.0, 56.0))
        _veil(rng, picture)
    if bare < 0.9:
        _leaves(rng, picture, _lobes(rng, size), color, int(1300 * (1 - bare)))
    picture[:, :, :3] = grain(rng, np.ascontiguousarray(picture[:, :, :3]), 0.3)
    return Texture(picture)


def _lobes(rng: np.random.Generator, size: int) -> FloatArray:
    """Circles (N, 3) as (column, row, radius) that make up the outline of a crown."""
    count = int(rng.integers(6, 11))
    angle = rng.uniform(0, 2 * np.pi, count)
    out = rng.uniform(0.1, 0.26, count)
    lobes = np.stack(
        [0.5 + out * np.cos(angle), 0.47 + out * np.sin(angle), rng.uniform(0.13, 0.22, count)],
        axis=1,
    )
    return np.asarray(lobes * size, dtype=np.float64)


def _leaves(rng: np.random.Generator, picture: ByteArray, lobes: FloatArray, color: Color, count: int) -> None:
    """Clumps of leaves in the lobes, the lit upper ones over the shaded lower ones."""
    size = picture.shape[0]
    lobe = lobes[rng.integers(0, len(lobes), count)]
    angle, out = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.uniform(0, 1, count))
    columns = lobe[:, 0] + out * lobe[:, 2] * np.cos(angle)
    rows = lobe[:, 1] + out * lobe[:, 2] * np.sin(angle)
    # Light comes from above: by the height in the lobe and in the crown.
    up = 0.6 * (1 - rows / size) - 0.25 * out * np.sin(angle)
    light = np.clip(0.55 + 0.75 * up + rng.normal(0, 0.1, count), 0.3, 1.3)
    inks = np.minimum(np.multiply.outer(light, (*color, 0.0)), 255.0)
    inks[:, 3] = 255.0
    extents = np.maximum(2, rng.uniform(0.008, 0.028, count) * size).astype(int).tolist()
    turns = rng.uniform(0, 180, count).tolist()
    spots = np.stack([columns, rows], axis=1).astype(int).tolist()
    for i in np.argsort(light).tolist():
        axes = (extents[i], max(2, int(extents[i] * 0.65)))
        cv2.ellipse(picture, spots[i], axes, turns[i], 0, 360, inks[i].tolist(), -1)


def _veil(rng: np.random.Generator, picture: ByteArray) -> None:
    """The gray veil of a winter crown's finest twigs, see-through for the most part."""
    alpha = picture[:, :, 3]
    near = cv2.GaussianBlur(alpha, (0, 0), picture.shape[0] / 36).astype(np.float32) / 255
    grit = rng.random(alpha.shape, dtype=np.float32)
    twig = np.clip(2.2 * near, 0, 1) * (50 + 160 * grit**3)
    np.maximum(alpha, np.where(near > 0.1, twig, 0).astype(np.uint8), out=alpha)


def _twigs(rng: np.random.Generator, picture: ByteArray, color: Color) -> None:
    """Draw a bare crown: branches that fork upwards and outwards, twice at each tip."""
    size = picture.shape[0]
    tips = np.array([[size / 2, size - 1.0]])
    angle, length = np.array([-np.pi / 2]), np.array([size * 0.2])
    width = size / 30
    for _ in range(8):
        ends = tips + np.stack([np.cos(angle), np.sin(angle)], axis=1) * length[:, None]
        lines = np.stack([tips, ends], axis=1).astype(np.int32)
        cv2.polylines(picture, list(lines), False, (*color, 255), max(1, round(width)))
        forks = 3 if width > 4 else 2
        chosen = rng.permutation(np.arange(len(ends)).repeat(forks))[:180]
        tips = ends[chosen]
        angle = angle[chosen] + rng.normal(0, 0.55, len(chosen))
        length = length[chosen] * rng.uniform(0.6, 0.85, len(chosen))
        width *= 0.62


def railing(color: Color, spacing: int = 8) -> Texture:
    """Upright bars between two rails, BGRA, for 4 m of fence."""
    picture = np.zeros((48, 192, 4), np.uint8)
    picture[:, :, :3] = np.array(color, np.uint8)
    for column in range(1, 192, spacing):
        picture[2:, column : column + 2, 3] = 255
    for row in (4, 42):
        picture[row : row + 3, :, 3] = 255
    picture[:, :5, 3] = 255
    return Texture(picture)


def boards(rng: np.random.Generator, color: Color) -> Texture:
    """Wooden boards, BGR, for 4 m of fence."""
    picture = np.empty((64, 192, 3), np.uint8)
    picture[:] = np.array(color, np.uint8)
    for column in range(0, 192, 8):
        picture[:, column : column + 8] = np.clip(np.multiply(color, rng.uniform(0.8, 1.1)), 0, 255)
        picture[:, column] = np.multiply(color, 0.45)
    return Texture(grain(rng, picture, 0.08))


def hedge(rng: np.random.Generator, color: Color) -> Texture:
    """Clipped leaves with a ragged top, BGRA, for 4 m of hedge."""
    picture = np.empty((64, 192, 4), np.uint8)
    picture[:, :, :3] = np.array(color, np.uint8)
    ramp = np.linspace(1.15, 0.6, 64)[:, None, None]
    leaf = 1 + 0.25 * white_noise(rng, 64, 192, 1) + 0.15 * cloud_noise(rng, 64, 192, 24)[:, :, None]
    picture[:, :, :3] = np.clip(picture[:, :, :3] * ramp * leaf, 0, 255)
    top = np.clip(4 + 2.5 * cloud_noise(rng, 1, 192, 30)[0], 0, 14)
    picture[:, :, 3] = np.where(np.arange(64)[:, None] >= top[None, :], 255, 0)
    return Texture(picture)
