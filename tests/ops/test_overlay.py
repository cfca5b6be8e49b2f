from __future__ import annotations

import numpy as np
import pytest

from fcn_edge.artifacts.label_sets import CAMVID, VOC
from fcn_edge.errors import FrameError, UsageError
from fcn_edge.ops.overlay import colored, legend, overlay, palette_bgr

PALETTE = palette_bgr(CAMVID.palette)
VOID = CAMVID.void


def random_pair(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(height + width)
    return random.integers(0, 256, (height, width, 3), np.uint8), random.integers(0, 12, (height, width), np.uint8)


def test_the_palette_is_bgr_and_black_elsewhere():
    assert PALETTE.shape == (256, 3)
    assert PALETTE.dtype == np.uint8
    assert PALETTE[1].tolist() == [0, 0, 128]  # building: RGB (128, 0, 0)
    assert PALETTE[4].tolist() == [222, 40, 60]
    assert not PALETTE[11:].any()


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (120, 161)])
def test_colored_looks_every_label_up(size):
    labels = np.random.default_rng(1).integers(0, 256, size, np.uint8)
    palette = np.random.default_rng(2).integers(0, 256, (256, 3), np.uint8)
    np.testing.assert_array_equal(colored(labels, palette), palette[labels])
    np.testing.assert_array_equal(colored(labels[:, ::-1], palette), palette[labels[:, ::-1]])


@pytest.mark.parametrize("alpha", [0, 0.3, 0.5, 1])
def test_overlay_blends_and_leaves_void_alone(alpha):
    frame, labels = random_pair(37, 53)
    before = frame.copy()
    image = overlay(frame, labels, PALETTE, alpha, VOID)
    blended = (1 - alpha) * frame + alpha * PALETTE[labels]
    expected = np.where((labels == VOID)[..., None], frame, blended)
    assert image.dtype == np.uint8
    assert np.abs(image - expected).max() <= 0.51
    np.testing.assert_array_equal(image[labels == VOID], frame[labels == VOID])
    np.testing.assert_array_equal(frame, before)
    assert not np.shares_memory(image, frame)


def test_a_black_class_is_blended_and_void_is_not():
    frame = np.full((4, 4, 3), 200, np.uint8)
    labels = np.zeros((4, 4), np.uint8)
    labels[2:] = 255
    image = overlay(frame, labels, palette_bgr(VOC.palette))
    assert (image[:2] == 100).all()
    assert (image[2:] == 200).all()


def test_overlay_refuses_what_does_not_fit():
    frame, labels = random_pair(20, 30)
    with pytest.raises(FrameError, match="20x29 and the frame 20x30"):
        overlay(frame, labels[:, 1:], PALETTE)
    with pytest.raises(UsageError, match="alpha"):
        overlay(frame, labels, PALETTE, alpha=1.5)


def drawn_rows(before: np.ndarray, after: np.ndarray) -> int:
    return int(np.count_nonzero((before != after).any(axis=(1, 2))))


def test_the_legend_lists_the_largest_class_first():
    frame = np.full((720, 1280, 3), 90, np.uint8)
    shares = [0.0] * 11
    shares[3], shares[0], shares[8] = 0.5, 0.3, 0.0004
    image = legend(frame, CAMVID.classes, PALETTE, shares)
    assert image is frame
    swatches = image[:, 10]
    places = [np.flatnonzero((swatches == PALETTE[index]).all(axis=1)) for index in (3, 0, 8)]
    assert all(len(rows) > 10 for rows in places)
    assert places[0].max() < places[1].min()
    assert places[1].max() < places[2].min()
    for absent in (1, 2, 4, 5):
        assert not (swatches == PALETTE[absent]).all(axis=1).any()
    assert (image[200:] == 90).all()
    assert (image[:, 400:] == 90).all()
    assert (image.reshape(-1, 3).max(axis=0) > 240).all()  # white text


def test_the_legend_takes_names_that_are_no_text():
    """OpenCV's binding would end the process."""
    frame = np.full((360, 480, 3), 90, np.uint8)
    odd, plain = (legend(frame.copy(), [name], PALETTE, [1.0]) for name in ("a\ud800b", "a?b"))
    assert (odd == plain).all()
    assert (odd != frame).any()


def test_the_legend_grows_with_the_frame():
    heights = []
    for size in [(360, 640), (720, 1280), (1440, 2560)]:
        frame = np.full((*size, 3), 90, np.uint8)
        heights.append(drawn_rows(frame, legend(frame.copy(), CAMVID.classes, PALETTE, [0.09] * 11)))
    assert heights[0] < heights[1] < heights[2]


@pytest.mark.parametrize("size", [(1, 1), (10, 400), (400, 10), (20, 40), (30, 150), (100, 120), (64, 96)], ids=str)
def test_the_legend_of_a_small_frame_is_whole_or_absent(size):
    frame = np.full((*size, 3), 90, np.uint8)
    shares = [(11 - index) / 66 for index in range(11)]
    image = legend(frame.copy(), CAMVID.classes, PALETTE, shares)
    if (image == frame).all():
        assert size[0] < 18 or size[1] < 100
        return
    # the darkened panel ends inside the frame, and holds whole lines: the last one has its color to the full height
    shown = [index for index in range(11) if (image[:, 6] == PALETTE[index]).all(axis=1).sum() > 0]
    assert shown == list(range(len(shown)))
    assert len({int((image[:, 6] == PALETTE[index]).all(axis=1).sum()) for index in shown}) == 1


def test_nothing_present_draws_nothing():
    frame = np.full((100, 200, 3), 90, np.uint8)
    assert (legend(frame.copy(), CAMVID.classes, PALETTE, [0.0] * 11) == frame).all()
