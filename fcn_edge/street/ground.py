"""The road, its marks, kerbs, pavements, what lies beyond, and the shadows on them."""

import cv2
import numpy as np

from fcn_edge.street.kinds import PAVEMENT, ROAD, TREE, ByteArray, Colour, FloatArray
from fcn_edge.street.layout import BLOCK, Layout, Town
from fcn_edge.street.path import Poses, Stretch
from fcn_edge.street.raster import Canvas, fixed
from fcn_edge.street.shadows import cast_shadows
from fcn_edge.street.shapes import Thing
from fcn_edge.street.surface import LENGTH, PER_METRE, REACH, surface


class Ground:
    """The ground of one street."""

    def __init__(self, town: Town, layout: Layout, rng: np.random.Generator) -> None:
        self._town = town
        self._layout = layout
        tone = rng.uniform(78, 122)
        self._road: Colour = (tone * 1.02, tone, tone * rng.uniform(0.94, 1.02))
        pale = rng.uniform(1.1, 1.6)
        warm = rng.uniform(1.0, 1.1)
        self._paving: Colour = (tone * pale, tone * pale * warm, tone * pale * warm**1.5)
        self._grass: Colour = (40.0, float(rng.uniform(80, 110)), float(rng.uniform(60, 95)))
        self._mark = float(rng.uniform(170, 235))
        self._dash = (float(rng.choice([2.0, 4.0])), float(rng.choice([6.0, 9.0])))
        self._yellow = bool(rng.random() < 0.5)
        self._cycle_lane = bool(rng.random() < 0.3)
        self._solid = bool(rng.random() < 0.25)
        self._surface = surface(rng, town)

    def draw(self, canvas: Canvas, stretch: Stretch, camera: float, end: float) -> None:
        """Draw the ground from the camera's place to `end` metres ahead."""
        town = self._town
        near = canvas.camera.near
        rows = [0.0]
        while rows[-1] < end:
            rows.append(rows[-1] + max(0.8, 0.09 * rows[-1]))
        along = camera + near + 0.1 + np.array(rows)
        half, outer = town.half_road, town.half_road + town.pavement
        edges = np.array([-60.0, -outer, -half - 0.14, -half, half, half + 0.14, outer, 60.0])
        corners = self._corners(canvas, stretch, along, edges)
        kerb = tuple(min(c * 1.25, 255.0) for c in self._paving)
        depth = along - camera
        colours = [
            _lit(canvas, colour, depth)
            for colour in (self._grass, self._paving, (kerb[0], kerb[1], kerb[2]), self._road)
        ]
        labels = (TREE, PAVEMENT, PAVEMENT, ROAD)
        # Both sides of a band's quads, from the near left corner round.
        quads = np.stack(
            [corners[:-1, :-1], corners[:-1, 1:], corners[1:, 1:], corners[1:, :-1]], axis=2
        )
        for i in range(len(along) - 2, -1, -1):
            block = int(along[i] // BLOCK)
            for band in range(7):
                kind = band if band < 4 else 6 - band
                if kind == 0 and self._layout.theme(block, -1 if band == 0 else 1) in ("shops", "terrace"):
                    kind = 1
                canvas.polygon(quads[i, band], colours[kind][i], labels[kind])
        self._side_streets(canvas, stretch, camera, along[0], end)
        self._marks(canvas, stretch, camera, end)

    def _side_streets(
        self, canvas: Canvas, stretch: Stretch, camera: float, start: float, end: float
    ) -> None:
        """Lay the mouths of side streets over the pavements."""
        for block in range(int(start // BLOCK), int((camera + end) // BLOCK) + 1):
            for side in (-1, 1):
                place = self._layout.junction(block, side)
                if place is None or place[1] < start:
                    continue
                first, last = max(place[0], start), place[1]
                inner, outer = side * (self._town.half_road - 0.02), side * 60.0
                across = np.array([inner, outer, outer, inner])
                # Rounded kerbs: the mouth is wider where it meets the street.
                flare = np.array([max(first - 1.5, start), first, last, last + 1.5])
                wide = np.array([inner, side * (self._town.half_road + 1.5)])[[0, 1, 1, 0]]
                for stations, aside in (((np.array([first, first, last, last])), across), (flare, wide)):
                    quad = fixed(_pixels(canvas, stretch.poses(stations, aside)))
                    depth = np.array([(first + last) / 2 - camera])
                    canvas.polygon(quad, _lit(canvas, self._road, depth)[0], ROAD)

    def _corners(
        self, canvas: Canvas, stretch: Stretch, along: FloatArray, edges: FloatArray
    ) -> FloatArray:
        """Fixed-point pixels (R, E, 2) of ground points at all rows and edges."""
        grid = np.repeat(along, len(edges))
        poses = stretch.poses(grid, np.tile(edges, len(along)))
        pixels = _pixels(canvas, poses)
        return fixed(pixels).reshape(len(along), len(edges), 2)

    def _marks(self, canvas: Canvas, stretch: Stretch, camera: float, end: float) -> None:
        town = self._town
        white: Colour = (self._mark, self._mark, self._mark)
        yellow: Colour = (60.0, 170.0, 205.0)
        dash, gap = self._dash
        strips: list[tuple[float, float, float, float, Colour]] = []
        start = camera + canvas.camera.near + 0.1
        reach = min(end, 80.0)
        if self._solid:
            pieces = np.arange(np.floor(start / 3) * 3, camera + reach, 3.0)
            strips += [(a, a + 3.02, -0.05, 0.05, white) for a in pieces.tolist()]
        else:
            first = np.floor(start / (dash + gap)) * (dash + gap)
            for a in np.arange(first, camera + reach, dash + gap).tolist():
                strips.append((a, a + dash, -0.06, 0.06, white))
        sides = [-town.half_road + 0.3, town.half_road - 0.3]
        pieces = np.arange(np.floor(start / 4) * 4, camera + min(reach, 45.0), 4.0)
        if self._yellow:
            for at in sides:
                for shift in (0.0, 0.2):
                    strips += [(a, a + 4.02, at + shift - 0.14, at + shift - 0.06, yellow) for a in pieces.tolist()]
        if self._cycle_lane:
            strips += [(a, a + 1.5, -town.half_road + 1.45, -town.half_road + 1.55, white) for a in pieces.tolist()]
        if not strips:
            return
        table = np.array([s[:4] for s in strips])
        table[:, 0] = np.maximum(table[:, 0], start)
        kept = table[:, 1] > start
        table = table[kept]
        colours = [s[4] for s, keep in zip(strips, kept.tolist(), strict=True) if keep]
        along = table[:, [0, 0, 1, 1]].ravel()
        poses = stretch.poses(along, table[:, [2, 3, 3, 2]].ravel())
        quads = fixed(_pixels(canvas, poses)).reshape(-1, 4, 2)
        depth = table[:, 0] - camera
        paints = {colour: _lit(canvas, colour, depth) for colour in set(colours)}
        for i, colour in enumerate(colours):
            canvas.polygon(quads[i], paints[colour][i], ROAD)

    def shade(
        self,
        canvas: Canvas,
        stretch: Stretch,
        camera: float,
        things: list[Thing],
        poses: Poses,
    ) -> None:
        """Darken the drawn ground by shadows and roughen it by its surface."""
        view = canvas.camera
        top = max(int(view.horizon) + 1, 0)
        if top >= view.height - 1:
            return
        shape = (view.height - top, view.width)
        mask = np.full(shape, 255, np.uint8)
        self._cast(canvas, mask, top, things, poses)
        surface = self._surface_view(canvas, stretch, camera, top, shape)
        gain = cv2.multiply(surface, mask, scale=1 / 255)
        region = canvas.image[top:]
        region[:] = cv2.multiply(region, cv2.merge([gain, gain, gain]), scale=1 / 128)

    def _cast(
        self, canvas: Canvas, mask: ByteArray, top: int, things: list[Thing], poses: Poses
    ) -> None:
        light, view = canvas.light, canvas.camera
        sunlit = float(light.direct.mean() / max(float((light.direct + light.ambient).mean()), 1e-6))
        dark = 255 * (1 - 0.62 * sunlit)
        steep = max(float(light.sun[1]), 0.25)
        cast = -np.clip(light.sun[[0, 2]] / steep, -2.5, 2.5)
        thrown, below = cast_shadows(things, poses, cast)
        for outlines, value in ((thrown, dark), (below, min(dark, 90.0))):
            spots = outlines.reshape(-1, 2)
            # Nothing nearer than the near plane is in view, so bent shadows there do not show.
            ahead = np.maximum(spots[:, 1], view.near)
            points = np.stack([spots[:, 0], np.full(len(spots), -view.eye), ahead], axis=1)
            pixels = fixed(view.project(points) - (0, top)).reshape(-1, 8, 2)
            for outline in pixels:
                cv2.fillConvexPoly(mask, outline, value, cv2.LINE_AA, 4)
        cv2.blur(mask, (3, 3), dst=mask)

    def _surface_view(
        self, canvas: Canvas, stretch: Stretch, camera: float, top: int, shape: tuple[int, int]
    ) -> ByteArray:
        """The ground's roughness as seen by the camera, 128 for none."""
        view = canvas.camera
        ahead = np.array([2.4, 2.4, 26.0, 26.0])
        aside = np.array([-1.0, 1.0, 1.0, -1.0]) * REACH
        target = _pixels(canvas, stretch.poses(camera + ahead, aside)) - (0, top)
        columns = (aside + REACH) * PER_METRE
        rows = (ahead + camera % LENGTH) * PER_METRE
        source = np.stack([columns, rows], axis=1).astype(np.float32)
        matrix = cv2.getPerspectiveTransform(source, target.astype(np.float32))
        size = (shape[1], shape[0])
        flags, border = cv2.INTER_LINEAR, cv2.BORDER_WRAP
        seen = cv2.warpPerspective(self._surface, matrix, size, flags=flags, borderMode=border)
        depth = view.eye * view.focal / np.maximum(np.arange(shape[0]) + top - view.horizon, 0.5)
        share = np.clip(1.15 - depth / 24.0, 0.0, 1.0).astype(np.float32)[:, None]
        return np.asarray(128 + (seen.astype(np.float32) - 128) * share, dtype=np.uint8)


def _lit(canvas: Canvas, colour: Colour, depth: FloatArray) -> list[tuple[float, ...]]:
    """Seen colours of level ground at depths (N,) in metres."""
    light = canvas.light
    gain = light.gain(np.array([[0.0, 1.0, 0.0]]))
    seen = light.seen(np.array([colour]), gain, depth)
    return [tuple(c) for c in seen.tolist()]


def _pixels(canvas: Canvas, poses: Poses) -> FloatArray:
    view = canvas.camera
    ahead = np.maximum(poses.ahead, view.near * 0.5)
    points = np.column_stack([poses.right, np.full(len(ahead), -view.eye), ahead])
    return view.project(points)
