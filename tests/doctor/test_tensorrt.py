from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.doctor.tensorrt import tensorrt

from .trees import DESKTOP_GPU, THOR, desktop, dpkg, facts, jetpack_62, jetpack_71, jetpack_72, release, written

OPEN = "/usr/bin/python3 -m venv --system-site-packages /home/user/fcn_edge/.venv"


def test_jetpacks_is_hidden_from_the_environment(tmp_path: Path) -> None:
    check = tensorrt(facts(jetpack_62(tmp_path)))
    assert not check.ok
    assert check.found == "10.3.0.30 for the system's Python 3.10, not visible in /home/user/fcn_edge/.venv"
    assert check.fix == OPEN


@pytest.mark.parametrize(
    ("answers", "fix"),
    [
        ({"python": (3, 11)}, f"{OPEN.replace('packages /', 'packages --clear /')}, then install fcn_edge there again"),
        ({"is_venv": False}, "/usr/bin/python3 -m venv --system-site-packages .venv"),
        ({"prefix": Path("/home/a b/.venv")}, "/usr/bin/python3 -m venv --system-site-packages '/home/a b/.venv'"),
    ],
)
def test_the_command_fits_the_environment(tmp_path: Path, answers: dict[str, object], fix: str) -> None:
    assert tensorrt(facts(jetpack_62(tmp_path), **answers)).fix == fix


@pytest.mark.parametrize("place", ["usr/lib/python3/dist-packages", "usr/local/lib/python3.12/dist-packages"])
def test_where_the_system_keeps_it(tmp_path: Path, place: str) -> None:
    root = written(tmp_path, {f"{place}/tensorrt/__init__.py": "", **release(38, "4.0")})
    check = tensorrt(facts(root, python=(3, 12)))
    assert check.found.startswith("installed for the system's Python 3")
    assert check.fix == OPEN


@pytest.mark.parametrize(
    ("machine", "version", "found"),
    [
        (jetpack_62, "10.3.0", "10.3.0, as JetPack 6.2 ships 10.3.0.30"),
        (jetpack_71, "10.13.3.9", "10.13.3.9, as JetPack 7.1 ships 10.13.3.9"),
        (jetpack_72, "10.16.2.10", "10.16.2.10, as JetPack 7.2 ships 10.16.2.10"),
        (desktop, "11.4.0.106", "11.4.0.106"),
    ],
)
def test_the_right_one_is_visible(tmp_path: Path, machine: object, version: str, found: str) -> None:
    assert callable(machine)
    check = tensorrt(facts(machine(tmp_path), installed={"tensorrt": version}))
    assert (check.ok, check.found) == (True, found)


def test_a_module_without_a_distribution_has_the_version_of_its_package(tmp_path: Path) -> None:
    check = tensorrt(facts(jetpack_62(tmp_path), importable=lambda module: module == "tensorrt"))
    assert (check.ok, check.found) == (True, "10.3.0.30, as JetPack 6.2 ships 10.3.0.30")


def test_a_wheel_that_hides_jetpacks(tmp_path: Path) -> None:
    installed = {"tensorrt": "11.4.0.106", "tensorrt-cu13": "11.4.0.106", "tensorrt-cu13-libs": "11.4.0.106"}
    check = tensorrt(facts(jetpack_62(tmp_path), installed=installed))
    assert (check.ok, check.found) == (False, "11.4.0.106, but JetPack 6.2 ships 10.3.0.30")
    assert check.fix == f"pip uninstall -y tensorrt tensorrt-cu13 tensorrt-cu13-libs && {OPEN}"


def test_a_package_that_is_not_jetpacks(tmp_path: Path) -> None:
    root = written(jetpack_62(tmp_path), dpkg(python3_libnvinfer="10.7.0.23-1+cuda12.6"))
    check = tensorrt(facts(root, installed={"tensorrt": "10.7.0"}))
    assert not check.ok
    assert "--allow-downgrades 'tensorrt=10.3.0.30-*' 'python3-libnvinfer=10.3.0.30-*'" in check.fix


@pytest.mark.parametrize("installed", [{"tensorrt": "8.6.2"}, {}], ids=["visible", "hidden"])
def test_jetpack_60s_is_too_old_to_be_opened_or_restored(tmp_path: Path, installed: dict[str, str]) -> None:
    root = written(jetpack_62(tmp_path), {**release(36, "3.0"), **dpkg(python3_libnvinfer="8.6.2.3-1+cuda12.2")})
    check = tensorrt(facts(root, installed=installed))
    assert not check.ok
    assert check.found.startswith("8.6.2")
    assert check.found.endswith("; 10.0 or newer was expected")
    assert check.fix == "Flash JetPack 6.1 or newer; until then models run on the processor."
    newer = tensorrt(facts(root, installed={"tensorrt": "10.3.0"}))
    assert (newer.ok, newer.found) == (True, "10.3.0")


def test_an_old_one_elsewhere_is_replaced(tmp_path: Path) -> None:
    check = tensorrt(facts(desktop(tmp_path / "desktop"), DESKTOP_GPU, installed={"tensorrt": "8.6.1"}))
    assert (check.ok, check.fix) == (False, "pip install tensorrt-cu12")
    root = written(tmp_path / "image", {".dockerenv": "", **release(36, "3.0")})
    check = tensorrt(facts(root, installed={"tensorrt": "8.6.2"}))
    assert (check.ok, check.fix) == (False, "Start from an image with TensorRT 10.0 or newer.")


def test_a_container_may_have_its_own(tmp_path: Path) -> None:
    root = written(tmp_path, {".dockerenv": "", **release(39, "2.0")})
    check = tensorrt(facts(root, installed={"tensorrt": "10.13.2.6"}))
    assert check.ok
    assert check.found.startswith("10.13.2.6 of this container; JetPack 7.2 ships 10.16.2.10")


def test_an_unknown_jetpack_is_compared_with_nothing(tmp_path: Path) -> None:
    check = tensorrt(facts(written(tmp_path, release(36, "9")), installed={"tensorrt": "10.3.0"}))
    assert (check.ok, check.found) == (True, "10.3.0")


@pytest.mark.parametrize(
    ("files", "fix"),
    [
        (release(36, "4.3"), f"sudo apt-get update && sudo apt-get install nvidia-jetpack && {OPEN}"),
        ({".dockerenv": "", **release(36, "4.3")}, "deploy/Dockerfile"),
    ],
)
def test_none_at_all(tmp_path: Path, files: dict[str, str], fix: str) -> None:
    check = tensorrt(facts(written(tmp_path, files)))
    assert not check.ok
    assert fix in check.fix


def test_a_desktop_s_wheel_is_of_its_drivers_cuda(tmp_path: Path) -> None:
    """PyPI's ``tensorrt`` is for the newest CUDA, whichever that is."""
    for driver, fix in ((DESKTOP_GPU, "pip install tensorrt-cu12"), (THOR, "pip install tensorrt-cu13")):
        check = tensorrt(facts(written(tmp_path, {"dev/nvidia0": ""}), driver))
        assert (check.ok, check.fix) == (False, fix)


def test_an_arm_server_hears_of_the_driver_that_its_wheel_needs(tmp_path: Path) -> None:
    check = tensorrt(facts(written(tmp_path, {"dev/nvidia0": ""}), DESKTOP_GPU, machine="aarch64"))
    assert check.fix.startswith("pip install tensorrt-cu13, with a driver for CUDA 13: ")
