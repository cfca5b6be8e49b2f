from __future__ import annotations

import re
from pathlib import Path

import pytest

from fcn_edge.doctor import jetson

from .trees import dpkg, release, written


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
    assert jetson.is_jetson(written(tmp_path, files)) == is_one


@pytest.mark.parametrize(
    ("major", "revision", "found"),
    [
        (35, "4.1", "5.1.2 (L4T 35.4.1)"),
        (36, "3.0", "6.0 (L4T 36.3.0)"),
        (36, "4.3", "6.2 (L4T 36.4.3)"),
        (36, "5.0", "6.2.2 (L4T 36.5.0)"),
        (36, "5.2", "6.2.3 (L4T 36.5.2)"),
        (38, "4.0", "7.1 (L4T 38.4.0)"),
        (39, "2.0", "7.2 (L4T 39.2.0)"),
        (39, "2.1", "7.2.1 (L4T 39.2.1)"),
        (36, "9", "L4T 36.9 (JetPack unknown)"),
        (36, "5.3", "L4T 36.5.3 (JetPack unknown)"),
        (38, "4.1", "L4T 38.4.1 (JetPack unknown)"),
        (32, "7.6", "L4T 32.7.6 (JetPack unknown)"),
        (40, "0.0", "L4T 40.0.0 (JetPack unknown)"),
    ],
)
def test_jetpack_by_l4t(tmp_path: Path, major: int, revision: str, found: str) -> None:
    check = jetson.jetpack(written(tmp_path, release(major, revision)))
    assert check.found.startswith(f"{found}, on the host")
    assert check.ok == (major != 35)


def test_an_unknown_l4t_is_told_with_the_version_of_its_package(tmp_path: Path) -> None:
    root = written(tmp_path, {**release(36, "9"), **dpkg(nvidia_jetpack="6.3+b12")})
    assert jetson.known_jetpack(root) is None
    assert jetson.jetpack(root).found.endswith("the package nvidia-jetpack is 6.3+b12")


@pytest.mark.parametrize("sign", [".dockerenv", "run/.containerenv", "run/systemd/container"])
def test_a_container(tmp_path: Path, sign: str) -> None:
    root = written(tmp_path, {sign: "", **release(36, "4.3")})
    assert jetson.jetpack(root).found == "6.2 (L4T 36.4.3), in a container"


@pytest.mark.parametrize(
    ("files", "fix"),
    [
        ({".dockerenv": ""}, "--volume /etc/nv_tegra_release:/etc/nv_tegra_release:ro"),
        ({"etc/nv_tegra_release": "garbage\n"}, "--reinstall nvidia-l4t-core"),
    ],
)
def test_a_release_that_cannot_be_told(tmp_path: Path, files: dict[str, str], fix: str) -> None:
    check = jetson.jetpack(written(tmp_path, {"sys/devices/soc0/family": "Tegra\n", **files}))
    assert not check.ok
    assert check.found.startswith("unknown")
    assert fix in check.fix


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
