from __future__ import annotations

import numpy as np
import pytest

from fcn_edge.street import vehicles
from fcn_edge.street.camera import Camera
from fcn_edge.street.light import Light
from fcn_edge.street.ordering import far_to_near
from fcn_edge.street.path import Path, Stretch
from fcn_edge.street.raster import fixed
from fcn_edge.street.shapes import MeshBuilder
from fcn_edge.street.texture import Texture
from fcn_edge.street.weather import Weather


def order(*things: tuple[float, float, float, float], camera: float = 0.0) -> list[int]:
    table = np.array(things)
    return far_to_near(table[:, :2], table[:, 2:], camera)


def test_farther_first() -> None:
    assert order((5, 6, 0, 1), (20, 21, 0, 1), (10, 11, 0, 1)) == [1, 2, 0]


def test_outer_first_where_two_stand_side_by_side() -> None:
    wall, walker = (0.0, 40.0, 4.0, 4.2), (30.0, 30.5, 3.0, 3.5)
    assert order(walker, wall) == [1, 0]
    assert order((0, 40, -4.2, -4), (2, 3, -3.5, -3)) == [0, 1]


def test_a_long_thing_before_what_lies_beyond_its_end() -> None:
    assert order((0, 40, 4, 4.2), (41, 42, 6, 7)) == [1, 0]


def test_every_thing_is_drawn_once() -> None:
    rng = np.random.default_rng(3)
    near, left = rng.uniform(0, 90, 200), rng.uniform(-12, 12, 200)
    spans = np.stack([near, near + rng.uniform(0, 30, 200)], axis=1)
    breadths = np.stack([left, left + rng.uniform(0, 6, 200)], axis=1)
    assert sorted(far_to_near(spans, breadths, -2.0)) == list(range(200))


def test_a_point_ahead_is_on_the_middle_column_and_below_the_horizon() -> None:
    camera = Camera(width=101, height=80, focal=100.0, horizon=30.0, eye=1.5)
    pixels = camera.project(np.array([[0.0, -1.5, 10.0], [0.0, 0.0, 10.0], [2.0, -1.5, 10.0]]))
    assert pixels.tolist() == [[50.0, 45.0], [50.0, 30.0], [70.0, 45.0]]


def test_clip_keeps_what_is_ahead() -> None:
    camera = Camera(width=100, height=80, focal=100.0, horizon=30.0, eye=1.5, near=1.0)
    square = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 2.0], [0.0, 0.0, 2.0]])
    clipped = camera.clip(square)
    assert clipped[:, 2].min() == pytest.approx(1.0)
    assert len(clipped) == 4
    assert len(camera.clip(square - (0, 0, 5.0))) == 0


def test_fixed_point_holds_any_number() -> None:
    assert fixed(np.array([[1.25, -1e30]])).tolist() == [[20, -960_000]]


def test_the_way_ahead_is_as_long_as_the_street() -> None:
    path = Path(np.random.default_rng(4))
    stretch = Stretch(path, 500.0, -1.5, 0.0, 20.0, 150.0)
    along = np.arange(500.0, 600.0)
    poses = stretch.poses(along, np.full(len(along), -1.5))
    assert poses.right[0] == pytest.approx(0.0, abs=1e-9)
    assert poses.ahead[0] == pytest.approx(0.0, abs=1e-9)
    steps = np.hypot(np.diff(poses.right), np.diff(poses.ahead))
    assert np.all(np.abs(steps - 1.0) < 0.02)


def test_a_texture_is_never_much_finer_or_coarser_than_seen() -> None:
    texture = Texture(np.zeros((200, 300, 3), np.uint8))
    assert texture.fitting(1000, 1000).shape == (200, 300, 3)
    assert texture.fitting(100, 40).shape == (100, 75, 3)
    assert min(texture.fitting(0.5, 0.5).shape[:2]) >= 4


def test_texture_sizes_do_not_depend_on_their_order() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    first, second = Texture(picture), Texture(picture)
    first.fitting(8, 64), first.fitting(64, 8)
    assert np.array_equal(first.fitting(8, 8), second.fitting(8, 8))


def test_faces_look_outward() -> None:
    mesh = MeshBuilder(0)
    mesh.box((-1, 0, -1), (1, 2, 1), (9.0, 9.0, 9.0))
    built = mesh.build()
    away = built.centers - (0, 1, 0)
    assert ((built.normals * away).sum(axis=1) > 0).all()
    assert np.linalg.norm(built.normals, axis=1) == pytest.approx(1.0)


def test_vehicles_stand_on_the_ground_within_their_breadth() -> None:
    rng = np.random.default_rng(5)
    for _ in range(40):
        kind, paint = vehicles.pick(rng)
        car = vehicles.vehicle(kind, paint, 20.0, 3.0, False)
        corners = car.parts[0].vertices  # type: ignore[union-attr]
        assert corners[:, 1].min() >= -1e-9
        assert corners[:, 2].max() <= car.span[1] - car.span[0] + 0.02
        # Mirrors stick out a little.
        assert np.abs(corners[:, 0]).max() < (car.breadth[1] - car.breadth[0]) / 2 + 0.3


def test_haze_takes_over_with_distance() -> None:
    haze = np.array([200.0, 210.0, 220.0])
    light = Light(np.array([0.0, 1.0, 0.0]), np.ones(3), np.zeros(3), haze, 100.0, 0.0)
    colors, gain = np.full((3, 3), 50.0), np.ones((3, 3))
    seen = light.seen(colors, gain, np.array([0.0, 100.0, 1e6]))
    assert seen[0] == pytest.approx([50.0] * 3)
    assert seen[2] == pytest.approx(haze)
    assert (seen[0] < seen[1]).all()
    assert (seen[1] < seen[2]).all()


def test_the_sun_stays_where_it_is_when_the_street_turns() -> None:
    weather = Weather(np.random.default_rng(6))
    straight, turned = weather.light(0.0, 3.0), weather.light(0.5, 3.0)
    cos, sin = np.cos(0.5), np.sin(0.5)
    right, _, ahead = turned.sun
    assert straight.sun[[0, 2]] == pytest.approx([right * cos + ahead * sin, ahead * cos - right * sin])
    assert np.linalg.norm(straight.sun) == pytest.approx(1.0)
