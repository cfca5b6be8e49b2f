"""A straight road and plain daylight, on which single things can be placed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from fcn_edge.street.camera import Camera
from fcn_edge.street.kinds import VOID, FloatArray
from fcn_edge.street.light import Light
from fcn_edge.street.path import Path, Stretch
from fcn_edge.street.raster import Canvas
from fcn_edge.street.scene import Scene
from fcn_edge.street.shapes import Thing


class StraightPath(Path):
    def heading(self, distance: FloatArray) -> FloatArray:
        return np.zeros(distance.shape)


@pytest.fixture
def show() -> Callable[..., Canvas]:
    """A function that draws things on a straight road as seen from its center line."""

    def draw(*things: Thing, lateral: float = 0.0) -> Canvas:
        camera = Camera(width=240, height=180, focal=240.0, horizon=80.0, eye=1.4)
        light = Light(
            sun=np.array([0.0, 1.0, 0.0]),
            direct=np.full(3, 0.3),
            ambient=np.full(3, 0.7),
            haze=np.full(3, 200.0),
            visibility=1e9,
            lamps=0.0,
        )
        stretch = Stretch(StraightPath(np.random.default_rng(0)), 0.0, lateral, 0.0, 20.0, 200.0)
        canvas = Canvas(camera, light, VOID)
        Scene(list(things), stretch, 0.0, lateral, light.sight).draw(canvas)
        return canvas

    return draw
