from __future__ import annotations

import numpy as np
import pytest

from fcn_edge.datasets.calibration.balanced import balanced

COMMON = [0.9, 0.1, 0.0]
"""What most images of a street show: the third class never."""


def test_the_image_with_the_rare_class_comes_early() -> None:
    shares = np.array([COMMON] * 50 + [[0.9, 0.08, 0.02]])
    assert 50 in balanced(shares, 2)


def test_the_rarest_class_is_helped_first() -> None:
    shares = np.array([[0.8, 0.2, 0.0], [0.2, 0.8, 0.0], [0.5, 0.4, 0.1]])
    assert balanced(shares, 1) == [2]


def test_every_class_that_there_is_gets_shown() -> None:
    random = np.random.default_rng(0)
    shares = np.zeros((400, 12))
    shares[:, 0] = 1
    for name in range(1, 12):
        shares[random.choice(400, 2, replace=False), name] = 0.01
    assert (shares[balanced(shares, 24)].max(axis=0) > 0).all()


def test_classes_are_more_alike_than_in_a_choice_by_chance() -> None:
    random = np.random.default_rng(0)
    shares = random.dirichlet([20, 5, 1, 0.2, 0.05], 500)
    smallest = shares[balanced(shares, 40)].mean(axis=0).min()
    by_chance = [shares[random.choice(500, 40, replace=False)].mean(axis=0).min() for _ in range(20)]
    assert smallest > 2 * max(by_chance)


def test_the_first_of_equals_is_taken() -> None:
    shares = np.array([COMMON] * 5)
    assert balanced(shares, 3) == [0, 1, 2]


def test_a_smaller_choice_begins_a_larger_one() -> None:
    shares = np.random.default_rng(0).dirichlet([5, 1, 0.1], 60)
    assert balanced(shares, 30)[:10] == balanced(shares, 10)


@pytest.mark.parametrize("shares", [np.zeros((4, 3)), np.zeros((4, 0))])
def test_images_that_show_nothing_are_chosen_once_each(shares: np.ndarray) -> None:
    assert balanced(shares, 4) == [0, 1, 2, 3]
