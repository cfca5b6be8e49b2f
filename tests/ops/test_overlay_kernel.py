"""The overlay kernel's own source, run on the host, against the host's overlay."""

from __future__ import annotations

import numpy as np
import pytest

from fcn_edge.ops.kernels import overlay_launch
from fcn_edge.ops.overlay import overlay, palette_bgr

from .emulator import Emulator

RANDOM = np.random.default_rng(7)
PALETTE = palette_bgr([tuple(int(level) for level in color) for color in RANDOM.integers(0, 256, (20, 3))])
GUARD = 171


def pitched(image: np.ndarray, extra: int) -> np.ndarray:
    """The image's rows with unused bytes behind each; ``base`` of what comes back is the whole."""
    rows = image.reshape(len(image), -1)
    room = np.full((len(rows), rows.shape[1] + extra), GUARD, np.uint8)
    room[:, : rows.shape[1]] = rows
    return room


def blended(emulator: Emulator, frame, labels, alpha, extra=(0, 0, 0), in_place=False) -> np.ndarray:
    height, width = labels.shape
    given, mask = pitched(frame, extra[0]), pitched(labels, extra[1])
    out = given if in_place else pitched(np.zeros_like(frame), extra[2])
    launch = overlay_launch(
        given.ctypes.data,
        mask.ctypes.data,
        PALETTE.ctypes.data,
        out.ctypes.data,
        (height, width),
        alpha,
        frame_pitch=given.shape[1],
        label_pitch=mask.shape[1],
        out_pitch=out.shape[1],
    )
    emulator.run(launch)
    assert (out[:, 3 * width :] == GUARD).all()
    return out[:, : 3 * width].reshape(frame.shape)


@pytest.mark.parametrize("size", [(360, 480), (33, 131), (1, 1), (70, 3), (5, 128)], ids=str)
@pytest.mark.parametrize("extra", [(0, 0, 0), (4, 8, 12), (1, 2, 3)], ids=str)
@pytest.mark.parametrize("alpha", [0, 0.35, 1])
def test_as_on_the_host(emulator, size, extra, alpha):
    frame = RANDOM.integers(0, 256, (*size, 3), np.uint8)
    labels = RANDOM.choice([*range(22), 255], size).astype(np.uint8)
    expected = overlay(frame, labels, PALETTE, alpha)
    for in_place in (False, True):
        found = blended(emulator, frame, labels, alpha, extra, in_place)
        assert np.abs(found.astype(int) - expected).max() <= 1
        np.testing.assert_array_equal(found[labels == 255], frame[labels == 255])


def test_another_value_can_be_void(emulator):
    frame, labels = RANDOM.integers(0, 256, (8, 8, 3), np.uint8), np.full((8, 8), 3, np.uint8)
    out = np.zeros_like(frame)
    addresses = (image.ctypes.data for image in (frame, labels, PALETTE, out))
    emulator.run(overlay_launch(*addresses, (8, 8), 0.5, void=3))
    np.testing.assert_array_equal(out, frame)
