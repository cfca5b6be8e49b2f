from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.artifacts import models
from fcn_edge.artifacts.models import manifest_for, resolved_model, write_manifest
from fcn_edge.doctor.shipped import shipped


@pytest.fixture
def model(tmp_path: Path, tiny: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the one model of a zoo."""
    directory = tmp_path / "zoo" / "net"
    directory.mkdir(parents=True)
    shutil.copyfile(tiny.path, directory / "model.onnx")
    write_manifest(directory / "manifest.json", manifest_for(resolved_model(directory / "model.onnx"), {}))
    monkeypatch.setattr(models, "ZOO", tmp_path / "zoo")
    return directory


def test_a_whole_model(model: Path) -> None:
    (model.parent / "__pycache__").mkdir()
    (check,) = shipped()
    assert (check.name, check.ok, check.fix) == ("model net", True, "")
    assert check.found.startswith("whole, ")


def test_a_changed_model(model: Path) -> None:
    content = bytearray((model / "model.onnx").read_bytes())
    content[-100] ^= 1
    (model / "model.onnx").write_bytes(content)
    (check,) = shipped()
    assert not check.ok
    assert check.found
    assert check.fix


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json"])
def test_a_missing_file(model: Path, name: str) -> None:
    (model / name).unlink()
    (check,) = shipped()
    assert not check.ok
    assert name in check.found


def test_a_damaged_manifest(model: Path) -> None:
    (model / "manifest.json").write_text("{}")
    assert not shipped()[0].ok


def test_no_models(model: Path) -> None:
    shutil.rmtree(model)
    (check,) = shipped()
    assert not check.ok
    assert check.found == "none in this installation"
