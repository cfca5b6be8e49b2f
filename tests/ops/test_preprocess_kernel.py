"""The preprocess kernel's own source, run on the host, against the host's ``network_input``."""

from __future__ import annotations

import numpy as np
import pytest

from fcn_edge.artifacts.spec import Resize
from fcn_edge.ops.geometry import Placement, placement
from fcn_edge.ops.kernels import preprocess_launch
from fcn_edge.ops.preprocess import network_input

from .emulator import Emulator

FILL = (10, 20, 30)
CENTERED = Resize(anchor="center")
POLICIES = [Resize(), Resize(policy="stretch"), Resize(policy="roi", roi=(0.25, 0.2, 0.85, 0.9)), CENTERED]
GUARD = 171


def made(emulator: Emulator, frame: np.ndarray, place: Placement, extra: int = 0) -> np.ndarray:
    """The kernel's input for a frame whose rows have so many unused bytes behind them."""
    rows = np.pad(frame.reshape(len(frame), -1), ((0, 0), (0, extra)), constant_values=GUARD)
    room = np.full((place.network_size[0] + 2, place.network_size[1], 3), GUARD, np.uint8)
    emulator.run(preprocess_launch(rows.ctypes.data, place, FILL, room[1:].ctypes.data, rows.shape[1]))
    assert (room[[0, -1]] == GUARD).all()
    return room[1:-1]


def random_frame(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("resize", POLICIES, ids=lambda resize: f"{resize.policy} {resize.anchor}")
@pytest.mark.parametrize(
    ("frame_size", "network_size"),
    [
        # a quarter of the sides of usual cameras and networks, and one as large as they get
        ((180, 320), (128, 256)),
        ((90, 120), (120, 160)),
        ((135, 240), (120, 160)),
        ((270, 480), (128, 256)),
        ((270, 480), (120, 160)),
        ((2160, 3840), (480, 640)),
        ((64, 128), (64, 128)),
        ((128, 256), (64, 128)),
        ((333, 777), (96, 64)),
        ((61, 99), (32, 32)),
        ((41, 33), (256, 320)),
        ((200, 5), (64, 96)),
        ((3, 4), (32, 32)),
        ((120, 160), (61, 97)),
        ((90, 70), (33, 42)),
        ((50, 50), (31, 35)),
    ],
    ids=str,
)
def test_as_on_the_host(emulator, frame_size, network_size, resize):
    """Noise is the hardest frame: neighboring pixels differ by up to 255 levels."""
    frame, place = random_frame(*frame_size), placement(frame_size, network_size, resize)
    expected = network_input(frame, place, FILL).astype(int)
    for extra in (0, 13):
        assert np.abs(made(emulator, frame, place, extra) - expected).max() <= 1


@pytest.mark.parametrize("frame_size", [(90, 50), (50, 90), (1, 1), (200, 3)], ids=str)
def test_the_rest_has_the_fill_color(emulator, frame_size):
    place = placement(frame_size, (64, 96), Resize())
    image = made(emulator, np.full((*frame_size, 3), 200, np.uint8), place)
    height, width = place.content_size
    assert (image[:height, :width] == 200).all()
    assert (image[height:] == FILL).all()
    assert (image[:, width:] == FILL).all()


def test_a_frame_of_the_network_size_is_copied(emulator):
    frame = random_frame(64, 96)
    np.testing.assert_array_equal(made(emulator, frame, placement((64, 96), (64, 96), Resize())), frame)


def test_thin_lines_survive_strong_shrinking(emulator):
    frame = np.zeros((640, 640, 3), np.uint8)
    frame[:, 3::10] = 250
    image = made(emulator, frame, placement((640, 640), (64, 64), Resize()))
    assert (np.abs(image.astype(int) - 25) <= 1).all()
