from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.datasets.held_back import held_back
from fcn_edge.datasets.pairing import Pair
from fcn_edge.errors import UsageError


def pairs_of(*names: str) -> list[Pair]:
    return [Pair(name, Path(f"images/{name}.png"), Path(f"labels/{name}.png")) for name in names]


def names_of(pairs: tuple[Pair, ...]) -> list[str]:
    return [pair.name for pair in pairs]


def test_the_last_frames_by_number_are_held_back() -> None:
    train, val = held_back(pairs_of("frame10", "frame2", "frame1", "frame9", "frame100"), 0.4)
    assert names_of(train) == ["frame1", "frame2", "frame9"]
    assert names_of(val) == ["frame10", "frame100"]


def test_the_last_drive_is_held_back_first() -> None:
    train, val = held_back(pairs_of("b-2", "a-1", "b-1", "a-2"), 0.5)
    assert (names_of(train), names_of(val)) == (["a-1", "a-2"], ["b-1", "b-2"])


def test_drives_in_folders_stay_together() -> None:
    pairs = [Pair(f"{n}", Path(f"images/{'ab'[n % 2]}/{n}.png"), Path(f"labels/{n}.png")) for n in range(1, 9)]
    train, val = held_back(pairs, 0.25)
    assert {pair.image.parent.name for pair in val} == {"b"}
    assert names_of(val) == ["5", "7"]
    assert names_of(train) == ["2", "4", "6", "8", "1", "3"]


@pytest.mark.parametrize("share", [float("nan"), 0.0, 1.0, -1.0])
def test_what_is_no_share(share: float) -> None:
    with pytest.raises(UsageError, match="is no share"):
        held_back(pairs_of("a", "b"), share)


@pytest.mark.parametrize(("share", "expected"), [(0.001, 1), (0.2, 2), (0.999, 9)])
def test_both_sides_have_an_image(share: float, expected: int) -> None:
    train, val = held_back(pairs_of(*"abcdefghij"), share)
    assert len(val) == expected
    assert len(train) == 10 - expected


def test_one_image_cannot_be_parted() -> None:
    with pytest.raises(UsageError, match="One image"):
        held_back(pairs_of("a"), 0.5)


def test_numbers_of_thousands_of_digits_and_other_digits() -> None:
    train, val = held_back(pairs_of("1" * 5000, "\u0663", "2", "\u00b2"), 0.25)
    assert len(train) == 3
    assert len(val) == 1
