from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from fcn_edge.street import furniture, people, vehicles
from fcn_edge.street.kinds import BICYCLIST, BUILDING, CAR, FENCE, PEDESTRIAN, POLE, SIGN, TREE
from fcn_edge.street.raster import Canvas
from fcn_edge.street.texture import Texture
from fcn_edge.street.vegetation import tree

RED = (0.0, 0.0, 200.0)
Show = Callable[..., Canvas]


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def plain(color: tuple[int, int, int]) -> Texture:
    return Texture(np.full((64, 64, 3), color, np.uint8))


def test_nearer_hides_farther(show: Show) -> None:
    far = vehicles.vehicle("van", RED, 30.0, 0.0, False)
    near = vehicles.vehicle("bus", RED, 15.0, 0.0, False)
    alone = show(far).labels == CAR
    assert alone.sum() > 50
    wall = furniture.wall(12.0, -3.0, 0.5, 4.0, RED, BUILDING)
    assert np.array_equal(show(far, near).labels, show(near, far).labels)
    # The bus ahead covers all that would be seen of the van.
    both, bus = show(far, near), show(near)
    assert np.array_equal(both.labels, bus.labels)
    assert np.array_equal(both.image, bus.image)
    assert (show(wall, far).labels == BUILDING).any()


def test_a_walker_before_and_behind_a_long_wall(show: Show) -> None:
    wall = furniture.wall(5.0, 4.0, 30.0, 2.5, RED, BUILDING)
    shape = people.walker(rng(), 0.0)
    before = people.stand(shape, 20.0, 3.0, 0.0, 0.25, 80.0)
    behind = people.stand(shape, 20.0, 5.0, 0.0, 0.25, 80.0)
    free = (show(before).labels == PEDESTRIAN).sum()
    assert (show(wall, before).labels == PEDESTRIAN).sum() == free > 20
    assert not (show(wall, behind).labels == PEDESTRIAN).any()


def test_a_cyclist_beside_a_parked_car(show: Show) -> None:
    car = vehicles.vehicle("estate", RED, 14.0, -3.0, False)
    shape = people.cyclist(rng(), 0.0)
    cyclist = people.stand(shape, 14.5, -1.5, 0.0, 0.8, 80.0)
    free = (show(cyclist).labels == BICYCLIST).sum()
    assert (show(cyclist, car).labels == BICYCLIST).sum() == free > 20


def test_things_grow_as_they_come_nearer(show: Show) -> None:
    areas = [(show(vehicles.vehicle("saloon", RED, at, 1.0, True)).labels == CAR).sum() for at in (60, 30, 15, 8)]
    assert areas[0] > 0
    assert all(near > 2 * far for far, near in pairwise(areas))


def test_labels_follow_the_image(show: Show) -> None:
    canvas = show(furniture.wall(6.0, 1.5, 6.0, 2.0, RED, FENCE))
    drawn = canvas.image.any(axis=2)
    labeled = canvas.labels == FENCE
    # The image is smoothed along outlines, over at most one pixel.
    rows, columns = np.nonzero(drawn != labeled)
    assert labeled.sum() > 500
    assert len(rows) < 0.1 * labeled.sum()
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        around = labeled[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        assert around.any()
        assert not around.all()


def test_labels_follow_a_picture(show: Show) -> None:
    canvas = show(furniture.fence(plain((10, 200, 90)), 6.0, -2.5, 9.0, 1.8))
    drawn = canvas.image.any(axis=2)
    assert (canvas.labels == FENCE).sum() > 300
    assert np.array_equal(drawn, canvas.labels == FENCE)


def test_a_picture_is_seen_from_its_front_only(show: Show) -> None:
    fence = furniture.fence(plain((10, 200, 90)), 6.0, -2.5, 9.0, 1.8)
    assert (show(fence).labels == FENCE).any()
    assert not (show(fence, lateral=-6.0).labels == FENCE).any()


def test_what_stands_beside_the_camera_is_cut(show: Show) -> None:
    fence = furniture.fence(plain((10, 200, 90)), -5.0, -2.0, 15.0, 1.5)
    car = vehicles.vehicle("saloon", RED, 1.0, 1.9, True)
    canvas = show(fence, car)
    # Both reach the border of the image, on their own sides.
    assert (canvas.labels[:, 0] == FENCE).any()
    assert (canvas.labels[:, -1] == CAR).any()


def test_the_sky_shows_through_a_crown(show: Show) -> None:
    crown = np.zeros((64, 64, 4), np.uint8)
    crown[:, 32:] = (40, 90, 60, 255)
    labels = show(tree(rng(), Texture(crown), 12.0, 0.0, 6.0)).labels
    upper = labels[: labels.shape[0] // 3]
    half = upper.shape[1] // 2
    assert (upper[:, half + 3 :] == TREE).any()
    assert not (upper[:, : half - 8] == TREE).any()


def test_signs_stand_on_poles(show: Show) -> None:
    for thing in (furniture.sign(rng(), 8.0, 1.0), furniture.traffic_light(rng(), 8.0, 1.0)):
        labels = show(thing).labels
        sign_rows, pole_rows = np.nonzero(labels == SIGN)[0], np.nonzero(labels == POLE)[0]
        assert len(sign_rows) > 20
        assert pole_rows.max() > sign_rows.max()


def test_nothing_is_nothing(show: Show) -> None:
    assert not show().image.any()
