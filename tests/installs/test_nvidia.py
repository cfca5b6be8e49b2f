"""What docs/install.md says of NVIDIA GPUs can be installed, and what it says cannot be had cannot.

Resolved by uv from the stored copy of PyPI's metadata, so that it takes no network and gives the same every day.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import pytest

from fcn_edge.system.cuda_wheels import onnxruntime_wheels, tensorrt_wheel, wheels

pytest.importorskip("uv")

from . import rows, stored
from .resolution import MACHINES, NO_SET, PYTHONS, TARGETS, Target, UnresolvableError, resolve, versions
from .rows import Row

INSTALLED, MISSING = rows.installed(), rows.missing()
RIVALS = [
    {"opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"},
    {"onnxruntime", "onnxruntime-gpu"},
]
OF_CUDA = re.compile(r"nvidia-|tensorrt|cuda-")
WITH_MAJOR = {"cuda-python", "cuda-bindings", "nvidia-cuda-nvrtc", "nvidia-cuda-runtime", "nvidia-cublas"}
"""Packages whose own version begins with CUDA's, with or without a suffix."""


def each(table: Iterable[Row]) -> list[object]:
    return [pytest.param(row, target, id=f"{row.command} {target}") for row in table for target in row.targets]


def extra(command: str) -> str:
    """What a command installs of fcn_edge, from a clone or by name."""
    found = re.search(r"(?:\.|fcn_edge)\[([\w,]+)\]", command)
    return found[1] if found else ""


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options of uv, with which it knows the stored copy alone."""
    return stored.write_wheels(tmp_path_factory.mktemp("wheels"), stored.load())


@pytest.mark.parametrize(("row", "target"), each(INSTALLED))
def test_what_the_table_installs_is_there_and_of_one_cuda(row: Row, target: Target, copy: list[str]) -> None:
    chosen = versions(resolve(row.command, target, *copy))
    of_cuda = {name for name in chosen if OF_CUDA.match(name)}
    suffixes = {found[1] for name in of_cuda if (found := re.search(r"-cu(\d+)\b", name))}
    assert suffixes <= {str(row.cuda)}, f"a driver for CUDA {row.cuda} gets {sorted(of_cuda)}"
    plain = {name for name in of_cuda if name.startswith("nvidia-") and "-cu" not in name.removeprefix("nvidia-cu")}
    assert row.cuda == 13 or not plain, f"without a suffix they are for CUDA 13: {sorted(plain)}"
    majors = {name: chosen[name].split(".")[0] for name in of_cuda if re.sub(r"-cu\d+$", "", name) in WITH_MAJOR}
    assert {"cuda-python", "cuda-bindings"} <= majors.keys()
    assert set(majors.values()) == {str(row.cuda)}, majors
    assert any(name.startswith("nvidia-cuda-nvrtc") for name in chosen)
    assert ("onnxruntime-gpu" in chosen) == any(name.startswith("nvidia-cudnn-") for name in chosen)
    for rivals in RIVALS:
        assert len(rivals & chosen.keys()) == 1, sorted(rivals & chosen.keys())


@pytest.mark.parametrize(("row", "target"), each(MISSING))
def test_what_is_said_not_to_exist_does_not(row: Row, target: Target, copy: list[str]) -> None:
    with pytest.raises(UnresolvableError, match=rf"{NO_SET}.* (onnxruntime-gpu|tensorrt-rtx-cu12)"):
        resolve(row.command, target, *copy)


@pytest.mark.parametrize("package", ["nvidia-cudnn-cu12", "onnxruntime-gpu", "tensorrt-cu13-bindings"])
def test_a_package_that_goes_from_pypi_is_missed(package: str, tmp_path: Path) -> None:
    """The tests above are no better than a resolver that can say no."""
    registry = stored.load()
    registry["packages"] = {name: kept for name, kept in registry["packages"].items() if not name.startswith(package)}
    options = stored.write_wheels(tmp_path, registry)
    extras = {"nvidia-cudnn-cu12": "gpu12", "onnxruntime-gpu": "gpu", "tensorrt-cu13-bindings": "cuda,tensorrt"}
    with pytest.raises(UnresolvableError, match=f"{NO_SET}.* {package}"):
        resolve(f"pip install '.[{extras[package]}]'", Target("x86_64", "3.12"), *options)


@pytest.mark.parametrize("command", sorted({row.command for row in MISSING}))
def test_of_what_exists_in_part_every_combination_is_spoken_of(command: str) -> None:
    there = [target for row in INSTALLED if row.command == command for target in row.targets]
    not_there = [target for row in MISSING if row.command == command for target in row.targets]
    assert sorted(map(str, there + not_there)) == sorted(map(str, TARGETS))


@pytest.mark.parametrize(("cuda", "machine", "python"), list(product((12, 13), MACHINES, PYTHONS)))
def test_the_doctor_names_what_the_table_has(cuda: int, machine: str, python: str) -> None:
    target, minor = Target(machine, python), (3, int(python.partition(".")[2]))
    command, _, before = onnxruntime_wheels(cuda, machine, minor).partition(", with ")
    there = {extra(row.command) for row in INSTALLED if target in row.targets}
    assert (extra(command) in there) == ("Python" not in before)
    asked = {"gpu": 13, "gpu12": 12}
    assert asked[extra(command)] <= cuda or "driver" in before
    assert any(extra(wheels(cuda)) in extra(row.command).split(",") for row in INSTALLED if row.cuda == cuda)

    package, _, before = tensorrt_wheel(cuda, machine).removeprefix("pip install ").partition(", with ")
    there_as = {"tensorrt-cu13": "cpu,convert,cuda,tensorrt", "tensorrt-cu12": "cpu,convert,cuda12"}
    assert there_as[package] in there
    assert int(package[-2:]) <= cuda or "driver" in before


def test_a_board_gets_the_compiler_of_the_oldest_driver_that_its_jetpack_has(tmp_path: Path) -> None:
    """A driver refuses the code of a newer CUDA's compiler, and how new a minor version may be only it can tell."""
    expected = {"jetson6": ("nvidia-cuda-nvrtc-cu12", "12.6."), "jetson7": ("nvidia-cuda-nvrtc", "13.0.")}
    registry = stored.load()
    for newer in ("nvidia-cuda-nvrtc-cu12==12.9.86", "nvidia-cuda-nvrtc==13.5.37"):  # which the copy need not hold
        registry["packages"][newer] = {"python": "", "requires": [], "wheels": [stored.ANY_MACHINE]}
    copy = stored.write_wheels(tmp_path, registry)
    boards = [row for row in INSTALLED if extra(row.command) in expected]
    assert {extra(row.command) for row in boards} == expected.keys()
    for row in boards:
        name, start = expected[extra(row.command)]
        assert versions(resolve(row.command, row.targets[0], *copy))[name].startswith(start)


def test_the_page_says_when_it_was_resolved() -> None:
    assert f"resolved with uv against PyPI on {stored.load()['date']}," in rows.TEXT
    assert f"for Python {PYTHONS[0]} to {PYTHONS[-1]}." in rows.TEXT
