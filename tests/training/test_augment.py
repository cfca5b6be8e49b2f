from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.training.augment import Augmentation

Mask = NDArray[np.uint8]
FILL, VOID = (10, 20, 30), 9
PLAIN = {"scales": (1.0, 1.0), "color": 0.0, "flip": False}


def coded_pair(size: tuple[int, int] = (96, 128)) -> tuple[Mask, Mask]:
    """An image whose green channel is the label of each pixel, in smooth regions of four classes."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    labels = ((rows * 4 // size[0] + columns * 4 // size[1]) % 4).astype(np.uint8)
    return np.dstack([labels * 0, labels * 60, labels * 0]).astype(np.uint8), labels


def view(augmentation: Augmentation, seed: int, pair: tuple[Mask, Mask] | None = None) -> tuple[Mask, Mask]:
    image, labels = pair or coded_pair()
    seen, seen_labels, _ = augmentation(image, labels, np.random.default_rng(seed), fill=FILL, void=VOID)
    return seen, seen_labels


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("scales", [(0.3, 0.5), (0.75, 2.0), (3.0, 4.0)])
def test_image_and_labels_stay_together(seed: int, scales: tuple[float, float]) -> None:
    image, labels = view(Augmentation((64, 64), scales, color=0.0), seed)
    assert image.shape == (64, 64, 3)
    assert labels.shape == (64, 64)
    assert image.dtype == labels.dtype == np.uint8
    inside = labels != VOID
    assert inside.any()
    shown = np.rint(image[:, :, 1] / 60).astype(int)
    # the image is sampled bilinearly, so it may differ where labels meet
    border = np.zeros_like(inside)
    for axis in (0, 1):
        for shift in (-2, -1, 1, 2):
            border |= np.roll(labels, shift, axis) != labels
    border[:2] = border[-2:] = border[:, :2] = border[:, -2:] = True
    agree = shown == labels
    assert agree[inside & ~border].mean() > 0.98


def test_beyond_the_image_lie_the_fill_and_void() -> None:
    image, labels = view(Augmentation((256, 256), **PLAIN), 0)  # type: ignore[arg-type]
    outside = labels == VOID
    assert 0.6 < outside.mean() < 0.9
    assert (image[outside] == FILL).all(axis=1).mean() > 0.98


@pytest.mark.parametrize("scales", [(0.3, 0.5), (0.75, 1.5)])
def test_inside_is_where_the_image_is(scales: tuple[float, float]) -> None:
    image, labels = coded_pair()
    plain, telling = Augmentation((96, 96), scales), Augmentation((96, 96), scales, inside=True)
    partly = 0
    for seed in range(20):
        expected = view(plain, seed)
        random = np.random.default_rng(seed)
        seen, seen_labels, inside = telling(image, labels, random, fill=FILL, void=VOID)
        assert (seen == expected[0]).all(), "it changes no draw"
        assert (seen_labels == expected[1]).all()
        assert inside.dtype == np.uint8
        assert (inside == (seen_labels != VOID)).all(), "no pixel of this image is void itself"
        partly += 0 < inside.mean() < 1
    assert partly > 3
    unlabeled = np.full_like(labels, VOID)
    *_, of_unlabeled = telling(image, unlabeled, np.random.default_rng(19), fill=FILL, void=VOID)
    assert (of_unlabeled == inside).all(), "labels have no say in it"
    *_, nothing = plain(image, labels, np.random.default_rng(0), fill=FILL, void=VOID)
    assert nothing.shape == (0, 0)


def test_the_same_draws_give_the_same_view() -> None:
    augmentation = Augmentation((64, 64))
    first, again, other = view(augmentation, 3), view(augmentation, 3), view(augmentation, 4)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (first[0] != other[0]).any()


def test_about_every_other_view_is_mirrored() -> None:
    labels = np.zeros((64, 64), np.uint8)
    labels[:, 32:] = 1
    pair = np.dstack([labels] * 3), labels
    plain = Augmentation((64, 64), scales=(1.0, 1.0), color=0.0)
    flipped = [view(plain, seed, pair)[1][32, 8] == 1 for seed in range(200)]
    assert 70 < sum(flipped) < 130
    never = Augmentation((64, 64), **PLAIN)  # type: ignore[arg-type]
    assert not any(view(never, seed, pair)[1][32, 8] == 1 for seed in range(50))


def test_scales_are_drawn_between_the_two_alike_up_and_down() -> None:
    # a square of known size tells the scale of the view
    labels = np.zeros((200, 200), np.uint8)
    labels[50:150, 50:150] = 1
    pair = np.dstack([labels] * 3), labels
    augmentation = Augmentation((400, 400), scales=(0.5, 2.0), color=0.0)
    sides = np.array([np.sqrt((view(augmentation, seed, pair)[1] == 1).sum()) / 100 for seed in range(200)])
    assert sides.min() == pytest.approx(0.5, abs=0.05)
    assert sides.max() == pytest.approx(2.0, abs=0.1)
    assert np.log(sides).mean() == pytest.approx(0, abs=0.1), "log-uniform"


@pytest.mark.parametrize("enlarged", [1, 2, 5])
def test_scale_1_is_that_at_which_the_image_fits_the_network(enlarged: int) -> None:
    """A camera of more pixels shows the network the same at its size, and must teach it the same."""
    image, labels = (np.kron(each, np.ones((enlarged, enlarged, 1)[: each.ndim], np.uint8)) for each in coded_pair())
    fitted = Augmentation((48, 64), scales=(1.0, 1.0), color=0.0, size=(48, 64))
    halved = Augmentation((48, 64), scales=(0.5, 0.5), color=0.0, size=(48, 64))
    for seed in range(8):
        seen, seen_labels = view(fitted, seed, (image, labels))
        assert (seen_labels == VOID).mean() < 0.16, "but for the random stretch it is the whole image"
        expected = view(fitted, seed)
        assert np.abs(seen.astype(int) - expected[0]).mean() < 6
        assert (seen_labels == expected[1]).mean() > 0.95
        assert (view(halved, seed, (image, labels))[1] == VOID).mean() == pytest.approx(0.75, abs=0.05)


def test_images_of_other_shapes_fit_with_their_longer_side() -> None:
    pair = coded_pair((64, 256))
    fitted = Augmentation((64, 64), scales=(1.0, 1.0), color=0.0, size=(64, 64))
    shares = [(view(fitted, seed, pair)[1] != VOID).mean() for seed in range(20)]
    assert np.mean(shares) == pytest.approx(0.25, abs=0.02)


def test_crops_come_from_everywhere() -> None:
    size = 100
    image = np.dstack([np.tile(np.arange(size, dtype=np.uint8), (size, 1))] * 3)
    augmentation = Augmentation((32, 32), **PLAIN)  # type: ignore[arg-type]
    lefts = [
        int(view(augmentation, seed, (image, np.zeros((size, size), np.uint8)))[0][16, 0, 0]) for seed in range(100)
    ]
    assert min(lefts) < 8
    assert max(lefts) > 60


def test_no_color_strength_leaves_colors_alone() -> None:
    image = np.full((64, 64, 3), 77, np.uint8)
    pair = image, np.zeros((64, 64), np.uint8)
    assert (view(Augmentation((32, 32), **PLAIN), 0, pair)[0] == 77).all()  # type: ignore[arg-type]


def test_colors_change_and_labels_do_not() -> None:
    pair = coded_pair()
    pair[0][...] += 50
    plain = Augmentation((64, 64), **PLAIN)  # type: ignore[arg-type]
    strong = Augmentation((64, 64), scales=(1.0, 1.0), color=1.0, flip=False)
    means = []
    for seed in range(40):
        assert (view(strong, seed, pair)[1] == view(plain, seed, pair)[1]).all()
        means.append(view(strong, seed, pair)[0].mean() / view(plain, seed, pair)[0].mean())
    assert min(means) < 0.8
    assert max(means) > 1.25


def test_shrinking_does_not_alias() -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    augmentation = Augmentation((64, 64), scales=(0.3, 0.3), color=0.0, flip=False)
    image, labels = view(augmentation, 1, (stripes, np.zeros((256, 256), np.uint8)))
    inside = image[labels != VOID]
    assert inside.std() < 30, "fine stripes become gray, not coarse stripes"


def rare_pair() -> tuple[Mask, Mask]:
    """A large image of class 0 with a few pixels of class 5 in a corner and a border of void."""
    labels = np.zeros((200, 300), np.uint8)
    labels[20:26, 280:286] = 5
    labels[-10:] = VOID
    return np.dstack([labels] * 3), labels


def test_balanced_crops_hold_each_class_alike() -> None:
    plain = Augmentation((32, 32), **PLAIN)  # type: ignore[arg-type]
    half = Augmentation((32, 32), balance=0.5, **PLAIN)  # type: ignore[arg-type]
    all_of_them = Augmentation((32, 32), balance=1.0, **PLAIN)  # type: ignore[arg-type]
    shares = [
        np.mean([(view(augmentation, seed, rare_pair())[1] == 5).any() for seed in range(200)])
        for augmentation in (plain, half, all_of_them)
    ]
    assert shares[0] < 0.1
    assert 0.15 < shares[1] < 0.4
    assert 0.4 < shares[2] < 0.65


@pytest.mark.parametrize("scale", [0.1, 0.5, 1.0, 3.0])
def test_a_crop_around_a_pixel_holds_it_and_as_much_of_the_image_as_fits(scale: float) -> None:
    _, labels = rare_pair()
    labels[labels == 0] = VOID
    image = np.full((*labels.shape, 3), 200, np.uint8)
    augmentation = Augmentation((64, 64), scales=(scale, scale), color=0.0, flip=False, balance=1.0)
    for seed in range(40):
        seen, seen_labels = view(augmentation, seed, (image, labels))
        inside = (seen == 200).all(2).sum()
        if scale < 0.4:
            assert 350 < inside < 650, "the whole image, of 20 x 30 pixels, but for the blended edge"
        else:
            assert (seen_labels == 5).any()
            assert inside >= 62 * 62, "all but blended edges"


def test_balanced_crops_of_void_alone() -> None:
    pair = coded_pair()
    pair[1][...] = VOID
    assert (view(Augmentation((32, 32), balance=1.0), 3, pair)[1] == VOID).all()
