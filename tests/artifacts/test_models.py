from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.artifacts import models
from fcn_edge.artifacts.models import (
    Manifest,
    Model,
    manifest_for,
    manifest_of,
    resolved_model,
    shipped_models,
    write_manifest,
)
from fcn_edge.artifacts.onnx_graph import graph_of_onnx
from fcn_edge.artifacts.onnx_header import model_digest
from fcn_edge.artifacts.records import AccuracyRecord
from fcn_edge.errors import EngineError, ModelError, UsageError
from fcn_edge.io.documents import document_text

ACCURACY = AccuracyRecord(
    dataset="camvid",
    split="val",
    images=101,
    size=(64, 96),
    miou=0.71,
    pixel_accuracy=0.93,
    mean_accuracy=0.8,
    fw_iou=0.88,
    per_class={"sky": 0.9, "sign": None},
)


@pytest.fixture
def zoo(tmp_path: Path, tiny: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo of one model, ``shipped``."""
    directory = tmp_path / "zoo" / "shipped"
    directory.mkdir(parents=True)
    shutil.copyfile(tiny.path, directory / "model.onnx")
    manifest = manifest_for(resolved_model(directory / "model.onnx"), {"camvid/val": ACCURACY}, terms="Research use.")
    write_manifest(directory / "manifest.json", manifest)
    monkeypatch.setattr(models, "ZOO", tmp_path / "zoo")
    return directory


@pytest.mark.usefixtures("zoo")
def test_shipped_name_is_found() -> None:
    assert shipped_models() == ("shipped",)
    model = resolved_model("shipped")
    assert (model.kind, model.shipped, model.path.name) == ("onnx", "shipped", "model.onnx")


@pytest.mark.usefixtures("zoo")
def test_other_names_are_refused_with_a_list() -> None:
    for text in ("ship", "../zoo/shipped/model", "", "missing.onnx"):
        with pytest.raises((ModelError, EngineError)) as caught:
            resolved_model(text)
        assert caught.value.exit_code == 3
    with pytest.raises(ModelError, match="no model 'ship'") as caught:
        resolved_model("ship")
    assert "shipped" in caught.value.fix


def test_file_is_an_onnx_model(tiny: Any) -> None:
    model = resolved_model(str(tiny.path))
    assert (model.kind, model.path, model.spec, model.shipped) == ("onnx", tiny.path, tiny.spec, None)
    assert manifest_of(model) is None


def test_model_tells_of_its_file_what_the_readers_do(tiny: Any) -> None:
    model = resolved_model(tiny.path)
    assert model.digest == model_digest(tiny.path)
    assert model.graph == graph_of_onnx(tiny.path)
    assert model.quantization_record is None
    with model.opened() as file:
        assert file.read() == tiny.path.read_bytes()
    model.require_unchanged()
    assert resolved_model(model) is model
    assert model == resolved_model(str(tiny.path))


def test_model_is_read_once(tiny: Any, reads: Any) -> None:
    model = resolved_model(tiny.path)
    assert reads == {("header", tiny.path): 1}
    assert model.digest == model.digest
    assert model.graph is model.graph
    assert model.quantization_record is None
    assert reads == {("header", tiny.path): 1, ("digest", None): 1}


USES: dict[str, Callable[[Model], object]] = {
    "digest": lambda model: model.digest,
    "opened": lambda model: model.opened().__enter__(),
    "require_unchanged": Model.require_unchanged,
}


def rewritten(path: Path) -> None:
    path.write_bytes(path.read_bytes())
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def replaced(path: Path) -> None:
    status = path.stat()
    copy = path.with_suffix(".new")
    copy.write_bytes(path.read_bytes())
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
    copy.replace(path)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("change", [rewritten, replaced, cut_off])
@pytest.mark.parametrize("use", USES)
def test_file_that_changed_since_it_was_opened_is_an_error(
    tiny: Any, tmp_path: Path, change: Callable[[Path], None], use: str
) -> None:
    path = tmp_path / "m.onnx"
    shutil.copyfile(tiny.path, path)
    model, known = resolved_model(path), resolved_model(path)
    assert known.digest == model_digest(tiny.path)
    change(path)
    with pytest.raises(ModelError, match=r"m\.onnx was changed or replaced while it was in use") as caught:
        USES[use](model)
    assert caught.value.exit_code == 3
    assert known.digest == model_digest(tiny.path), "what was read stays"
    path.unlink()
    with pytest.raises(ModelError, match="no model file"):
        model.require_unchanged()


def test_engine_is_known_by_its_manifest(levels_int8: Path, levels: Any, reads: Any) -> None:
    model = resolved_model(levels_int8)
    assert model.kind == "engine"
    assert model.engine_manifest is not None
    assert model.spec == model.engine_manifest.spec
    assert model.digest == resolved_model(levels.path).digest
    assert reads["manifest", levels_int8] == 1
    for use in (lambda: model.graph, model.require_unchanged):
        with pytest.raises(UsageError, match="is an engine; an ONNX file was expected"):
            use()


@pytest.mark.usefixtures("zoo")
def test_table_ships_beside_the_model(zoo: Path, tiny: Any) -> None:
    assert resolved_model("shipped").table_path is None
    (zoo / "calibration.json").write_text("{}")
    assert resolved_model("shipped").table_path == zoo / "calibration.json"
    assert resolved_model(tiny.path).table_path is None


def test_directory_is_taken_for_an_engine(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="not an engine"):
        resolved_model(tmp_path)


@pytest.mark.usefixtures("zoo")
def test_manifest_of_a_shipped_model() -> None:
    model = resolved_model("shipped")
    manifest = manifest_of(model)
    assert manifest is not None
    assert manifest.name == model.spec.name
    assert manifest.size == model.spec.size
    assert manifest.accuracy["camvid/val"] == ACCURACY
    assert manifest.license == "Research use."


def test_accuracy_takes_what_evaluate_prints() -> None:
    pytest.importorskip("cv2")
    import numpy as np

    from fcn_edge.datasets import split_of
    from fcn_edge.evaluation.accuracy import evaluate
    from fcn_edge.testing.engine import FakeSession

    split = split_of("synthetic://street?frames=1&size=64x96")
    with FakeSession(scores=np.zeros((11, 8, 12), np.float32)) as session:
        printed = json.loads(json.dumps(evaluate(session, split).to_json()))
    record = AccuracyRecord.model_validate(printed)
    assert record.rendered
    assert record.images == 1
    assert record.miou == printed["miou"]


def test_manifest_with_keys_of_a_later_version_is_read(zoo: Path) -> None:
    path = zoo / "manifest.json"
    content = json.loads(path.read_text())
    path.write_text(document_text({**content, "energy_joules": 3, "accuracy": {}}))
    manifest = manifest_of(resolved_model("shipped"))
    assert manifest is not None
    assert manifest.accuracy == {}
    assert manifest.model_dump()["energy_joules"] == 3


@pytest.mark.parametrize("old", ["0.71", '"Research use."', '"model_sha256": "'])
def test_changed_manifest_is_refused(zoo: Path, old: str) -> None:
    path = zoo / "manifest.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, old.replace("7", "8").replace("R", "r").replace(': "', ': "0')))
    with pytest.raises(ModelError, match="does not match the digest"):
        manifest_of(resolved_model("shipped"))


def test_manifest_of_another_file_is_refused(zoo: Path, tiny_network: Callable[..., Any]) -> None:
    tiny_network(zoo / "model.onnx", seed=5)
    with pytest.raises(ModelError, match=r"model\.onnx was changed or damaged"):
        manifest_of(resolved_model("shipped"))


def test_manifest_must_be_there_and_valid(zoo: Path) -> None:
    (zoo / "manifest.json").write_text(document_text({"name": "x"}))
    with pytest.raises(ModelError, match="not valid: model_sha256"):
        manifest_of(resolved_model("shipped"))
    (zoo / "manifest.json").unlink()
    with pytest.raises(ModelError, match="no file"):
        manifest_of(resolved_model("shipped"))


def test_shares_are_fractions_of_one() -> None:
    with pytest.raises(ValueError, match="less than or equal to 1"):
        AccuracyRecord.model_validate({**ACCURACY.model_dump(), "miou": 71.0})


def test_manifest_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    manifest = Manifest(name="x", model_sha256="a", model_digest="b", size=(64, 96))
    write_manifest(tmp_path / "manifest.json", manifest)
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


@pytest.mark.parametrize("name", ["rtsp://user:secret@cam", "rtsp://user:my secret@cam/x", "user:secret@cam"])
def test_an_address_in_the_place_of_a_model_keeps_its_password(name: str) -> None:
    with pytest.raises(ModelError, match="There is no model") as caught:
        resolved_model(name)
    assert "secret" not in str(caught.value)
    assert "***@cam" in str(caught.value)


def test_a_damaged_shipped_model_is_refused_when_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeros in the middle of its weights leave a whole ONNX file, whose masks are wrong."""
    name = models.shipped_models()[0]
    shutil.copytree(models.ZOO / name, tmp_path / name)
    path = tmp_path / name / models.MODEL_FILE
    content = bytearray(path.read_bytes())
    monkeypatch.setattr(models, "ZOO", tmp_path)
    assert resolved_model(name).shipped == name
    content[2_000_000:2_100_000] = bytes(100_000)
    path.write_bytes(content)
    with pytest.raises(
        ModelError, match=r"was changed or damaged: its SHA-256 is not that of manifest\.json"
    ) as caught:
        resolved_model(name)
    assert caught.value.fix == "Install fcn_edge again."
