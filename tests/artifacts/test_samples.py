"""What earlier versions wrote is read, says the same, and is bound to the same things."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fcn_edge.artifacts import models
from fcn_edge.artifacts.calibration_table import TABLE_KEY, CalibrationTable, read_table, write_table
from fcn_edge.artifacts.checkpoint import checkpoint_header
from fcn_edge.artifacts.engine_manifest import EngineManifest, read_manifest, verify_engine, write_manifest
from fcn_edge.artifacts.geometry import Geometry
from fcn_edge.artifacts.models import Manifest, manifest_of, resolved_model
from fcn_edge.artifacts.onnx_header import SPEC_KEY, metadata_of_onnx, model_digest, spec_of_onnx
from fcn_edge.artifacts.quantization_record import quantization_record_of_onnx
from fcn_edge.artifacts.spec import ModelSpec, Normalization, Resize
from fcn_edge.cli.main import main
from fcn_edge.datasets.calibration.manifest import image_manifest
from fcn_edge.errors import ArtifactError, FcnEdgeError
from fcn_edge.evaluation.leakage import calibration_images
from fcn_edge.io.documents import document_text, read_document
from fcn_edge.testing.engine import fake_spec

from ..tiny_network import write_tiny_network

SAMPLES = Path(__file__).parent / "samples"

LEVELS = "4dfb35303c3cbe43bf489bbc90b138d0a303b741a9f37b64710f1bd17405be7f"
LOUD = "a9218e6d64bbb48e045817663887c63c308a0f6e0ac7af5c103f0b8918a45678"
INT8_LEVELS = "20739c7e6b367eea760d4f8a7fe0456cd8cfc3a88ba0db49eb1b6ac109e6a39a"
TABLES = {
    1: "d89772ecdfba477884bb94b962b44df5c493a6d7e02bdff724610fcec4c4cd98",
    2: "3a432369036fb5df94cc4fdae77eca32ab3964029c493afcc7d54f296ec69f90",
}
ENGINE_TABLES = {
    1: "1717e74dc2a64263644ee72ed8b0a9701a367211b51a12d245a85c727d1f3978",
    2: "8df9a42736759a72a0eb7bb85737e59a36c892f672951055cdd9ed0f1dbc87ac",
}


@pytest.fixture(params=sorted(TABLES), ids=lambda number: f"schema {number}")
def schema(request: pytest.FixtureRequest) -> int:
    """A version that there are samples of."""
    number: int = request.param
    return number


@pytest.fixture
def samples(schema: int) -> Path:
    """The samples of a version."""
    return SAMPLES / f"schema{schema}"


def yard() -> ModelSpec:
    return fake_spec(
        name="yard",
        encoder="mobilenet_v2",
        decoder="fcn16s",
        stride=16,
        size=(96, 160),
        resize=Resize(policy="roi", roi=(0.25, 0.0, 1.0, 1.0)),
        normalization=Normalization(color_order="bgr", mean=(103.9, 116.8, 123.7), std=(1.0, 2.0, 3.0)),
        provenance={
            "checkpoint_sha256": "a" * 64,
            "trained_on": ("yard train",),
            "recipe": ("fcn16s: 3 epochs",),
            "tools": {"torch": "2.13.0"},
        },
    )


def test_there_are_samples_of_every_version(schema: int) -> None:
    content = json.loads((SAMPLES / f"schema{schema}" / "spec.json").read_text())
    assert content["schema_version"] == schema
    assert len(TABLES) == len(ModelSpec.MIGRATIONS) + 1


def test_spec_and_checkpoint(samples: Path) -> None:
    spec = ModelSpec.from_json((samples / "spec.json").read_text())
    assert spec == yard()
    assert (spec.family, spec.geometry) == ("fcn_edge", Geometry())
    assert checkpoint_header(samples / "checkpoint.safetensors").spec == yard()


def test_models(samples: Path, schema: int) -> None:
    assert spec_of_onnx(samples / "model.onnx") == fake_spec(name="levels")
    assert model_digest(samples / "model.onnx") == LEVELS
    assert spec_of_onnx(samples / "int8.onnx") == fake_spec(name="levels", precision="int8", profile="onnxruntime")
    assert model_digest(samples / "int8.onnx") == INT8_LEVELS
    record = quantization_record_of_onnx(samples / "int8.onnx")
    assert record is not None
    assert (record.method, record.excluded_layers) == ("mse", ("decoder.score8",))
    assert (record.table, record.model) == (TABLES[schema], LEVELS)
    assert set(record.images) == read_table(samples / "table.json").image_hashes
    assert record.int8_share == pytest.approx(7168 / 7520)
    assert calibration_images(resolved_model(samples / "int8.onnx")) == frozenset(record.images)


def test_table_keeps_the_digest_that_its_graphs_are_bound_to(samples: Path, schema: int, tmp_path: Path) -> None:
    table = read_table(samples / "table.json")
    assert table.digest == TABLES[schema]
    assert (table.model, table.model_digest, table.size) == ("levels", LEVELS, (64, 96))
    assert table.normalization == Normalization()
    assert table.choices["onnxruntime"].excluded_layers == ("decoder.score8",)
    assert (table.choices["tensorrt"].method, table.choices["tensorrt"].excluded_layers) == ("minmax", ())
    assert len(table.images) == 6
    table.require_for("table.json", model_digest(samples / "model.onnx"), spec_of_onnx(samples / "model.onnx"))
    write_table(tmp_path / "copy.json", table)
    assert (tmp_path / "copy.json").read_bytes() == (samples / "table.json").read_bytes()


def test_table_that_is_changed_is_written_in_the_current_version(samples: Path, tmp_path: Path) -> None:
    table = read_table(samples / "table.json").model_copy(update={"choices": {}})
    write_table(tmp_path / "changed.json", table)
    content = json.loads((tmp_path / "changed.json").read_text())
    assert content["schema_version"] == len(TABLES)
    assert content["digest"] == table.digest == read_table(tmp_path / "changed.json").digest
    assert table.digest not in TABLES.values()


def test_table_of_every_version_says_the_same() -> None:
    old, new = (read_table(SAMPLES / f"schema{number}" / "table.json").model_dump() for number in (1, 2))
    assert old == new


def test_engine(samples: Path, schema: int, tmp_path: Path) -> None:
    engine = samples / "engine"
    manifest = read_manifest(engine)
    verify_engine(engine, manifest)
    assert manifest.spec == fake_spec(name="loud", precision="int8", profile="onnxruntime")
    assert (manifest.plan_file, manifest.backend, manifest.precision) == ("model.onnx", "onnxruntime", "int8")
    assert manifest.model_digest == LOUD
    assert manifest.notes["excluded_layers"] == ["encoder.features.1.0"]
    assert manifest.notes["excluded_groups"] == ["encoder.features.1"]
    assert not {"floats", "float_groups"} & set(manifest.notes)
    assert manifest.accuracy is not None
    assert manifest.accuracy.miou == 1.0
    table = read_table(engine / "calibration.json")
    assert table.digest == ENGINE_TABLES[schema] == manifest.calibration_digest == manifest.options["calibration"]
    assert calibration_images(resolved_model(engine)) == table.image_hashes
    shutil.copytree(engine, tmp_path / "engine")
    write_manifest(tmp_path / "engine", manifest)
    content = json.loads((tmp_path / "engine" / "engine.json").read_text())
    assert (content["schema_version"], content["spec"]["schema_version"]) == (2, 2)
    assert "plan" not in content
    assert read_manifest(tmp_path / "engine") == manifest


def test_manifest_of_a_shipped_model(samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "levels").mkdir()
    shutil.copyfile(samples / "model.onnx", tmp_path / "levels" / "model.onnx")
    shutil.copyfile(samples / "zoo-manifest.json", tmp_path / "levels" / "manifest.json")
    monkeypatch.setattr(models, "ZOO", tmp_path)
    manifest = manifest_of(resolved_model("levels"))
    assert manifest is not None
    assert (manifest.name, manifest.model_digest, manifest.license) == ("levels", LEVELS, "Anything.")
    assert manifest.accuracy["levels val"].images == 8
    assert "licence" not in manifest.model_dump()


def test_image_manifest(samples: Path) -> None:
    manifest = image_manifest(samples / "image-manifest.json")
    assert (manifest.name, manifest.split, len(manifest.images)) == ("levels", "train", 6)
    assert {image.sha256 for image in manifest.images} == read_table(samples / "table.json").image_hashes


def rewritten_as_newer(path: Path) -> None:
    content = read_document(path, ArtifactError, "")
    path.write_text(document_text({**content, "schema_version": 3, "written_by": "7.0.0"}))


SEALED: dict[str, Callable[[Path], object]] = {
    "table.json": read_table,
    "image-manifest.json": image_manifest,
    "engine/engine.json": lambda path: read_manifest(path.parent),
    "engine/calibration.json": lambda path: calibration_images(resolved_model(path.parent)),
}


@pytest.mark.parametrize("name", SEALED)
def test_newer_document_is_refused_by_name(name: str, tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "schema2", tmp_path / "samples")
    path = tmp_path / "samples" / name
    rewritten_as_newer(path)
    with pytest.raises(ArtifactError) as caught:
        SEALED[name](path)
    check_refusal(caught.value, str(path))


def test_newer_manifest_of_a_shipped_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "levels").mkdir()
    shutil.copyfile(SAMPLES / "schema2" / "model.onnx", tmp_path / "levels" / "model.onnx")
    path = tmp_path / "levels" / "manifest.json"
    shutil.copyfile(SAMPLES / "schema2" / "zoo-manifest.json", path)
    rewritten_as_newer(path)
    monkeypatch.setattr(models, "ZOO", tmp_path)
    with pytest.raises(ArtifactError) as caught:
        manifest_of(resolved_model("levels"))
    check_refusal(caught.value, str(path))


def test_newer_metadata_of_a_model_is_refused(tmp_path: Path) -> None:
    newer = {"schema_version": 3, "written_by": "7.0.0"}
    texts = metadata_of_onnx(SAMPLES / "schema2" / "int8.onnx")
    for key, read in ((SPEC_KEY, spec_of_onnx), (TABLE_KEY, quantization_record_of_onnx)):
        path = tmp_path / "model.onnx"
        changed = {**texts, key: json.dumps({**json.loads(texts[key]), **newer})}
        write_tiny_network(path, metadata=changed)
        with pytest.raises(ArtifactError) as caught:
            read(path)
        check_refusal(caught.value, "The model's spec" if key == SPEC_KEY else f"What {path} says of its calibration")


def check_refusal(error: FcnEdgeError, name: str) -> None:
    assert error.message.startswith(f"{name} was written by a newer fcn_edge (schema 3); this one, ")
    assert error.message.endswith(", reads up to 2.")
    assert error.fix == "Install fcn_edge 7.0.0 or newer: pip install --upgrade 'fcn_edge>=7.0.0'"
    assert error.exit_code == 3


def test_newer_engine_on_the_command_line(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "schema2" / "engine", tmp_path / "engine")
    rewritten_as_newer(tmp_path / "engine" / "engine.json")
    done = CliRunner().invoke(main, ["inspect", str(tmp_path / "engine"), "--json"])
    assert done.exit_code == 3
    printed = json.loads(done.stdout)
    assert "newer fcn_edge (schema 3)" in printed["error"]
    assert "pip install --upgrade 'fcn_edge>=7.0.0'" in printed["fix"]


@pytest.mark.parametrize("kind", [ModelSpec, EngineManifest, Manifest])
def test_documents_that_are_copied_in_code_are_of_the_current_version(kind: Any) -> None:
    assert len(kind.MIGRATIONS) + 1 == len(TABLES)


def test_engine_of_an_unchanged_old_table_is_not_stale(
    levels: Any, quick_builds: dict[str, float], onnxruntime_alone: None, tmp_path: Path
) -> None:
    from fcn_edge.builder import BuildRequest, build_engine

    table = tmp_path / "table.json"
    shutil.copyfile(SAMPLES / "schema1" / "table.json", table)
    request = BuildRequest(backend="onnxruntime", precision="int8", calibration=table)
    first = build_engine(levels.path, request, output=tmp_path / "engine")
    assert first.manifest.calibration_digest == TABLES[1]
    for calibration in (table, tmp_path / "engine" / "calibration.json"):
        request = BuildRequest(backend="onnxruntime", precision="int8", calibration=calibration)
        assert build_engine(levels.path, request, output=tmp_path / "engine", if_stale=True).up_to_date


def with_an_unknown_key(content: Any, path: tuple[str | int, ...]) -> Any:
    """A copy with one key more in the object that a path leads to."""
    copied = json.loads(json.dumps(content))
    part = copied
    for step in path:
        part = part[step]
    part["added_tomorrow"] = 1
    return copied


def objects_in(content: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Paths to the objects of a document whose keys are fields, down to where keys are names."""
    if isinstance(content, dict):
        yield path
        for key, value in content.items():
            if key not in ("tools", "options", "notes", "per_class"):
                inner = isinstance(value, dict) and key in ("files", "tensors", "choices")
                yield from (
                    (found for name, one in value.items() for found in objects_in(one, (*path, key, name)))
                    if inner
                    else objects_in(value, (*path, key))
                )
    elif isinstance(content, list) and content:
        yield from objects_in(content[0], (*path, 0))


@pytest.mark.parametrize(("kind", "name"), [(EngineManifest, "engine/engine.json"), (CalibrationTable, "table.json")])
def test_a_field_added_tomorrow_leaves_documents_readable_at_every_depth(kind: Any, name: str) -> None:
    content = json.loads((SAMPLES / "schema2" / name).read_text())
    del content["digest"]
    as_it_is = kind.from_content(content, name, ArtifactError)
    paths = list(objects_in(content))
    assert len(paths) > 5
    for path in paths:
        newer = {**with_an_unknown_key(content, path), "written_by": "99.0.0"}
        if "spec" in path:
            newer["spec"]["written_by"] = "99.0.0"
        assert kind.from_content(newer, name, ArtifactError) == as_it_is, path
