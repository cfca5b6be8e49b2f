"""A drive along a rendered street, frame by frame, with exact labels."""

from collections.abc import Iterator

import numpy as np

from fcn_edge.street.camera import Camera
from fcn_edge.street.ground import Ground
from fcn_edge.street.kinds import CLASSES, VOID, ByteArray
from fcn_edge.street.layout import Layout
from fcn_edge.street.lens import Lens
from fcn_edge.street.path import Path, Stretch
from fcn_edge.street.raster import Canvas
from fcn_edge.street.scene import Scene
from fcn_edge.street.sky import Sky
from fcn_edge.street.town import Town
from fcn_edge.street.traffic import Traffic
from fcn_edge.street.weather import Weather

_BEHIND = 14.0
_AHEAD = 175.0
SMALLEST = 32
"""Least height and width of a frame in pixels."""


class Street:
    """A drive along a rendered street with the 11 classes of CamVid.

    The same seed, size, rate and index always give the same bytes, in whatever order frames are
    asked for.

    Attributes:
        classes: Class names; a label is a position in this tuple.
        void: The label of pixels that are to be ignored.

    Args:
        seed: Chooses the street, its light, the camera and the traffic.
        size: Height and width of the frames in pixels, 32 or more each.
        frames: Number of frames, 1 or more.
        fps: Frames per second of driving.
    """

    classes: tuple[str, ...] = CLASSES
    void: int = VOID

    def __init__(
        self,
        seed: int = 0,
        size: tuple[int, int] = (360, 480),
        frames: int = 250,
        fps: float = 25.0,
    ) -> None:
        height, width = size
        if min(height, width) < SMALLEST:
            raise ValueError(
                f"a street of {height}x{width} pixels is too small: height and width must be "
                f"{SMALLEST} or more; pass a larger size=(height, width)"
            )
        if frames < 1:
            raise ValueError(f"got frames={frames}, expected 1 or more; pass a positive number")
        if not fps > 0:
            raise ValueError(f"got fps={fps}, expected more than 0; pass frames per second")
        if seed < 0:
            raise ValueError(f"got seed={seed}, expected 0 or more; pass a non-negative seed")
        self._size = (int(height), int(width))
        self._frames, self._fps = frames, fps
        rng = np.random.default_rng([seed, 1])
        self._weather = Weather(rng)
        self._path = Path(rng)
        self._town = Town(seed, np.random.default_rng([seed, 2]))
        self._layout = Layout(self._town)
        self._ground = Ground(self._town, self._layout, np.random.default_rng([seed, 3]))
        weather = self._weather
        self._sky = Sky(np.random.default_rng([seed, 4]), weather.zenith, weather.horizon, weather.cover)
        dusk = weather.kind == "dusk"
        self._lens = Lens(np.random.default_rng([seed, 5]), self._size[0], self._size[1], dusk)
        rng = np.random.default_rng([seed, 6])
        self._eye = float(rng.uniform(1.2, 1.7))
        self._focal = float(rng.uniform(0.8, 1.1))
        self._horizon = float(rng.uniform(0.42, 0.53))
        self._speed = float(rng.uniform(3.5, 11.0))
        self._start = float(rng.uniform(0, 5000))
        self._lane = self._town.lane(-1) + float(rng.normal(0, 0.15))
        self._sway = rng.uniform(0, 2 * np.pi, 4)
        self._traffic = Traffic(self._town, np.random.default_rng([seed, 7]), self._lane)

    def __len__(self) -> int:
        return self._frames

    def __iter__(self) -> Iterator[tuple[ByteArray, ByteArray]]:
        return (self.frame(index) for index in range(self._frames))

    def frame(self, index: int) -> tuple[ByteArray, ByteArray]:
        """Draw one frame.

        Args:
            index: 0 to `len(self) - 1`.

        Returns:
            The image, (H, W, 3) uint8 BGR, and its labels, (H, W) uint8 class ids.

        Raises:
            ValueError: If the index is out of range.
        """
        if not 0 <= index < self._frames:
            raise ValueError(
                f"frame {index} is outside the drive: expected 0 to {self._frames - 1}; "
                "ask for one of these or make the street with more frames"
            )
        time = index / self._fps
        sway = np.sin(time * np.array([0.31, 0.47, 0.9, 1.7]) + self._sway)
        # The speed swings by a third: its integral is known, so no frame needs the one before.
        pace = 0.35
        distance = self._start + self._speed * (time - np.cos(time * pace + self._sway[0]) / 3 / pace)
        lateral = self._lane + 0.12 * float(sway[0])
        height, width = self._size
        extent = (height * 4 / 3 + width) / 2
        camera = Camera(
            width=width,
            height=height,
            focal=self._focal * extent,
            horizon=height * (self._horizon + 0.004 * float(sway[2] + 0.6 * sway[3])),
            eye=self._eye,
        )
        yaw = 0.02 * float(sway[1])
        stretch = Stretch(self._path, float(distance), lateral, yaw, _BEHIND + 20, _AHEAD + 30)
        light = self._weather.light(stretch.heading, time)
        canvas = Canvas(camera, light, VOID)
        here = float(distance)
        self._sky.draw(canvas, stretch.heading, self._weather.brightness(time))
        self._ground.draw(canvas, stretch, here, _AHEAD)
        things = self._layout.between(here - _BEHIND, here + _AHEAD)
        things = things + self._traffic.around(time, here, _BEHIND, 130.0)
        scene = Scene(things, stretch, here, lateral, light.sight)
        self._ground.shade(canvas, stretch, here, scene)
        scene.draw(canvas)
        return self._lens.expose(canvas.image, index, time), canvas.labels
