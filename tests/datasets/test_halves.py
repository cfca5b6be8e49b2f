from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fcn_edge.datasets import Split, split_of
from fcn_edge.datasets.halves import halves_of
from fcn_edge.errors import DatasetError

MakeSplit = Callable[..., Path]


def test_every_sample_is_in_one_half(make_split: MakeSplit) -> None:
    split = Split(make_split(images=40))
    first, second = halves_of(split)
    names = [sample.name for sample in first] + [sample.name for sample in second]
    assert sorted(names) == sorted(sample.name for sample in split)
    assert len(first) + len(second) == 40
    assert min(len(first), len(second)) >= 10


def test_halves_keep_their_order_and_are_sequences(make_split: MakeSplit) -> None:
    split = Split(make_split(images=12))
    for half in halves_of(split):
        assert [half[number].name for number in range(len(half))] == [sample.name for sample in half]
        assert [sample.name for sample in half] == sorted(sample.name for sample in half)
        assert (half.name, half.info, half.rendered) == (split.name, split.info, split.rendered)
        image, labels = half[0].pair()
        assert image.shape[:2] == labels.shape


def test_sample_stays_on_its_side_when_others_come(make_split: MakeSplit) -> None:
    few = halves_of(Split(make_split(name="few", images=8)))
    many = halves_of(Split(make_split(name="many", images=30)))
    for small, large in zip(few, many, strict=True):
        assert {sample.name for sample in small} <= {sample.name for sample in large}


def test_halves_are_the_same_on_every_machine(make_split: MakeSplit) -> None:
    first, _ = halves_of(Split(make_split(images=10)))
    assert [sample.name for sample in first] == ["frame0", "frame1", "frame3", "frame9"]


def test_rendered_scenes_have_halves_too() -> None:
    first, second = halves_of(split_of("synthetic://street?frames=20&size=32x32"))
    assert len(first) + len(second) == 20
    assert first.rendered
    assert second.rendered


def test_one_image_has_no_halves(make_split: MakeSplit) -> None:
    with pytest.raises(DatasetError, match="1 images, too few to choose on one half") as caught:
        halves_of(Split(make_split(images=1)))
    assert "more labelled images" in caught.value.fix
