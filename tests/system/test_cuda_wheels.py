from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fcn_edge.system.cuda_wheels import nvrtc_package, wheels

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
    assert not [one for one in extras["gpu"] if "cuda-" in one], "it goes with either"
