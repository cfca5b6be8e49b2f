"""Which functions of the driver the package may not call."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import fcn_edge.backends.cuda

NEWER = re.compile(r"cu(LaunchHostFunc|GraphAddNode|GraphNodeSetParams|Multicast)")
"""Functions whose newest version a driver for CUDA 13.0 lacks: bindings of CUDA 13.4 and later call that version, and
raise for it there. The versions with ``_v2`` and the like count, too."""

MODULES = sorted(Path(fcn_edge.backends.cuda.__file__).parent.rglob("*.py"))


def newer_functions(source: str) -> list[str]:
    """Names in code, as names, attributes or whole strings, that begin like one of those functions."""
    found = []
    for node in ast.walk(ast.parse(source)):
        name = getattr(node, "id", getattr(node, "attr", getattr(node, "value", None)))
        if isinstance(name, str) and NEWER.match(name):
            found.append(name)
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_no_function_is_newer_than_the_oldest_driver_of_its_bindings(module: Path) -> None:
    assert newer_functions(module.read_text(encoding="utf-8")) == []


def test_such_functions_are_found_wherever_they_stand() -> None:
    source = "self._call('cuLaunchHostFunc', 1)\ncu.cuGraphAddNode_v2(1)\ncuMulticastCreate\ncu.cuGraphLaunch(1)"
    assert sorted(newer_functions(source)) == ["cuGraphAddNode_v2", "cuLaunchHostFunc", "cuMulticastCreate"]
    assert any("cuGraphLaunch" in path.read_text(encoding="utf-8") for path in MODULES)
