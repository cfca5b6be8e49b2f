"""Which device is which."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fcn_edge.artifacts.device import DeviceInfo

AGX = DeviceInfo("cuda", "Orin", "8.7", "NVIDIA Jetson AGX Orin Developer Kit", 16, "MAXN")
HIDDEN = DeviceInfo("cuda", "Orin", "8.7", multiprocessors=16)
CARD = DeviceInfo("cuda", "NVIDIA GeForce RTX 4070", "8.9", multiprocessors=46)


@pytest.mark.parametrize(
    ("other", "same", "differs"),
    [
        (AGX, True, False),
        (replace(AGX, multiprocessors=8), True, True),
        (replace(AGX, power_mode="30W"), True, True),
        (replace(AGX, name="NVIDIA Orin"), True, False),
        (replace(AGX, board=f"{AGX.board} Super"), True, False),
        (replace(AGX, board="NVIDIA Jetson Orin Nano Developer Kit"), False, False),
        (replace(AGX, capability="11.0"), False, False),
        (HIDDEN, True, False),
        (replace(HIDDEN, multiprocessors=None), True, False),
        (replace(HIDDEN, name="Xavier"), False, False),
        (CARD, False, True),
    ],
)
def test_a_board_is_the_same_in_every_power_mode(other: DeviceInfo, same: bool, differs: bool) -> None:
    assert (AGX.is_same(other), other.is_same(AGX)) == (same, same)
    assert (AGX.differs_in_state(other), other.differs_in_state(AGX)) == (differs, differs)


def test_other_devices_are_known_by_their_names() -> None:
    assert CARD.is_same(replace(CARD, multiprocessors=None))
    assert not CARD.is_same(replace(CARD, name="NVIDIA GeForce RTX 4060"))
    assert not CARD.is_same(DeviceInfo("cpu", CARD.name, CARD.capability))


def test_what_people_read() -> None:
    assert (AGX.title, AGX.state) == ("NVIDIA Jetson AGX Orin Developer Kit", "16 SM, power mode MAXN")
    assert (CARD.title, CARD.state) == ("NVIDIA GeForce RTX 4070", "46 SM")
    assert replace(AGX, multiprocessors=None).state == "power mode MAXN"
    assert DeviceInfo("cpu", "AMD EPYC", "avx2").state == ""
