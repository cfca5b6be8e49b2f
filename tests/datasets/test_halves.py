from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fcn_edge.datasets import Split, split_of
from fcn_edge.datasets.halves import Part, halves_of
from fcn_edge.errors import DatasetError

MakeSplit = Callable[..., Path]


def test_every_sample_is_in_one_half(make_split: MakeSplit) -> None:
    split = Split(make_split(images=40))
    first, second = halves_of(split)
    names = [sample.name for sample in first] + [sample.name for sample in second]
    assert sorted(names) == sorted(sample.name for sample in split)
    assert (len(first), len(second)) == (20, 20)


@pytest.mark.parametrize(("images", "sizes"), [(2, (1, 1)), (3, (1, 2)), (7, (3, 4)), (12, (6, 6))])
def test_halves_are_of_one_size(make_split: MakeSplit, images: int, sizes: tuple[int, int]) -> None:
    first, second = halves_of(Split(make_split(images=images)))
    assert (len(first), len(second)) == sizes


def test_halves_keep_their_order_and_are_sequences(make_split: MakeSplit) -> None:
    split = Split(make_split(images=12))
    for half in halves_of(split):
        assert [half[number].name for number in range(len(half))] == [sample.name for sample in half]
        assert [sample.name for sample in half] == sorted(sample.name for sample in half)
        assert (half.info, half.rendered) == (split.info, split.rendered)
        image, labels = half[0].pair()
        assert image.shape[:2] == labels.shape


def test_halves_say_that_they_are_halves(make_split: MakeSplit) -> None:
    split = Split(make_split(name="val", images=4))
    assert [half.name for half in halves_of(split)] == ["val (one half)", "val (the other half)"]
    assert Part(split, (0, 2)).name == "val"


def test_halves_depend_on_no_order(make_split: MakeSplit) -> None:
    split = Split(make_split(images=9))
    backwards = Part(split, tuple(reversed(range(9))))
    for half, other in zip(halves_of(split), halves_of(backwards), strict=True):
        assert {sample.name for sample in half} == {sample.name for sample in other}


def test_halves_are_the_same_on_every_machine(make_split: MakeSplit) -> None:
    first, _ = halves_of(Split(make_split(images=10)))
    assert [sample.name for sample in first] == ["frame0", "frame1", "frame5", "frame7", "frame8"]


def test_rendered_scenes_have_halves_too() -> None:
    first, second = halves_of(split_of("synthetic://street?frames=20&size=32x32"))
    assert len(first) + len(second) == 20
    assert first.rendered
    assert second.rendered


def test_one_image_has_no_halves(make_split: MakeSplit) -> None:
    split = Split(make_split(images=1))
    with pytest.raises(DatasetError, match="has one image; two or more were expected, to choose on one half") as caught:
        halves_of(split)
    assert "more labeled images" in caught.value.fix
    with pytest.raises(DatasetError, match="has no images; two or more"):
        halves_of(Part(split, ()))
