"""The road, its marks, curbs, pavements, what lies beyond, and the shadows on them."""

from collections.abc import Iterable

import cv2
import numpy as np

from fcn_edge.street.kinds import PAVEMENT, ROAD, TREE, ByteArray, Color, FloatArray
from fcn_edge.street.layout import Layout
from fcn_edge.street.path import Stretch
from fcn_edge.street.plots import PAVED
from fcn_edge.street.raster import Canvas, fixed
from fcn_edge.street.scene import Scene
from fcn_edge.street.shadows import cast_shadows
from fcn_edge.street.site import BLOCK
from fcn_edge.street.sky import SKYLINE
from fcn_edge.street.surface import LENGTH, PER_METER, REACH, surface
from fcn_edge.street.town import Town

_CURB = 0.14
_BEYOND = 60.0
_MARKS_END = 75.0


class Ground:
    """The ground of one street.

    It is level, so that all light and haze on it depend only on the image row and on shadows:
    bands of plain color are drawn first and `shade` then treats all of them at once.
    """

    def __init__(self, town: Town, layout: Layout, rng: np.random.Generator) -> None:
        self._town = town
        self._layout = layout
        tone = rng.uniform(78, 122)
        self._road: Color = (tone * 1.02, tone, tone * rng.uniform(0.94, 1.02))
        pale = tone * rng.uniform(0.85, 1.25)
        warm = rng.uniform(1.0, 1.08)
        self._paving: Color = (pale, pale * warm, pale * warm**1.5)
        self._curb: Color = (pale * 1.25, pale * warm * 1.25, pale * warm * 1.25)
        self._grass: Color = (40.0, float(rng.uniform(78, 104)), float(rng.uniform(62, 92)))
        white = float(rng.uniform(190, 250))
        self._white: Color = (white, white, white)
        self._dash = (float(rng.choice([2.0, 4.0])), float(rng.choice([6.0, 9.0])))
        self._yellow = bool(rng.random() < 0.5)
        self._cycle_lane = bool(rng.random() < 0.3) and not town.parking[0]
        self._solid = bool(rng.random() < 0.25)
        self._surface = surface(rng, town)

    def draw(self, canvas: Canvas, stretch: Stretch, camera: float, end: float) -> None:
        """Draw the bands and marks from the camera's place to `end` meters ahead."""
        town = self._town
        start = camera + canvas.camera.near + 0.1
        end = camera + end
        horizon = max(int(canvas.camera.horizon) + 2, 0)
        canvas.image[horizon:] = self._grass
        canvas.labels[horizon:] = TREE
        half, outer = town.half_road, town.half_road + town.pavement
        for side in (-1, 1):
            # A run of blocks that are alike is drawn in one piece.
            blocks = range(int(start // BLOCK), int(end // BLOCK) + 1)
            for block in blocks:
                paved = self._layout.theme(block, side) in PAVED
                color, label = (self._paving, PAVEMENT) if paved else (self._grass, TREE)
                first, last = max(block * BLOCK, start), min((block + 1) * BLOCK, end)
                self._ribbon(canvas, stretch, (first, last), (side * outer, side * _BEYOND), color, label)
            run = (start, end)
            self._ribbon(canvas, stretch, run, (side * half, side * outer), self._paving, PAVEMENT)
            curb = (side * half, side * (half + _CURB))
            self._ribbon(canvas, stretch, run, curb, self._curb, PAVEMENT)
        self._ribbon(canvas, stretch, (start, end), (-half, half), self._road, ROAD)
        self._marks(canvas, stretch, start, min(end, camera + _MARKS_END))
        self._side_streets(canvas, stretch, start, end)

    def _ribbon(
        self,
        canvas: Canvas,
        stretch: Stretch,
        run: tuple[float, float],
        edges: tuple[float, float],
        color: Color,
        label: int,
    ) -> None:
        """Draw a band along the street, from `run[0]` to `run[1]` meters, between two edges."""
        first, last = run
        if last <= first:
            return
        # Steps grow with the distance, as they shrink in the image.
        reach = last - first
        stations = first + reach * np.linspace(0, 1, max(3, min(18, int(reach / 4)))) ** 2
        along = np.concatenate([stations, stations[::-1]])
        aside = np.repeat(np.array(edges), len(stations))
        outline = [fixed(_pixels(canvas, stretch, along, aside))]
        cv2.fillPoly(canvas.image, outline, color, cv2.LINE_AA, 4)
        cv2.fillPoly(canvas.labels, outline, label, cv2.LINE_8, 4)

    def _quads(self, canvas: Canvas, stretch: Stretch, strips: FloatArray, color: Color) -> None:
        """Draw marks (N, 4) on the road as (start, end, left, right) in meters."""
        along, aside = strips[:, [0, 0, 1, 1]].ravel(), strips[:, [2, 3, 3, 2]].ravel()
        for quad in fixed(_pixels(canvas, stretch, along, aside)).reshape(-1, 4, 2):
            canvas.polygon(quad, color, ROAD)

    def _side_streets(self, canvas: Canvas, stretch: Stretch, start: float, end: float) -> None:
        """Lay the mouths of side streets over the pavements."""
        for block in range(int(start // BLOCK), int(end // BLOCK) + 1):
            for side in (-1, 1):
                place = self._layout.junction(block, side)
                if place is None or place[1] < start:
                    continue
                first, last = max(place[0], start), place[1]
                inner = side * (self._town.half_road - 0.6)
                self._ribbon(canvas, stretch, (first, last), (inner, side * _BEYOND), self._road, ROAD)
                # Rounded curbs: the mouth is wider where it meets the street.
                along = np.array([max(first - 1.5, start), first, last, last + 1.5])
                aside = np.array([inner, inner + side * 2.0, inner + side * 2.0, inner])
                corner = fixed(_pixels(canvas, stretch, along, aside))
                canvas.polygon(corner, self._road, ROAD)

    def _marks(self, canvas: Canvas, stretch: Stretch, start: float, end: float) -> None:
        town, half = self._town, self._town.half_road
        run = (start, end)
        if self._solid:
            self._ribbon(canvas, stretch, run, (-0.05, 0.05), self._white, ROAD)
        else:
            self._dashes(canvas, stretch, run, self._dash, 0.0)
        if self._yellow:
            # Double yellow lines forbid parking.
            for side in (side for side in (-1, 1) if town.free(side) == half):
                for edge in (half - 0.24, half - 0.44):
                    lines = (side * edge, side * (edge - 0.08))
                    self._ribbon(canvas, stretch, run, lines, (60.0, 170.0, 205.0), ROAD)
        if self._cycle_lane:
            self._dashes(canvas, stretch, (start, start + 40.0), (1.5, 2.5), 1.5 - half)

    def _dashes(
        self,
        canvas: Canvas,
        stretch: Stretch,
        run: tuple[float, float],
        rhythm: tuple[float, float],
        middle: float,
    ) -> None:
        """Draw a broken line; its dashes and gaps have the lengths of `rhythm`."""
        period = sum(rhythm)
        first = np.arange(np.floor(run[0] / period) * period, run[1], period)
        strips = np.stack([first, first + rhythm[0], first, first], axis=1)
        strips[:, 2], strips[:, 3] = middle - 0.06, middle + 0.06
        strips[:, 0] = np.maximum(strips[:, 0], run[0])
        self._quads(canvas, stretch, strips[strips[:, 1] > run[0]], self._white)

    def shade(self, canvas: Canvas, stretch: Stretch, camera: float, scene: Scene) -> None:
        """Put light, shadows, roughness and haze on the drawn bands."""
        view, light = canvas.camera, canvas.light
        top = max(int(view.horizon) + 1, 0)
        if top >= view.height - 1:
            return
        region = canvas.image[top:]
        rows = np.arange(view.height - top) + top
        depth = view.eye * view.focal / np.maximum(rows - view.horizon, 0.5)
        # The skyline stands at the end of the ground, and neither fades more than the other.
        clear = light.clear(np.minimum(depth, SKYLINE))
        lit = light.gain(np.array([[0.0, 1.0, 0.0]]))[0]
        rough = self._roughness(canvas, stretch, camera, top, depth)
        mask = _shadow_mask(canvas, scene, top)
        shaded = cv2.multiply(rough, mask, scale=1 / 255)
        gains = clear[:, None] * lit
        # Gains are held as bytes of which 100 is a gain of one, for speed.
        by_row = np.rint(np.minimum(gains * 100, 255)).astype(np.uint8)[:, None]
        table = cv2.resize(by_row, (view.width, len(rows)), interpolation=cv2.INTER_NEAREST)
        gain = cv2.multiply(table, cv2.merge([shaded, shaded, shaded]), scale=1 / 128)
        haze = np.rint(light.haze * (1 - clear[:, None])).astype(np.uint8)[:, None]
        veil = cv2.resize(haze, (view.width, len(rows)), interpolation=cv2.INTER_NEAREST)
        cv2.add(cv2.multiply(region, gain, scale=1 / 100), veil, dst=region)

    def _roughness(self, canvas: Canvas, stretch: Stretch, camera: float, top: int, depth: FloatArray) -> ByteArray:
        """The surface as seen by the camera, 128 for a gain of one."""
        ahead = np.array([2.4, 2.4, 26.0, 26.0])
        aside = np.array([-1.0, 1.0, 1.0, -1.0]) * REACH
        target = _pixels(canvas, stretch, camera + ahead, aside) - (0, top)
        source = np.stack([(aside + REACH), ahead + camera % LENGTH], axis=1) * PER_METER
        matrix = cv2.getPerspectiveTransform(source.astype(np.float32), target.astype(np.float32))
        size = (canvas.camera.width, len(depth))
        flags, border = cv2.INTER_LINEAR, cv2.BORDER_WRAP
        seen = cv2.warpPerspective(self._surface, matrix, size, flags=flags, borderMode=border)
        # Far off, one pixel covers many stones and their differences even out.
        share = np.clip(1.15 - depth / 24.0, 0.0, 1.0).astype(np.float32)[:, None]
        return np.asarray(128 + (seen.astype(np.float32) - 128) * share, dtype=np.uint8)


def _shadow_mask(canvas: Canvas, scene: Scene, top: int) -> ByteArray:
    """How much light reaches the ground, 255 for all of it, from row `top` down."""
    light, view = canvas.light, canvas.camera
    mask = np.full((view.height - top, view.width), 255, np.uint8)
    sunlit = float(light.direct.mean() / max(float((light.direct + light.ambient).mean()), 1e-6))
    steep = max(float(light.sun[1]), 0.25)
    cast = -np.clip(light.sun[[0, 2]] / steep, -2.5, 2.5)
    dark = 255 * (1 - 0.65 * sunlit)
    thrown, below = cast_shadows(scene, cast)
    # Under a closed sky thrown shadows would not show.
    kinds: Iterable[tuple[FloatArray, float]] = ((thrown, dark), (below, min(dark, 90.0)))
    for outlines, value in kinds if sunlit > 0.15 else ((below, 90.0),):
        spots = outlines.reshape(-1, 2)
        # Nothing nearer than the near plane is in view, so bent shadows there do not show.
        ahead = np.maximum(spots[:, 1], view.near)
        points = np.stack([spots[:, 0], np.full(len(spots), -view.eye), ahead], axis=1)
        for outline in fixed(view.project(points) - (0, top)).reshape(-1, 8, 2):
            cv2.fillConvexPoly(mask, outline, value, cv2.LINE_AA, 4)
    return np.asarray(cv2.blur(mask, (3, 3)), dtype=np.uint8)


def _pixels(canvas: Canvas, stretch: Stretch, along: FloatArray, aside: FloatArray) -> FloatArray:
    """Pixels (N, 2) of ground points in street coordinates."""
    view = canvas.camera
    poses = stretch.poses(along, aside)
    ahead = np.maximum(poses.ahead, view.near * 0.5)
    return view.project(np.stack([poses.right, np.full(len(ahead), -view.eye), ahead], axis=1))
