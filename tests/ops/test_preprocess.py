from __future__ import annotations

import numpy as np
import pytest

from fcn_edge.artifacts.spec import Resize
from fcn_edge.errors import FrameError
from fcn_edge.ops.geometry import placement
from fcn_edge.ops.preprocess import checked_frame, network_input

FILL = (10, 20, 30)
CENTERED = Resize(anchor="center")
POLICIES = [Resize(), Resize(policy="stretch"), Resize(policy="roi", roi=(0.25, 0.2, 0.85, 0.9)), CENTERED]


def ramp(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A frame whose blue is its column and whose green is its row, and what one column and one row are in levels."""
    steps = 255 // np.array([width, height])
    frame = np.zeros((height, width, 3), np.uint8)
    frame[..., 0] = steps[0] * np.arange(width)
    frame[..., 1] = steps[1] * np.arange(height)[:, None]
    return frame, steps


def random_frame(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("resize", POLICIES, ids=lambda resize: f"{resize.policy} {resize.anchor}")
@pytest.mark.parametrize("frame_size", [(120, 125), (61, 99), (54, 61), (40, 125), (125, 37)], ids=str)
@pytest.mark.parametrize("network_size", [(32, 32), (64, 96), (128, 64), (192, 256)], ids=str)
def test_pixels_land_where_the_mapping_says(frame_size, network_size, resize):
    place = placement(frame_size, network_size, resize)
    frame, steps = ramp(*frame_size)
    image = network_input(frame, place, FILL)
    mapping = place.mapping(1)
    rows, columns = place.content
    for channel, axis, shown in ((0, mapping.columns, columns), (1, mapping.rows, rows)):
        expected = (np.arange(shown.start, shown.stop) - axis.offset) / axis.scale
        inside = (expected >= axis.start) & (expected <= axis.stop - 1)
        found = image[place.content][:, :, channel].astype(float).mean(axis=channel) / steps[channel]
        error = (found - expected)[inside]
        # OpenCV rounds its products down as well as the result, by up to a quarter of a level
        assert np.abs(error).max() < 0.8 / steps[channel]
        assert abs(error.mean()) < 0.25 / steps[channel]


@pytest.mark.parametrize("frame_size", [(90, 50), (50, 90), (33, 31), (1, 1), (200, 3)], ids=str)
def test_the_rest_has_the_fill_color(frame_size):
    place = placement(frame_size, (64, 96), Resize())
    image = network_input(np.full((*frame_size, 3), 200, np.uint8), place, FILL)
    height, width = place.content_size
    assert image.shape == (64, 96, 3)
    assert image.flags.c_contiguous
    assert (image[:height, :width] == 200).all()
    assert (image[height:] == FILL).all()
    assert (image[:, width:] == FILL).all()


@pytest.mark.parametrize("frame_size", [(90, 50), (50, 90), (33, 31), (1, 1), (200, 3)], ids=str)
def test_the_rest_around_a_centered_frame_has_the_fill_color(frame_size):
    place = placement(frame_size, (64, 96), CENTERED)
    image = network_input(np.full((*frame_size, 3), 200, np.uint8), place, FILL)
    shown = np.zeros((64, 96), bool)
    shown[place.content] = True
    assert (image[shown] == 200).all()
    assert (image[~shown] == FILL).all()


def test_a_frame_of_the_network_size_is_copied():
    frame = random_frame(64, 96)
    image = network_input(frame, placement((64, 96), (64, 96), Resize()), FILL)
    np.testing.assert_array_equal(image, frame)
    assert not np.shares_memory(image, frame)


@pytest.mark.parametrize("resize", POLICIES, ids=lambda resize: f"{resize.policy} {resize.anchor}")
def test_an_array_can_be_used_again(resize):
    place = placement((75, 50), (64, 96), resize)
    out = np.full((64, 96, 3), 99, np.uint8)
    image = network_input(random_frame(75, 50), place, FILL, out=out)
    assert image is out
    np.testing.assert_array_equal(image, network_input(random_frame(75, 50), place, FILL))


def test_only_the_region_is_looked_at():
    place = placement((100, 100), (64, 64), POLICIES[2])
    frame = random_frame(100, 100)
    changed = frame.copy()
    changed[:25] = changed[85:] = 0
    changed[:, :20] = changed[:, 90:] = 0
    np.testing.assert_array_equal(network_input(frame, place, FILL), network_input(changed, place, FILL))


def test_strided_and_read_only_frames():
    frame = random_frame(80, 60)
    place = placement((80, 60), (64, 64), Resize())
    flipped = frame[:, ::-1, ::-1]
    np.testing.assert_array_equal(
        network_input(flipped, place, FILL), network_input(np.ascontiguousarray(flipped), place, FILL)
    )
    frame.flags.writeable = False
    before = frame.copy()
    network_input(frame, place, FILL)
    np.testing.assert_array_equal(frame, before)


def test_thin_lines_survive_strong_shrinking():
    frame = np.zeros((640, 640, 3), np.uint8)
    frame[:, 3::10] = 250
    image = network_input(frame, placement((640, 640), (64, 64), Resize()), FILL)
    assert (np.abs(image.astype(int) - 25) <= 1).all()


def test_a_frame_of_another_size_is_refused():
    with pytest.raises(FrameError, match="50x60; 60x50 was expected"):
        network_input(random_frame(50, 60), placement((60, 50), (64, 64), Resize()), FILL)


def test_a_frame_is_checked():
    frame = random_frame(5, 7)
    assert checked_frame(frame) is frame


@pytest.mark.parametrize(
    "frame",
    [
        None,
        [[1, 2, 3]],
        np.zeros((5, 5), np.uint8),
        np.zeros((5, 5, 4), np.uint8),
        np.zeros((5, 5, 3), np.float32),
        np.zeros((0, 5, 3), np.uint8),
    ],
    ids=["none", "list", "gray", "alpha", "float", "empty"],
)
def test_what_is_no_frame_is_refused(frame):
    with pytest.raises(FrameError, match=r"A frame is a \(H, W, 3\) uint8 BGR array, not"):
        checked_frame(frame)
