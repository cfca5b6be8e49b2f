from __future__ import annotations

import pickle

import numpy as np
import pytest

from fcn_edge.datasets import RenderedSplit, split_of, splits_of
from fcn_edge.datasets.rendered import is_rendered, sample_of_address, street_from_uri
from fcn_edge.errors import UsageError
from fcn_edge.street import Street

URI = "synthetic://street?seed=3&frames=6&size=50x70&fps=10"


def test_a_uri_says_what_a_street_is_made_of() -> None:
    found = street_from_uri(URI)
    expected = Street(seed=3, size=(50, 70), frames=6, fps=10.0)
    assert len(found) == 6
    for mine, theirs in zip(found.frame(4), expected.frame(4), strict=True):
        assert (mine == theirs).all()


def test_every_part_may_be_left_out() -> None:
    street = street_from_uri("synthetic://street")
    assert len(street) == 250
    image, labels = street.frame(0)
    assert image.shape == (360, 480, 3)
    assert labels.shape == (360, 480)


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("synthetic://town", "synthetic://street was expected"),
        ("synthetic:street", "synthetic://street was expected"),
        ("synthetic://[", "synthetic://street was expected"),
        ("synthetic://street/scene", "synthetic://street was expected"),
        ("synthetic://street?speed=3", "no meaning for 'speed'"),
        ("synthetic://street?seed=1&seed=2", "gives 'seed' twice"),
        ("synthetic://street?seed=-1", "seed is '-1', a whole number was expected"),
        ("synthetic://street?seed=1.5", "a whole number was expected"),
        ("synthetic://street?seed=" + "9" * 5000, "a whole number was expected"),
        ("synthetic://street?frames=", "frames is '', a whole number was expected"),
        ("synthetic://street?frames=0", "expected 1 or more"),
        ("synthetic://street?size=64", "height x width such as 360x480"),
        ("synthetic://street?size=64xtall", "height x width such as 360x480"),
        ("synthetic://street?size=31x64", "32 or more"),
        ("synthetic://street?fps=fast", "a number was expected"),
        ("synthetic://street?fps=nan", "a number was expected"),
        ("synthetic://street?fps=0", "more than 0"),
    ],
)
def test_what_makes_no_sense_is_refused_with_an_example(uri: str, problem: str) -> None:
    for refuse in (street_from_uri, split_of, splits_of):
        with pytest.raises(UsageError, match=problem):
            refuse(uri)


def test_what_counts_as_rendered() -> None:
    assert is_rendered("synthetic://street")
    assert is_rendered("SYNTHETIC://street"), "the street's own error says what is wrong with it"
    assert not is_rendered("data/synthetic")
    assert not is_rendered(None)


def test_a_split_of_one_drive() -> None:
    split = split_of(URI)
    assert isinstance(split, RenderedSplit)
    assert len(split) == 6
    assert split.rendered
    assert split.info.name == "rendered-street"
    assert split.info.classes == Street.classes
    street = Street(seed=3, size=(50, 70), frames=6, fps=10.0)
    for index in (0, 5, -1):
        sample = split[index]
        image, labels = street.frame(index % 6)
        assert (sample.image() == image).all()
        assert (sample.labels() == labels).all()
        for mine, theirs in zip(sample.pair(), (image, labels), strict=True):
            assert (mine == theirs).all()
    assert len({sample.name for sample in split}) == 6
    assert [sample.name for sample in split[1:3]] == [split[1].name, split[2].name]
    with pytest.raises(IndexError):
        split[6]


def test_a_long_drive_costs_nothing_before_it_is_drawn() -> None:
    split = split_of("synthetic://street?frames=999999999&size=32x32")
    assert len(split) == 999_999_999
    assert split[999_999_998].labels().shape == (32, 32)


def test_training_streets_are_not_the_street_of_validation() -> None:
    splits = splits_of("synthetic://street?seed=5&frames=120&size=50x70")
    train, val = splits["train"], splits["val"]
    assert len(train) == 120
    assert 0 < len(val) <= 50
    assert {sample.seed for sample in val} == {5}
    seeds = [sample.seed for sample in train]
    assert 5 not in seeds
    assert seeds == sorted(seeds), "one street after another"
    assert len(set(seeds)) == 30
    assert len({sample.name for sample in train}) == 120
    assert [sample.frame for sample in val] == list(range(0, 120, 3)), "spread over the whole drive"


def test_many_frames_are_spread_over_64_streets() -> None:
    train = splits_of("synthetic://street?frames=6400&size=50x70")["train"]
    counts = np.bincount([sample.seed for sample in train])[1:]
    assert counts.tolist() == [100] * 64


def test_splits_cross_process_borders() -> None:
    split = pickle.loads(pickle.dumps(split_of(URI)))
    assert (split[2].labels() == split_of(URI)[2].labels()).all()


def test_a_sample_is_drawn_again_by_its_address() -> None:
    for address in (URI, "synthetic://street?size=32x40&fps=29.97", "synthetic://street?size=32x40&fps=0.000001"):
        sample = split_of(address)[3]
        again = sample_of_address(sample.address)
        assert again == sample
        assert again.address == sample.address
        assert (again.image() == sample.image()).all()


@pytest.mark.parametrize("frame", ["", "#", "#6", "#-1", "#1.5", "#first", "#" + "9" * 5000])
def test_an_address_without_a_frame_of_the_drive_is_refused(frame: str) -> None:
    with pytest.raises(UsageError, match="a number of 0 to 5"):
        sample_of_address(URI + frame)
