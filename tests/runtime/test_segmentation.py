from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from fcn_edge.backends.base import Timing
from fcn_edge.errors import UsageError
from fcn_edge.runtime.segmentation import Segmentation
from fcn_edge.testing.engine import fake_spec

SPEC = fake_spec()
ROAD, CAR = SPEC.classes.index("road"), SPEC.classes.index("car")


@pytest.fixture
def result() -> Segmentation:
    """A gray 200x300 frame: the upper half void, below it a third car and the rest road."""
    labels = np.full((200, 300), SPEC.void, np.uint8)
    labels[100:] = ROAD
    labels[100:, :100] = CAR
    return Segmentation(np.full((200, 300, 3), 100, np.uint8), labels, SPEC, Timing(infer=3_000_000, decode=500_000))


def test_shares_are_of_all_pixels_and_void_is_apart(result: Segmentation) -> None:
    shares = result.shares()
    assert tuple(shares) == SPEC.classes
    assert shares["road"] == pytest.approx(1 / 3)
    assert shares["car"] == pytest.approx(1 / 6)
    assert result.void_share == pytest.approx(1 / 2)
    assert sum(shares.values()) + result.void_share == pytest.approx(1)
    assert shares["sky"] == 0


def test_overlay_blends_the_colors_of_the_palette(result: Segmentation) -> None:
    before = result.frame.copy()
    image = result.overlay(alpha=0.25)
    assert image.shape == (200, 300, 3)
    assert image.dtype == np.uint8
    color = np.array(SPEC.palette[ROAD][::-1])
    np.testing.assert_allclose(image[150, 200], 100 * 0.75 + color * 0.25, atol=1)
    np.testing.assert_array_equal(image[50, 50], 100)  # void keeps the frame
    np.testing.assert_array_equal(result.frame, before)


def test_overlay_refuses_an_alpha_beyond_one(result: Segmentation) -> None:
    with pytest.raises(UsageError, match="alpha"):
        result.overlay(alpha=1.5)


def test_colored_is_the_palette_in_bgr(result: Segmentation) -> None:
    image = result.colored()
    np.testing.assert_array_equal(image[150, 200], SPEC.palette[ROAD][::-1])
    np.testing.assert_array_equal(image[150, 20], SPEC.palette[CAR][::-1])
    np.testing.assert_array_equal(image[50, 50], 0)


def test_legend_is_drawn_when_asked_for(result: Segmentation) -> None:
    for plain, named in (
        (result.overlay(), result.overlay(legend=True)),
        (result.colored(), result.colored(legend=True)),
    ):
        changed = (plain != named).any(axis=2)
        assert changed[:60, :100].any()
        assert not changed[150:].any()
        # the colors of the two classes that are there
        for index in (ROAD, CAR):
            assert (named[:60] == np.array(SPEC.palette[index][::-1])).all(axis=2).any()


def test_frames_of_any_layout_can_be_drawn_on(result: Segmentation) -> None:
    flipped = dataclasses.replace(result, image=result.frame[:, ::-1])
    np.testing.assert_array_equal(flipped.overlay(), result.overlay())


def test_repr_says_what_is_there(result: Segmentation) -> None:
    assert repr(result) == "Segmentation(200x300: road 33.3%, car 16.7%; 3.5 ms)"
    empty = dataclasses.replace(result, labels=np.full((4, 5), SPEC.void, np.uint8))
    assert repr(empty) == "Segmentation(4x5: void; 3.5 ms)"


def test_it_is_frozen(result: Segmentation) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.labels = result.labels  # type: ignore[misc]
