from __future__ import annotations

import numpy as np
import pytest

from fcn_edge.datasets.calibration.spread import ROWS_AT_ONCE, content, spread

from .scenes import scene


def test_content_is_of_one_length_for_every_size() -> None:
    for size in ((32, 32), (48, 64), (361, 35)):
        found = content(scene(0, size))
        assert found.shape == (256,)
        assert found.dtype == np.uint8


def test_content_tells_color_place_and_edges() -> None:
    flat = np.full((64, 64, 3), 100, np.uint8)
    red, left, striped = flat.copy(), flat.copy(), flat.copy()
    red[:, :, 2] = 200
    left[:, :32] = 180
    striped[::2] = 110
    striped[1::2] = 90
    contents = [content(image).astype(int) for image in (flat, red, left, striped)]
    for first in range(4):
        for second in range(first):
            assert np.abs(contents[first] - contents[second]).sum() > 100


def test_steps_in_the_dark_count_by_proportion() -> None:
    steps = [content(np.full((64, 64, 3), level, np.uint8)).astype(int)[0] for level in (40, 50, 200, 250)]
    assert abs((steps[1] - steps[0]) - (steps[3] - steps[2])) <= 3


@pytest.mark.parametrize("seed", range(5))
def test_one_of_each_kind_before_a_second_of_any(seed: int) -> None:
    random = np.random.default_rng(0)
    kinds = random.integers(0, 256, (5, 256))
    contents = np.concatenate([np.clip(kind + random.integers(-1, 2, (20, 256)), 0, 255) for kind in kinds])
    chosen = spread(contents.astype(np.uint8), 5, seed)
    assert sorted(row // 20 for row in chosen) == [0, 1, 2, 3, 4]


def test_chances_go_by_the_square_of_the_distance() -> None:
    contents = np.zeros((3, 256), np.uint8)
    contents[1, 0], contents[2, 1] = 100, 200
    second = [spread(contents, 2, seed)[1] for seed in range(1000)]
    assert set(second) == {1, 2}
    assert 740 < second.count(2) < 860, "4 of 5 were expected"


def test_the_distance_is_to_the_nearest_of_the_chosen() -> None:
    """Past the rows that are counted at once, too."""
    contents = np.zeros((ROWS_AT_ONCE + 3, 256), np.uint8)
    contents[-1], contents[-2] = 200, 100
    for seed in range(10):
        chosen = spread(contents, 3, seed)
        assert chosen[0] == 0
        assert set(chosen[1:]) == {ROWS_AT_ONCE + 1, ROWS_AT_ONCE + 2}


def test_images_that_look_the_same_are_chosen_once_each() -> None:
    assert spread(np.zeros((7, 256), np.uint8), 7, 0) == list(range(7))
    mixed = np.zeros((7, 256), np.uint8)
    mixed[4] = 9
    assert spread(mixed, 7, 0) == [0, 4, 1, 2, 3, 5, 6]


def test_a_smaller_choice_begins_a_larger_one() -> None:
    contents = np.random.default_rng(0).integers(0, 256, (60, 256), np.uint8)
    assert spread(contents, 30, 1)[:10] == spread(contents, 10, 1)
