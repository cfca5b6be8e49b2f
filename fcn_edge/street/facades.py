"""Pictures of house fronts: walls, windows, doors and shops."""

from dataclasses import dataclass

import cv2
import numpy as np

from fcn_edge.street.kinds import ByteArray, Color
from fcn_edge.street.texture import Texture
from fcn_edge.street.textures import grain

_PER_METER = 28
_STORY = 3.0

# Brick, yellow Cambridge brick, render, stone and concrete, as (blue, green, red).
_WALLS: tuple[Color, ...] = (
    (68, 82, 122),
    (76, 92, 124),
    (86, 98, 116),
    (128, 156, 172),
    (142, 164, 178),
    (196, 206, 210),
    (216, 222, 224),
    (150, 162, 170),
    (130, 136, 140),
    (160, 172, 192),
    (178, 186, 178),
    (104, 112, 124),
)
_SHOPS: tuple[Color, ...] = (
    (60, 40, 30),
    (40, 30, 120),
    (110, 50, 20),
    (40, 80, 30),
    (30, 30, 34),
    (190, 190, 186),
    (120, 40, 90),
    (40, 140, 190),
)


@dataclass(frozen=True)
class Facade:
    """A house front.

    Attributes:
        texture: Its picture.
        gable: Picture of its side wall.
        width: Meters.
        height: Meters to the eaves.
        wall: Color of the wall, for the sides.
    """

    texture: Texture
    gable: Texture
    width: float
    height: float
    wall: Color


def facade(rng: np.random.Generator, width: float, stories: int, shop: bool) -> Facade:
    """A random house front of a width in meters and a number of stories."""
    wall_color = _WALLS[int(rng.integers(len(_WALLS)))]
    faded = rng.uniform(0.85, 1.08) * rng.normal(1.0, 0.025, 3)
    wall = tuple(float(c) for c in np.clip(np.multiply(wall_color, faded), 0, 255))
    ground = 3.6 if shop else _STORY
    height = ground + _STORY * (stories - 1) + 0.5
    rows, columns = int(height * _PER_METER), int(width * _PER_METER)
    picture = np.empty((rows, columns, 3), np.uint8)
    picture[:] = np.array(wall, np.uint8)
    bricks = bool(rng.random() < 0.6)
    if bricks:
        _bricks(rng, picture)
    trim = tuple(float(c) for c in np.clip(np.multiply(wall, rng.uniform(0.7, 1.35)), 0, 255))
    picture[: int(0.3 * _PER_METER)] = np.array(trim, np.uint8)
    bays = max(2, round(width / rng.uniform(2.2, 3.4)))
    pane = (rng.uniform(0.9, 1.5), rng.uniform(1.2, 1.9))
    frame: Color = (225.0, 228.0, 230.0) if rng.random() < 0.75 else (60.0, 60.0, 60.0)
    for story in range(stories):
        sill = rows - (ground + _STORY * (story - 1) + 0.9) * _PER_METER
        if story == 0:
            if shop:
                _shop(rng, picture, ground)
                continue
            sill = rows - 0.9 * _PER_METER
        door = int(rng.integers(bays)) if story == 0 else -1
        for bay in range(bays):
            middle = (bay + 0.5) * columns / bays
            if bay == door:
                _door(rng, picture, middle)
            else:
                _window(rng, picture, middle, sill, pane, frame)
    if stories > 1 and rng.random() < 0.4:
        row = rows - int(ground * _PER_METER)
        cv2.line(picture, (0, row), (columns, row), trim, 4)
    gable = _gable(rng, rows, wall, bricks, frame)
    plain = (wall[0], wall[1], wall[2])
    return Facade(Texture(grain(rng, picture, 0.05)), gable, width, height, plain)


def _gable(rng: np.random.Generator, rows: int, wall: tuple[float, ...], bricks: bool, frame: Color) -> Texture:
    """A side wall of 9 m with few windows, at half the resolution of a front."""
    columns = 9 * _PER_METER
    picture = np.empty((rows, columns, 3), np.uint8)
    picture[:] = np.array(wall, np.uint8)
    if bricks:
        _bricks(rng, picture)
    for story in range(int(rows / _PER_METER / _STORY)):
        if rng.random() < 0.6:
            sill = rows - (story * _STORY + 1.0) * _PER_METER
            middle = columns * rng.uniform(0.2, 0.8)
            _window(rng, picture, middle, sill, (0.9, 1.3), frame)
    half = cv2.resize(picture, (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)
    return Texture(grain(rng, np.asarray(half, dtype=np.uint8), 0.06))


def _bricks(rng: np.random.Generator, picture: ByteArray) -> None:
    rows, columns = picture.shape[:2]
    course = rng.normal(1, 0.09, (rows // 3 + 1, columns // 7 + 1))
    shades = np.clip(course * 128, 0, 255).astype(np.uint8)
    wall = cv2.resize(shades, (columns, rows), interpolation=cv2.INTER_NEAREST)
    cv2.multiply(picture, cv2.merge([wall, wall, wall]), dst=picture, scale=1 / 128)


def _box(picture: ByteArray, left: float, top: float, right: float, bottom: float, color: Color) -> None:
    cv2.rectangle(picture, (int(left), int(top)), (int(right), int(bottom)), color, -1)


def _glass(rng: np.random.Generator) -> Color:
    tone = rng.choice([28.0, 45.0, 70.0, 110.0], p=[0.4, 0.3, 0.2, 0.1])
    return (float(tone * 1.15), float(tone * 1.05), float(tone))


def _window(
    rng: np.random.Generator,
    picture: ByteArray,
    middle: float,
    sill: float,
    pane: tuple[float, float],
    frame: Color,
) -> None:
    half, tall = pane[0] / 2 * _PER_METER, pane[1] * _PER_METER
    top = sill - tall
    _box(picture, middle - half - 3, top - 3, middle + half + 3, sill + 3, frame)
    glass = _glass(rng)
    _box(picture, middle - half, top, middle + half, sill, glass)
    # The upper part of a pane mirrors the sky, the lower part shows the room.
    sky = (glass[0] * 1.8 + 20, glass[1] * 1.8 + 16, glass[2] * 1.7 + 12)
    _box(picture, middle - half, top, middle + half, top + tall * rng.uniform(0.2, 0.6), sky)
    if rng.random() < 0.5:
        _box(picture, middle - half, top, middle - half * 0.55, sill, (190, 196, 200))
        _box(picture, middle + half * 0.55, top, middle + half, sill, (190, 196, 200))
    _box(picture, middle - 1, top, middle + 1, sill, frame)
    _box(picture, middle - half, top + tall * 0.48, middle + half, top + tall * 0.48 + 2, frame)
    _box(picture, middle - half - 5, sill + 2, middle + half + 5, sill + 6, (170, 176, 180))


def _door(rng: np.random.Generator, picture: ByteArray, middle: float) -> None:
    rows = picture.shape[0]
    color = _SHOPS[int(rng.integers(len(_SHOPS)))]
    half, top = 0.5 * _PER_METER, rows - 2.2 * _PER_METER
    _box(picture, middle - half - 4, top - 14, middle + half + 4, rows, (220, 222, 224))
    _box(picture, middle - half, top, middle + half, rows, color)
    _box(picture, middle - half, top - 11, middle + half, top - 3, (60, 56, 50))


def _shop(rng: np.random.Generator, picture: ByteArray, ground: float) -> None:
    rows, columns = picture.shape[:2]
    color = _SHOPS[int(rng.integers(len(_SHOPS)))]
    ink = (230.0, 234.0, 236.0) if sum(color) < 330 else (40.0, 40.0, 44.0)
    top = rows - int(ground * _PER_METER)
    _box(picture, 0, top, columns, rows, color)
    board = int(0.75 * _PER_METER)
    # Lettering is a row of little blocks; nobody reads it at this size.
    column = columns * rng.uniform(0.1, 0.3)
    while column < columns * 0.75:
        letter = rng.uniform(4, 11)
        _box(picture, column, top + board * 0.3, column + letter, top + board * 0.72, ink)
        column += letter + (12 if rng.random() < 0.15 else 3)
    panes = max(2, round(columns / _PER_METER / 2.2))
    door = int(rng.integers(panes))
    for i in range(panes):
        left, right = (i + 0.06) * columns / panes, (i + 0.94) * columns / panes
        bottom = rows - (2 if i == door else 0.5 * _PER_METER)
        glass = _glass(rng)
        _box(picture, left, top + board + 5, right, bottom, glass)
        for _ in range(4):
            x, y = rng.uniform(left, right), rng.uniform(top + board + 12, bottom - 8)
            tint = rng.uniform(0.8, 2.6, 3) * glass
            spot = (float(tint[0]), float(tint[1]), float(tint[2]))
            _box(picture, x, y, min(x + rng.uniform(5, 20), right), min(y + 16, bottom), spot)
