"""The lines of the GPU check."""

from __future__ import annotations

import json
from importlib import import_module
from types import ModuleType

import pytest


def test_a_line_is_strict_json(gpu_check: ModuleType) -> None:
    def refused(word: str) -> None:
        pytest.fail(f"{word} is no JSON")

    row = {"rows": [{"ms": float("nan"), "least": (1.5, float("inf"))}], "agree": True, "of": "nan"}
    line = import_module("gpu.report").as_json(row)
    assert json.loads(line, parse_constant=refused) == {
        "rows": [{"ms": None, "least": [1.5, None]}],
        "agree": True,
        "of": "nan",
    }
