from __future__ import annotations

import numpy as np
import pytest

from fcn_edge.street import Street
from fcn_edge.street.kinds import CLASSES, PAVEMENT, ROAD, SKY, VOID

SMALL = (120, 160)


@pytest.fixture(scope="module")
def many() -> list[tuple[np.ndarray, np.ndarray]]:
    """One frame of each of many streets, and a few more of the first."""
    frames = [Street(seed=seed, size=SMALL).frame(30 * (seed % 5)) for seed in range(12)]
    street = Street(seed=0, size=SMALL)
    return frames + [street.frame(i) for i in (60, 120, 180)]


def test_same_bytes_in_any_order() -> None:
    first, second = Street(seed=5, size=SMALL), Street(seed=5, size=SMALL)
    ahead = {i: first.frame(i) for i in (0, 7, 200)}
    back = {i: second.frame(i) for i in (200, 0, 7)}
    for i, (image, labels) in ahead.items():
        assert image.tobytes() == back[i][0].tobytes()
        assert labels.tobytes() == back[i][1].tobytes()


def test_frames_belong_to_the_caller() -> None:
    street = Street(seed=1, size=SMALL)
    image, labels = street.frame(3)
    image[:], labels[:] = 0, 0
    assert street.frame(3)[0].any()
    assert street.frame(3)[1].any()


def test_number_of_frames_does_not_change_them() -> None:
    one, all_ = Street(seed=2, size=SMALL, frames=1), Street(seed=2, size=SMALL)
    assert np.array_equal(one.frame(0)[0], all_.frame(0)[0])


def test_rate_is_the_pace_of_the_drive() -> None:
    slow, fast = Street(seed=2, size=SMALL, fps=25.0), Street(seed=2, size=SMALL, fps=50.0)
    # The sensor noise belongs to the index; what is seen belongs to the time.
    assert np.array_equal(slow.frame(10)[1], fast.frame(20)[1])


@pytest.mark.parametrize("size", [(32, 32), (361, 643), (33, 400), (200, 40), (120, 160)])
def test_sizes_and_types(size: tuple[int, int]) -> None:
    image, labels = Street(seed=3, size=size).frame(11)
    assert image.shape == (*size, 3)
    assert labels.shape == size
    assert image.dtype == labels.dtype == np.uint8


def test_length_and_iteration() -> None:
    street = Street(seed=4, size=(48, 64), frames=3)
    frames = list(street)
    assert len(street) == len(frames) == 3
    assert np.array_equal(frames[2][0], street.frame(2)[0])


def test_classes() -> None:
    assert Street.classes == CLASSES
    assert len(Street.classes) == Street.void == VOID == 11


def test_labels_are_known_and_every_class_appears(
    many: list[tuple[np.ndarray, np.ndarray]],
) -> None:
    found = np.unique(np.concatenate([labels.ravel() for _, labels in many]))
    assert set(range(11)) <= set(found.tolist()) <= set(range(12))


def test_shares_are_those_of_a_street(many: list[tuple[np.ndarray, np.ndarray]]) -> None:
    labels = np.concatenate([labels.ravel() for _, labels in many])
    share = dict(zip(CLASSES, np.bincount(labels, minlength=11) / labels.size, strict=False))
    assert 0.10 < share["sky"] < 0.30
    assert 0.12 < share["building"] < 0.35
    assert 0.25 < share["road"] < 0.45
    assert 0.02 < share["pavement"] < 0.12
    assert 0.03 < share["tree"] < 0.20
    assert 0.02 < share["car"] < 0.16
    for thin in ("pole", "sign", "fence", "pedestrian", "bicyclist"):
        assert 0.001 < share[thin] < 0.05, thin


def test_sky_is_above_and_road_below(many: list[tuple[np.ndarray, np.ndarray]]) -> None:
    half = SMALL[0] // 2
    above = np.concatenate([labels[: half - 20].ravel() for _, labels in many])
    below = np.concatenate([labels[half + 20 :].ravel() for _, labels in many])
    assert not np.isin(above, (ROAD, PAVEMENT)).any()
    assert not (below == SKY).any()


def test_image_is_as_various_as_its_labels(many: list[tuple[np.ndarray, np.ndarray]]) -> None:
    for image, labels in many:
        assert image[labels == SKY].mean() > image[labels == ROAD].mean()


def test_seeds_differ() -> None:
    labels = [Street(seed=seed, size=SMALL).frame(0)[1] for seed in range(4)]
    for i in range(4):
        for j in range(i):
            assert (labels[i] != labels[j]).mean() > 0.1


def test_camera_moves() -> None:
    street = Street(seed=6, size=SMALL)
    (image, labels), (later_image, later) = street.frame(0), street.frame(5)
    assert (image != later_image).mean() > 0.3
    assert 0.001 < (labels != later).mean() < 0.6


def test_light_changes_along_the_drive() -> None:
    street = Street(seed=8, size=SMALL, frames=4000)
    bright = [street.frame(i)[0][:20].mean() for i in range(0, 4000, 500)]
    assert max(bright) - min(bright) > 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": (31, 64)}, "32 or more"),
        ({"size": (64, 8)}, "32 or more"),
        ({"frames": 0}, "frames=0"),
        ({"fps": 0.0}, "fps=0"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Street(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("index", [-1, 10, 11])
def test_index_out_of_range(index: int) -> None:
    with pytest.raises(ValueError, match="expected 0 to 9"):
        Street(seed=0, size=(48, 64), frames=10).frame(index)
