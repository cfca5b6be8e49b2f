"""The roughness of the ground, drawn from above once per street."""

import cv2
import numpy as np

from fcn_edge.street.kinds import ByteArray
from fcn_edge.street.textures import cloud_noise, white_noise
from fcn_edge.street.town import Town

PER_METER = 26.0
LENGTH = 36.0
"""Meters along the street after which the surface repeats."""
REACH = 12.0
"""Meters to either side of the center line that the surface covers."""


def surface(rng: np.random.Generator, town: Town) -> ByteArray:
    """Grit, stains, patches, joints and covers as gains, 128 for a gain of one."""
    rows, columns = int(LENGTH * PER_METER), int(2 * REACH * PER_METER)
    aside = np.abs((np.arange(columns) + 0.5) / PER_METER - REACH).astype(np.float32)
    stains = 7 * cloud_noise(rng, rows, columns, 9, 4)
    outer = town.half_road + town.pavement
    grit = np.select([aside < town.half_road, aside < outer], [rng.uniform(5, 10), 5.0], 16.0)
    gain = 128 + stains + grit.astype(np.float32) * white_noise(rng, rows, columns)
    # Tires polish two tracks in either lane and dirt gathers along the curb.
    for track in (0.5 * town.half_road - 0.75, 0.5 * town.half_road + 0.75):
        gain += rng.uniform(-6, 4) * np.exp(-(((aside - track) / 0.3) ** 2))
    gain -= 14 * np.exp(-(((aside - town.half_road + 0.15) / 0.2) ** 2))
    canvas = np.clip(gain, 30, 225).astype(np.uint8)
    _pave(rng, canvas, town)
    for _ in range(int(rng.integers(2, 9))):
        _patch(rng, canvas, town)
    for _ in range(int(rng.integers(2, 7))):
        _cover(rng, canvas, town)
    return canvas


def _column(lateral: float) -> int:
    return round((lateral + REACH) * PER_METER)


def _pave(rng: np.random.Generator, canvas: ByteArray, town: Town) -> None:
    """Joints between the slabs of both pavements and between curb stones."""
    rows = canvas.shape[0]
    slab = float(rng.choice([0.45, 0.6, 0.9]))
    along = np.arange(0, rows, slab * PER_METER).astype(int)
    for side in (-1, 1):
        inner, outer = side * (town.half_road + 0.16), side * (town.half_road + town.pavement)
        first, last = sorted((_column(inner), _column(outer)))
        for row in along.tolist():
            canvas[row, first:last] = canvas[row, first:last] * 0.8
        for column in np.arange(first, last, slab * PER_METER).astype(int).tolist():
            canvas[:, column] = canvas[:, column] * 0.8
        first, last = sorted((_column(side * town.half_road), _column(inner)))
        for row in np.arange(0, rows, 0.9 * PER_METER).astype(int).tolist():
            canvas[row, first:last] = canvas[row, first:last] * 0.7


def _patch(rng: np.random.Generator, canvas: ByteArray, town: Town) -> None:
    """A strip of road that was dug up and laid anew."""
    left = rng.uniform(-town.half_road, town.half_road - 1)
    first, last = _column(left), _column(min(left + rng.uniform(0.4, 2.5), town.half_road))
    row = int(rng.integers(0, canvas.shape[0]))
    area = canvas[row : row + int(rng.uniform(1, 8) * PER_METER), first:last]
    area[:] = np.clip(area * rng.uniform(0.82, 1.1), 0, 255)


def _cover(rng: np.random.Generator, canvas: ByteArray, town: Town) -> None:
    """A manhole cover."""
    column = _column(rng.uniform(-town.half_road + 0.5, town.half_road - 0.5))
    row = int(rng.integers(20, canvas.shape[0] - 20))
    radius = int(0.3 * PER_METER)
    cv2.circle(canvas, (column, row), radius, 84, -1)
    cv2.circle(canvas, (column, row), radius, 60, 1)
