from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fcn_edge.system.cuda_wheels import (
    nvrtc_package,
    onnxruntime_wheels,
    onnxruntime_wheels_for_any,
    tensorrt_wheel,
    wheels,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.mark.parametrize(("major", "extra", "limits"), [(12, "cuda12", ">=12.6,<13"), (13, "cuda", ">=13,<14")])
def test_a_drivers_extra_brings_a_compiler_of_its_cuda(major: int, extra: str, limits: str) -> None:
    assert wheels(major) == f"pip install 'fcn_edge[{extra}]'"
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert extras[extra] == [f"cuda-python{limits}", f"{nvrtc_package(major)}{limits}"]
    assert f"fcn_edge[{extra}]" in extras["gpu" if major == 13 else "gpu12"]


def test_a_new_driver_runs_programs_of_an_older_cuda_where_the_newest_lack_a_wheel() -> None:
    assert onnxruntime_wheels(13, "x86_64", (3, 10)) == onnxruntime_wheels(12, "x86_64", (3, 10))


def test_all_that_is_missing_is_told_at_once() -> None:
    command = onnxruntime_wheels(12, "aarch64", (3, 10))
    assert command.startswith("pip install 'fcn_edge[gpu]', with a driver for CUDA 13 and Python 3.11 or newer: ")


def test_drivers_older_than_every_wheel_are_too_old() -> None:
    for command in (wheels(11), onnxruntime_wheels(11, "x86_64", (3, 12)), tensorrt_wheel(11, "x86_64")):
        assert command.endswith(", with a driver for CUDA 12 or newer")


@pytest.mark.parametrize(
    ("machine", "python", "command"),
    [
        ("x86_64", (3, 12), "pip install 'fcn_edge[gpu]', or with a driver for CUDA 12: pip install 'fcn_edge[gpu12]'"),
        ("x86_64", (3, 10), "pip install 'fcn_edge[gpu12]'"),
        ("aarch64", (3, 12), onnxruntime_wheels(12, "aarch64", (3, 12))),
        ("aarch64", (3, 10), onnxruntime_wheels(12, "aarch64", (3, 10))),
    ],
)
def test_of_a_driver_that_was_not_asked_each_is_told_what_exists(
    machine: str, python: tuple[int, int], command: str
) -> None:
    assert onnxruntime_wheels_for_any(machine, python) == command
