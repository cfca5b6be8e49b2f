from __future__ import annotations

import json
from pathlib import Path

import pytest

from fcn_edge.doctor.shipped import shipped
from fcn_edge.files import sha256_of


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """A model of two files with its manifest."""
    model = tmp_path / "zoo" / "net"
    model.mkdir(parents=True)
    (model / "model.onnx").write_bytes(b"x" * 2_000_000)
    (model / "calibration.json").write_text("{}")
    files = {name: sha256_of(model / name) for name in ("model.onnx", "calibration.json")}
    (model / "manifest.json").write_text(json.dumps({"files": files, "miou": 0.7}))
    return tmp_path / "zoo"


def test_whole_models(zoo: Path) -> None:
    (zoo / "__pycache__").mkdir()
    (check,) = shipped(zoo)
    assert (check.name, check.ok, check.found) == ("model net", True, "whole, 2.0 MB")


def test_a_changed_file(zoo: Path) -> None:
    (zoo / "net/calibration.json").write_text("{} ")
    (check,) = shipped(zoo)
    assert not check.ok
    assert check.found == "calibration.json has changed since it was published"
    assert check.fix


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"files": {"calibration.json": "0"}}', '{"files": 3}'])
def test_a_damaged_manifest(zoo: Path, content: str) -> None:
    (zoo / "net/manifest.json").write_text(content)
    (check,) = shipped(zoo)
    assert not check.ok
    assert check.found.startswith("cannot be read: ")


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json"])
def test_a_missing_file(zoo: Path, name: str) -> None:
    (zoo / "net" / name).unlink()
    assert not shipped(zoo)[0].ok


def test_no_models(tmp_path: Path) -> None:
    (check,) = shipped(tmp_path)
    assert not check.ok
    assert check.found == "none in this installation"
