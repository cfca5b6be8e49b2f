from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fcn_edge.artifacts import models
from fcn_edge.artifacts.calibration_table import read_table
from fcn_edge.artifacts.models import Model, resolved_model
from fcn_edge.builder import BuildRequest
from fcn_edge.builder.calibration import table_for
from fcn_edge.errors import TableError, UsageError
from fcn_edge.testing.engine import fake_spec


@pytest.fixture
def shipped(levels: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The levels model as a shipped one, without a table."""
    monkeypatch.setattr(models, "ZOO", tmp_path)
    directory = tmp_path / "levels"
    directory.mkdir()
    path = directory / "model.onnx"
    path.write_bytes(levels.path.read_bytes())
    models.write_manifest(directory / "manifest.json", models.manifest_for(resolved_model(path), {}))
    return directory


def test_table_that_is_given_is_read(levels: Any, table_of: Any) -> None:
    request = BuildRequest(precision="int8", calibration=table_of(levels))
    assert table_for(resolved_model(levels.path), request) == read_table(table_of(levels))


@pytest.mark.parametrize("precision", ["fp32", "fp16", "auto"])
def test_none_is_needed_where_int8_is_not_asked_for(levels: Any, precision: str) -> None:
    assert table_for(resolved_model(levels.path), BuildRequest(precision=precision)) is None


def test_int8_needs_one_and_is_told_how_to_make_it(levels: Any) -> None:
    with pytest.raises(TableError, match="INT8 needs a calibration table") as caught:
        table_for(resolved_model(levels.path), BuildRequest(precision="int8"))
    assert f"fcn-edge calibrate {levels.path} --images DIR -o table.json" in caught.value.fix


def test_shipped_model_brings_its_own(shipped: Path, levels: Any, table_of: Any) -> None:
    with pytest.raises(TableError, match="and levels has none"):
        table_for(resolved_model("levels"), BuildRequest(precision="int8"))
    (shipped / "calibration.json").write_bytes(table_of(levels).read_bytes())
    for precision in ("int8", "auto", "fp16"):
        assert table_for(resolved_model("levels"), BuildRequest(precision=precision)) == read_table(table_of(levels))


def test_damaged_table_does_not_matter_to_fp32(shipped: Path) -> None:
    (shipped / "calibration.json").write_text("{}")
    assert table_for(resolved_model("levels"), BuildRequest()) is None
    with pytest.raises(TableError):
        table_for(resolved_model("levels"), BuildRequest(precision="auto"))


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8", "auto"])
def test_table_of_another_model_is_refused(levels: Any, loud: Any, table_of: Any, precision: str) -> None:
    with pytest.raises(TableError, match="calibration table of another model"):
        table_for(resolved_model(levels.path), BuildRequest(precision=precision, calibration=table_of(loud)))


def test_table_that_is_not_there_is_refused(levels: Any, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no file"):
        table_for(resolved_model(levels.path), BuildRequest(precision="int8", calibration=tmp_path / "none.json"))


@pytest.mark.parametrize("spec", [{"precision": "fp16"}, {"precision": "int8", "profile": "openvino"}])
def test_typed_model_takes_none(spec: dict[str, str], tmp_path: Path) -> None:
    model = Model("onnx", tmp_path / "m.onnx", fake_spec(**spec))
    assert table_for(model, BuildRequest(precision=spec["precision"])) is None
    with pytest.raises(UsageError, match="graph already"):
        table_for(model, BuildRequest(precision=spec["precision"], calibration=tmp_path / "table.json"))
