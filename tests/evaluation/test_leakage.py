from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.artifacts.calibration_table import read_table
from fcn_edge.artifacts.models import resolved_model
from fcn_edge.artifacts.onnx_seal import SEAL_KEY
from fcn_edge.builder import BuildRequest, build_engine, write_typed_onnx
from fcn_edge.datasets import split_of
from fcn_edge.datasets.calibration import hashes
from fcn_edge.errors import DatasetError, ModelError
from fcn_edge.evaluation.leakage import calibration_images, refuse_calibration_images

pytestmark = pytest.mark.usefixtures("onnxruntime_alone", "quick_builds")


@pytest.fixture(scope="module")
def typed(levels: Any, table_of: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The INT8 graph of the levels model."""
    path = tmp_path_factory.mktemp("typed") / "m.onnx"
    request = BuildRequest(backend="onnxruntime", precision="int8", calibration=table_of(levels))
    write_typed_onnx(levels.path, request, path)
    return path


def test_float_models_and_engines_have_no_calibration_images(levels: Any, tmp_path: Path) -> None:
    assert calibration_images(resolved_model(levels.path)) == frozenset()
    build_engine(levels.path, BuildRequest(), output=tmp_path / "e")
    assert calibration_images(resolved_model(tmp_path / "e")) == frozenset()


def test_int8_graphs_and_engines_know_their_images(levels: Any, table_of: Any, typed: Path, tmp_path: Path) -> None:
    known = read_table(table_of(levels)).image_hashes
    assert len(known) == 6
    assert calibration_images(resolved_model(typed)) == known
    request = BuildRequest(precision="int8", calibration=table_of(levels))
    build_engine(levels.path, request, output=tmp_path / "e")
    build_engine(typed, BuildRequest(precision="int8"), output=tmp_path / "f")
    for engine in ("e", "f"):
        assert calibration_images(resolved_model(tmp_path / engine)) == known
    assert not (tmp_path / "f/calibration.json").exists()


def test_graph_that_does_not_say_it_properly_is_a_model_error(typed: Path, tmp_path: Path) -> None:
    import onnx

    model = onnx.load_model(typed)
    for entry in model.metadata_props:
        if entry.key == "fcn_edge.calibration":
            entry.value = '{"images": 5}'
        elif entry.key == SEAL_KEY:
            entry.key = "unsealed"
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(ModelError, match="does not say properly what it was calibrated on"):
        calibration_images(resolved_model(tmp_path / "m.onnx"))


def test_shared_images_are_refused_and_named(levels_train: Path, levels_val: Path, table_of: Any, levels: Any) -> None:
    known = read_table(table_of(levels)).image_hashes
    refuse_calibration_images(known, split_of(levels_val))
    with pytest.raises(DatasetError, match="6 of the 6 images of levels train") as caught:
        refuse_calibration_images(known, split_of(levels_train))
    assert "00, 01, 02, 03, 04 and 1 more" in caught.value.message


def test_one_shared_image_is_enough_whatever_it_is_called(
    levels_train: Path, levels_val: Path, table_of: Any, levels: Any, tmp_path: Path
) -> None:
    shutil.copytree(levels_val, tmp_path / "val")
    shutil.copyfile(levels_train / "images/03.png", tmp_path / "val/images/new.png")
    shutil.copyfile(levels_train / "labels/03.png", tmp_path / "val/labels/new.png")
    with pytest.raises(DatasetError, match=r"1 of the 9 images of levels val .*flatter: new\."):
        refuse_calibration_images(read_table(table_of(levels)).image_hashes, split_of(tmp_path / "val"))


def test_nothing_is_read_where_there_is_nothing_to_compare(levels_val: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: Path) -> str:
        pytest.fail(f"{path} was hashed")

    monkeypatch.setattr(hashes, "file_sha256", read)
    refuse_calibration_images(frozenset(), split_of(levels_val))
