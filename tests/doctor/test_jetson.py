from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.doctor.check import Check
from fcn_edge.doctor.jetson import jetpack

from .trees import dpkg, facts, release, written


def jetpack_of(root: Path) -> Check:
    found = facts(root)
    assert found.jetson is not None
    return jetpack(found.jetson, found)


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
    check = jetpack_of(written(tmp_path, release(major, revision)))
    assert check.found.startswith(f"{found}, on the host")
    assert check.ok == (major != 35)


def test_an_unknown_l4t_is_told_with_the_version_of_its_package(tmp_path: Path) -> None:
    root = written(tmp_path, {**release(36, "9"), **dpkg(nvidia_jetpack="6.3+b12")})
    assert jetpack_of(root).found.endswith("the package nvidia-jetpack is 6.3+b12")


@pytest.mark.parametrize("sign", [".dockerenv", "run/.containerenv", "run/systemd/container"])
def test_a_container(tmp_path: Path, sign: str) -> None:
    root = written(tmp_path, {sign: "", **release(36, "4.3")})
    assert jetpack_of(root).found == "6.2 (L4T 36.4.3), in a container"


@pytest.mark.parametrize(
    ("files", "fix"),
    [
        ({".dockerenv": ""}, "--volume /etc/nv_tegra_release:/etc/nv_tegra_release:ro"),
        ({"etc/nv_tegra_release": "garbage\n"}, "--reinstall nvidia-l4t-core"),
    ],
)
def test_a_release_that_cannot_be_told(tmp_path: Path, files: dict[str, str], fix: str) -> None:
    check = jetpack_of(written(tmp_path, {"sys/devices/soc0/family": "Tegra\n", **files}))
    assert not check.ok
    assert check.found.startswith("unknown")
    assert fix in check.fix
