from __future__ import annotations

import numpy as np
import pytest

from fcn_edge.training.augment import View
from fcn_edge.training.mixing import paste_classes

VOID = 9


def view_of(labels: list[int], value: int) -> View:
    """A view of four columns, one label each, whose pixels have one value and lie in the image but for the last."""
    rows = np.tile(np.array(labels, np.uint8), (3, 1))
    inside = np.ones((3, 4), np.uint8)
    inside[:, 3] = 0
    return np.full((3, 4, 3), value, np.uint8), rows, inside


@pytest.mark.parametrize("seed", range(6))
def test_half_of_the_classes_are_pasted_with_their_pixels(seed: int) -> None:
    view, other = view_of([0, 0, 1, 1], 10), view_of([2, 3, VOID, 4], 200)
    other[2][:] = 1
    paste_classes(view, other, VOID, np.random.default_rng(seed))
    image, labels, inside = view
    pasted = image[0, :, 0] == 200
    assert pasted.sum() == 1, "half of three classes, rounded down"
    assert not pasted[2], "void stays behind"
    assert (labels[0, pasted] == other[1][0, pasted]).all()
    assert (labels[0, ~pasted] == np.array([0, 0, 1, 1])[~pasted]).all()
    assert (image[0, ~pasted] == 10).all()
    assert inside[0].tolist() == [1, 1, 1, int(pasted[3])], "where the image is comes along"


def test_each_class_has_its_turn() -> None:
    seen = set()
    for seed in range(40):
        view = view_of([0, 0, 0, 0], 10)
        paste_classes(view, view_of([2, 3, 5, 5], 200), VOID, np.random.default_rng(seed))
        seen |= set(view[1].ravel().tolist()) - {0}
    assert seen == {2, 3, 5}


def test_nothing_is_pasted_from_void_and_without_a_map_of_the_image() -> None:
    view = view_of([0, 0, 1, 1], 10)
    paste_classes(view, view_of([VOID] * 4, 200), VOID, np.random.default_rng(0))
    assert (view[0] == 10).all()
    nothing = np.empty((0, 0), np.uint8)
    plain, other = (*view[:2], nothing), (*view_of([2, 2, 2, 2], 200)[:2], nothing)
    paste_classes(plain, other, VOID, np.random.default_rng(0))
    assert (plain[0] == 200).all()
