"""Pictures for facades, foliage and fences, drawn once per street."""

import cv2
import numpy as np

from fcn_edge.street.kinds import ByteArray, Colour, FloatArray
from fcn_edge.street.shapes import Texture


def pyramid(picture: ByteArray) -> Texture:
    """A texture with its smaller sizes."""
    levels = [picture]
    while min(levels[-1].shape[:2]) > 8:
        half = cv2.resize(
            levels[-1],
            (levels[-1].shape[1] // 2, levels[-1].shape[0] // 2),
            interpolation=cv2.INTER_AREA,
        )
        levels.append(half)
    return Texture(tuple(levels))


def cloud_noise(
    rng: np.random.Generator, height: int, width: int, coarse: int, octaves: int = 4
) -> FloatArray:
    """Smooth noise (H, W) of mean 0 and about unit spread that tiles in neither direction."""
    total = np.zeros((height, width), np.float32)
    cells, weight = coarse, 1.0
    for _ in range(octaves):
        rows = max(2, int(cells * height / max(width, height)) + 1)
        columns = max(2, int(cells * width / max(width, height)) + 1)
        grid = rng.standard_normal((rows, columns)).astype(np.float32)
        total += weight * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        cells, weight = cells * 2, weight * 0.55
    return np.asarray(total, dtype=np.float64)


def grain(rng: np.random.Generator, picture: ByteArray, strength: float) -> ByteArray:
    """The picture with uneven brightness, coarse and fine."""
    height, width = picture.shape[:2]
    noise = cloud_noise(rng, height, width, 4, 3) * 0.6 + rng.standard_normal((height, width)) * 0.6
    out = picture[:, :, :3].astype(np.float64) * (1 + strength * noise[:, :, None])
    result = picture.copy()
    result[:, :, :3] = np.clip(out, 0, 255)
    return result


def foliage(rng: np.random.Generator, colour: Colour, bare: float, size: int = 224) -> Texture:
    """The crown of a tree, BGRA; `bare` is 0 for full leaf and 1 for winter twigs."""
    picture = np.zeros((size, size, 4), np.uint8)
    shade = np.multiply(colour, 0.55) * (1 - bare) + np.array([70.0, 74.0, 78.0]) * bare
    picture[:, :, :3] = shade.astype(np.uint8)
    if bare > 0.3:
        _twigs(rng, picture, (50.0, 52.0, 56.0))
        _veil(rng, picture)
    if bare < 0.9:
        _leaves(rng, picture, _lobes(rng, size), colour, int(650 * (1 - bare)))
    speck = 1 + 0.2 * rng.standard_normal((size, size, 1))
    picture[:, :, :3] = np.clip(picture[:, :, :3] * speck, 0, 255)
    return pyramid(picture)


def _lobes(rng: np.random.Generator, size: int) -> FloatArray:
    """Circles (N, 3) as (column, row, radius) that make up the outline of a crown."""
    count = int(rng.integers(6, 11))
    angle = rng.uniform(0, 2 * np.pi, count)
    out = rng.uniform(0.1, 0.26, count)
    lobes = np.stack(
        [0.5 + out * np.cos(angle), 0.47 + out * np.sin(angle), rng.uniform(0.13, 0.22, count)], axis=1
    )
    return np.asarray(lobes * size, dtype=np.float64)


def _leaves(
    rng: np.random.Generator, picture: ByteArray, lobes: FloatArray, colour: Colour, count: int
) -> None:
    """Clumps of leaves in the lobes, the lit upper ones over the shaded lower ones."""
    size = picture.shape[0]
    lobe = lobes[rng.integers(0, len(lobes), count)]
    angle, out = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.uniform(0, 1, count))
    columns = lobe[:, 0] + out * lobe[:, 2] * np.cos(angle)
    rows = lobe[:, 1] + out * lobe[:, 2] * np.sin(angle)
    # Light comes from above: by the height in the lobe and in the crown.
    up = 0.6 * (1 - rows / size) - 0.25 * out * np.sin(angle)
    light = np.clip(0.55 + 0.75 * up + rng.normal(0, 0.1, count), 0.3, 1.3)
    for i in np.argsort(light).tolist():
        ink = tuple(float(min(c * light[i], 255.0)) for c in colour)
        extent = max(2, int(rng.uniform(0.014, 0.04) * size))
        axes = (extent, max(2, int(extent * 0.65)))
        spot = (int(columns[i]), int(rows[i]))
        cv2.ellipse(picture, spot, axes, float(rng.uniform(0, 180)), 0, 360, (*ink, 255), -1)


def _veil(rng: np.random.Generator, picture: ByteArray) -> None:
    """The grey veil of a winter crown's finest twigs, see-through for the most part."""
    alpha = picture[:, :, 3]
    near = cv2.GaussianBlur(alpha, (0, 0), picture.shape[0] / 36).astype(np.float64) / 255
    grit = rng.uniform(0.0, 1.0, alpha.shape)
    twig = np.clip(2.2 * near, 0, 1) * (50 + 160 * grit**3)
    np.maximum(alpha, np.where(near > 0.1, twig, 0).astype(np.uint8), out=alpha)


def _twigs(rng: np.random.Generator, picture: ByteArray, colour: Colour) -> None:
    """Draw a bare crown: branches that fork upwards and outwards."""
    size = picture.shape[0]
    tips = [(size / 2, size - 1.0, -np.pi / 2, size * 0.2, size / 32)]
    for _ in range(8):
        grown = []
        for x, y, angle, length, width in tips:
            x1, y1 = x + np.cos(angle) * length, y + np.sin(angle) * length
            ink = tuple(float(c) for c in np.multiply(colour, rng.uniform(0.8, 1.15)))
            line = ((int(x), int(y)), (int(x1), int(y1)))
            cv2.line(picture, *line, (*ink, 255), max(1, int(width)), cv2.LINE_8)
            for _ in range(3 if width > 4 else 2):
                turn = rng.normal(0, 0.55)
                grown.append((x1, y1, angle + turn, length * rng.uniform(0.6, 0.85), width * 0.62))
        rng.shuffle(grown)
        tips = grown[:170]


def railing(rng: np.random.Generator, colour: Colour, spacing: int = 8) -> Texture:
    """Upright bars between two rails, BGRA, for 4 m of fence."""
    picture = np.zeros((48, 192, 4), np.uint8)
    picture[:, :, :3] = np.array(colour, np.uint8)
    for column in range(1, 192, spacing):
        picture[2:, column : column + 2, 3] = 255
    for row in (4, 42):
        picture[row : row + 3, :, 3] = 255
    picture[:, :5, 3] = 255
    return pyramid(grain(rng, picture, 0.08))


def boards(rng: np.random.Generator, colour: Colour) -> Texture:
    """Wooden boards, BGR, for 4 m of fence."""
    picture = np.empty((64, 192, 3), np.uint8)
    picture[:] = np.array(colour, np.uint8)
    for column in range(0, 192, 8):
        picture[:, column : column + 8] = np.clip(np.multiply(colour, rng.uniform(0.8, 1.1)), 0, 255)
        picture[:, column] = np.multiply(colour, 0.45)
    return pyramid(grain(rng, picture, 0.08))


def hedge(rng: np.random.Generator, colour: Colour) -> Texture:
    """Clipped leaves with a ragged top, BGRA, for 4 m of hedge."""
    picture = np.empty((64, 192, 4), np.uint8)
    picture[:, :, :3] = np.array(colour, np.uint8)
    ramp = np.linspace(1.15, 0.6, 64)[:, None, None]
    leaf = 1 + 0.25 * rng.standard_normal((64, 192, 1)) + 0.15 * cloud_noise(rng, 64, 192, 24)[:, :, None]
    picture[:, :, :3] = np.clip(picture[:, :, :3] * ramp * leaf, 0, 255)
    top = np.clip(4 + 2.5 * cloud_noise(rng, 1, 192, 30)[0], 0, 14)
    picture[:, :, 3] = np.where(np.arange(64)[:, None] >= top[None, :], 255, 0)
    return pyramid(picture)
