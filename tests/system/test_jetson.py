from __future__ import annotations

import re
from pathlib import Path

import pytest

from fcn_edge.system import jetson
from fcn_edge.system.jetson import JetsonFacts

from ..doctor.trees import ORIN_NANO_MODES, THOR_MODES, release, written


def unasked() -> str:
    raise AssertionError("nvpmodel is not to be asked")


def read(root: Path, board: str = "") -> JetsonFacts | None:
    return jetson.read_jetson(root, board, unasked)


@pytest.mark.parametrize(
    ("files", "is_one"),
    [
        ({}, False),
        ({"proc/device-tree/compatible": "raspberrypi,5-model-b\0brcm,bcm2712\0"}, False),
        ({"proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0005\0nvidia,tegra234\0"}, True),
        ({"sys/devices/soc0/family": "Tegra\n"}, True),
        (release(36, "4.3"), True),
    ],
)
def test_a_jetson_is_recognized(tmp_path: Path, files: dict[str, str], is_one: bool) -> None:
    assert (read(written(tmp_path, files)) is not None) == is_one


def test_a_board_with_a_known_jetpack(tmp_path: Path) -> None:
    found = read(written(tmp_path, release(36, "4.3")), "NVIDIA Jetson AGX Orin")
    assert found is not None
    assert (found.board, found.l4t, found.power) == ("NVIDIA Jetson AGX Orin", "36.4.3", None)
    assert found.jetpack == jetson.JETPACKS["36.4.3"]
    assert not found.too_old


@pytest.mark.parametrize(("files", "l4t"), [(release(36, "9"), "36.9"), ({"etc/nv_tegra_release": "garbage\n"}, "")])
def test_an_l4t_that_is_not_in_the_table(tmp_path: Path, files: dict[str, str], l4t: str) -> None:
    found = read(written(tmp_path, files))
    assert found is not None
    assert (found.board, found.l4t, found.jetpack, found.too_old) == ("NVIDIA Tegra", l4t, None, False)


def test_jetpack_5_is_too_old(tmp_path: Path) -> None:
    found = read(written(tmp_path, release(35, "4.1")))
    assert found is not None
    assert found.too_old


def test_power_modes_of_files(tmp_path: Path) -> None:
    files = {"etc/nvpmodel.conf": ORIN_NANO_MODES, "var/lib/nvpmodel/status": "pmode:0002 fmode:quiet"}
    found = read(written(tmp_path, {**release(36, "4.3"), **files}))
    assert found is not None
    assert found.power is not None
    assert found.power.modes == {0: "15W", 1: "25W", 2: "MAXN_SUPER", 3: "7W"}
    assert found.power.current == 2


@pytest.mark.parametrize(("said", "current"), [("NV Power Mode: 120W\n1\n", 1), ("", None)])
def test_nvpmodel_is_asked_where_the_status_is_not_kept(tmp_path: Path, said: str, current: int | None) -> None:
    root = written(tmp_path, {**release(38, "4.0"), "etc/nvpmodel.conf": THOR_MODES})
    found = jetson.read_jetson(root, "", lambda: said)
    assert found is not None
    assert found.power is not None
    assert found.power.current == current


def test_the_board_and_its_mode_are_told_by_files(tmp_path: Path) -> None:
    assert jetson.board_and_mode(tmp_path) == ("", "")
    root = written(tmp_path, {"proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0"})
    assert jetson.board_and_mode(root) == ("NVIDIA Jetson Orin Nano Developer Kit", "")
    written(root, {"etc/nvpmodel.conf": ORIN_NANO_MODES})
    assert jetson.board_and_mode(root)[1] == "", "no file says which of them is set"
    written(root, {"var/lib/nvpmodel/status": "pmode:0002"})
    assert jetson.board_and_mode(root)[1] == "MAXN_SUPER"


@pytest.mark.parametrize("sign", [".dockerenv", "run/.containerenv", "run/systemd/container"])
def test_a_container(tmp_path: Path, sign: str) -> None:
    assert not jetson.in_container(tmp_path)
    assert jetson.in_container(written(tmp_path, {sign: ""}))


def test_the_table_holds_whole_versions() -> None:
    assert all(len(version.split(".")) == 3 for version in jetson.JETPACKS)


def test_the_documented_versions_are_those_of_the_table() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs/jetson.md").read_text(encoding="utf-8")
    documented = {
        l4t: jetson.JetPack(jetpack, tensorrt.strip(), (3, int(minor)))
        for jetpack, releases, minor, tensorrt in re.findall(
            r"^\| ([\d.]+) \| ([\d., ]+) \| 3\.(\d+) \|[^|]*\|([^|]*)\|", text, re.MULTILINE
        )
        for l4t in releases.split(", ")
    }
    assert documented == {l4t: one for l4t, one in jetson.JETPACKS.items() if one.python >= jetson.OLDEST_PYTHON}
