from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.artifacts.engine_manifest import MANIFEST_FILE
from fcn_edge.artifacts.models import resolved_model
from fcn_edge.builder import Build
from fcn_edge.builder.target import Target, target_at
from fcn_edge.datasets import split_of
from fcn_edge.errors import ModelError

pytestmark = pytest.mark.usefixtures("onnxruntime_alone", "quick_builds")

MakeBuild = Callable[..., Build]


def test_target_knows_what_lies_there(levels_int8: Path, tmp_path: Path) -> None:
    there = target_at(levels_int8)
    assert (there.path, there.problem) == (levels_int8, None)
    assert there.manifest is not None
    assert there.manifest.precision == "int8"
    assert target_at(tmp_path / "none") == Target(tmp_path / "none")
    (tmp_path / MANIFEST_FILE).write_text("{}")
    damaged = target_at(tmp_path)
    assert damaged.manifest is None
    assert damaged.problem is not None


def test_build_reads_its_model_once(
    build: MakeBuild, loud: Any, table_of: Any, levels_val: Path, tmp_path: Path, reads: Any
) -> None:
    """Even one that searches for the layers to exclude, and so makes many graphs of it."""
    request = {"precision": "auto", "calibration": table_of(loud), "evaluation": split_of(levels_val)}
    reads.clear()  # the table may just have been made
    built = build(loud.path, tmp_path / "e", if_stale=True, **request)
    assert {name for name, _ in reads} == {"header", "digest", "manifest"}
    assert reads["header", loud.path] == reads["digest", None] == 1
    assert sum(count for (name, _), count in reads.items() if name == "header") == 1
    assert [count for (name, _), count in reads.items() if name == "manifest"] == [1], "of the new engine"
    assert built.manifest.calibration_digest is not None or built.manifest.precision == "fp32"


def test_build_looks_at_an_engine_once_and_again_before_it_replaces_it(
    build: MakeBuild, levels: Any, table_of: Any, tmp_path: Path, reads: Any
) -> None:
    table = table_of(levels)

    def looks(**request: Any) -> int:
        reads.clear()
        build(levels.path, tmp_path / "e", if_stale=True, calibration=table, **request)
        return int(reads["manifest", tmp_path / "e"])

    assert looks(precision="auto") == 0
    assert looks(precision="auto") == 1
    assert looks(precision="auto", size=(64, 64)) == 2


def test_model_that_is_open_is_built_as_it_is(build: MakeBuild, tiny: Any, tmp_path: Path, reads: Any) -> None:
    model = resolved_model(tiny.path)
    reads.clear()
    assert build(model, tmp_path / "e").manifest.model_digest == model.digest
    assert not any(name == "header" for name, _ in reads)


def test_model_that_changes_during_a_build_becomes_no_engine(
    build: MakeBuild, tiny: Any, tiny_network: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(tiny.path.read_bytes())

    def change(line: str) -> None:
        tiny_network(path, seed=7)

    with pytest.raises(ModelError, match=r"m\.onnx was changed or replaced while it was in use"):
        build(path, tmp_path / "e", tell=change)
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.onnx"]
