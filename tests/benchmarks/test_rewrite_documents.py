from __future__ import annotations

import json
import shutil
from pathlib import Path

import onnx
import pytest

from benchmarks.rewrite_documents import new_content, rewrite, shipped_documents
from fcn_edge.artifacts import migrations
from fcn_edge.artifacts.calibration_table import read_table
from fcn_edge.artifacts.onnx_header import model_digest, spec_of_onnx
from fcn_edge.artifacts.quantization_record import quantization_record_of_onnx
from fcn_edge.datasets.calibration.manifest import image_manifest
from fcn_edge.errors import ArtifactError
from fcn_edge.io.files import sha256_of

SAMPLES = Path(__file__).parent.parent / "artifacts" / "samples"
NAMES = ("model.onnx", "int8.onnx", "table.json", "image-manifest.json", "zoo-manifest.json")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Documents of schema 1."""
    shutil.copytree(SAMPLES / "schema1", tmp_path / "old")
    return tmp_path / "old"


@pytest.mark.parametrize("name", NAMES)
def test_old_documents_become_new_ones_once(old: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = old / name
    assert rewrite(path)
    written = path.read_bytes()
    monkeypatch.setattr(migrations, "__version__", "0.1.1")
    assert not rewrite(path)
    assert path.read_bytes() == written
    assert sorted(file.name for file in old.iterdir()) == sorted(file.name for file in (SAMPLES / "schema1").iterdir())


@pytest.mark.parametrize("name", ["model.onnx", "int8.onnx"])
def test_graph_and_weights_stay_to_the_byte(old: Path, name: str) -> None:
    before, path = SAMPLES / "schema1" / name, old / name
    rewrite(path)
    assert model_digest(path) == model_digest(before)
    assert spec_of_onnx(path) == spec_of_onnx(before)
    assert quantization_record_of_onnx(path) == quantization_record_of_onnx(before)
    was, now = onnx.load(before), onnx.load(path)
    assert {entry.key: json.loads(entry.value)["schema_version"] for entry in now.metadata_props} == dict.fromkeys(
        (entry.key for entry in was.metadata_props), 2
    )
    for model in (was, now):
        del model.metadata_props[:]
    assert now.SerializeToString(deterministic=True) == was.SerializeToString(deterministic=True)


def test_table_says_the_same_under_a_digest_of_its_own(old: Path) -> None:
    before = read_table(old / "table.json")
    rewrite(old / "table.json")
    after = read_table(old / "table.json")
    assert after.model_dump() == before.model_dump()
    assert after.digest == json.loads((old / "table.json").read_text())["digest"] != before.digest


def test_manifests(old: Path) -> None:
    before = image_manifest(old / "image-manifest.json")
    rewrite(old / "image-manifest.json")
    assert image_manifest(old / "image-manifest.json") == before
    rewrite(old / "model.onnx")
    rewrite(old / "zoo-manifest.json")
    content = json.loads((old / "zoo-manifest.json").read_text())
    assert content["model_sha256"] == sha256_of(old / "model.onnx")
    assert content["license"] == "Anything."


def test_other_files_are_refused(old: Path) -> None:
    (old / "other.json").write_text("{}")
    for name in ("other.json", "engine/engine.json"):
        with pytest.raises(ArtifactError):
            rewrite(old / name)


def test_what_ships_is_up_to_date() -> None:
    documents = shipped_documents()
    assert len(documents) >= 3 * 3 + 1
    assert [path for path in documents if new_content(path) is not None] == []
