"""The sky and the far skyline, which turn with the camera but never come nearer."""

import cv2
import numpy as np

from fcn_edge.street.kinds import BUILDING, SKY, TREE, ByteArray, Color, FloatArray, NoiseArray
from fcn_edge.street.raster import Canvas, fixed
from fcn_edge.street.textures import cloud_noise

_AROUND = 1080
_TALL = 120
SKYLINE = 200.0
"""Meters to the skyline."""


class Sky:
    """The sky of one street."""

    def __init__(self, rng: np.random.Generator, zenith: Color, horizon: Color, cover: float) -> None:
        ramp = (np.linspace(0, 1, _TALL, dtype=np.float32) ** 0.8)[:, None, None]
        base = np.array(zenith, np.float32) * (1 - ramp) + np.array(horizon, np.float32) * ramp
        clouds = np.clip((_closed(rng, _TALL, 36, 5) + 2.4 * cover - 1.2) * 0.5, 0, 1)[:, :, None]
        white = np.array([246.0, 244.0, 242.0], np.float32) * np.float32(rng.uniform(0.85, 1.0))
        shade = np.clip(1 - 0.08 * _closed(rng, _TALL, 30, 3), 0.7, 1.05)[:, :, None]
        dome = base * (1 - clouds) + (0.35 * np.array(horizon, np.float32) + 0.65 * white) * shade * clouds
        self._dome: ByteArray = np.clip(dome, 0, 255).astype(np.uint8)
        self._trees = np.clip(7 + 4.5 * _closed(rng, 1, 90, 4)[0], 1, 18)
        roofs = np.repeat(rng.uniform(3, 12, _AROUND // 12) * (rng.random(_AROUND // 12) < 0.7), 12)
        self._roofs: FloatArray = roofs
        self._tree_color: Color = (60.0, 84.0, 76.0)
        self._roof_color: Color = (110.0, 122.0, 136.0)

    def draw(self, canvas: Canvas, heading: float, brightness: FloatArray) -> None:
        """Fill the sky and the skyline for a heading in radians."""
        view = canvas.camera
        rows = min(max(int(view.horizon) + 2, 1), view.height)
        # The sky is soft: half the pixels are looked up and the rest filled in between.
        half = ((rows + 1) // 2, (view.width + 1) // 2)
        columns = np.linspace(0, view.width - 1, half[1])
        angle = np.arctan((columns - (view.width - 1) / 2) / view.focal) + heading
        source = np.mod(angle / (2 * np.pi) * _AROUND, _AROUND - 1).astype(np.float32)
        lift = np.arctan((view.horizon - np.linspace(0, rows - 1, half[0])) / view.focal)
        levels = np.clip((1 - lift / 1.1) * (_TALL - 1), 0, _TALL - 1).astype(np.float32)
        across, down = np.meshgrid(source, levels)
        sky = cv2.transform(cv2.remap(self._dome, across, down, cv2.INTER_LINEAR), np.diag(brightness))
        canvas.image[:rows] = cv2.resize(sky, (view.width, rows), interpolation=cv2.INTER_LINEAR)
        canvas.labels[:rows] = SKY
        if canvas.light.sight < SKYLINE:
            return
        share = float(canvas.light.clear(np.array([SKYLINE]))[0])
        skyline = (
            (self._roofs, self._roof_color, BUILDING),
            (self._trees, self._tree_color, TREE),
        )
        ahead = np.linspace(0, view.width - 1, 160)
        spots = np.mod(np.interp(ahead, columns, np.unwrap(angle)) / (2 * np.pi) * _AROUND, _AROUND - 1)
        for profile, color, label in skyline:
            high = profile[spots.astype(int)] if label == BUILDING else np.interp(spots, np.arange(_AROUND), profile)
            top = view.horizon - (high - view.eye) * view.focal / SKYLINE
            base = view.horizon + 3
            outline = np.concatenate([np.column_stack([ahead, top]), [[view.width, base], [-1.0, base]]])
            gain = canvas.light.ambient + 0.4 * canvas.light.direct
            seen = np.multiply(color, gain) * share + canvas.light.haze * (1 - share)
            ink = (float(seen[0]), float(seen[1]), float(seen[2]))
            points = [fixed(outline)]
            cv2.fillPoly(canvas.image, points, ink, cv2.LINE_AA, 4)
            cv2.fillPoly(canvas.labels, points, label, cv2.LINE_8, 4)


def _closed(rng: np.random.Generator, rows: int, coarse: int, octaves: int) -> NoiseArray:
    """Noise (rows, _AROUND) whose right end meets its left end."""
    overlap = 150
    noise = cloud_noise(rng, rows, _AROUND + overlap, coarse, octaves)
    share = np.linspace(1, 0, overlap, dtype=np.float32)
    noise[:, :overlap] = noise[:, :overlap] * (1 - share) + noise[:, _AROUND:] * share
    return noise[:, :_AROUND]
