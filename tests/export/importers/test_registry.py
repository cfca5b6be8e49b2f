"""Whether a file holds a graph or weights is told by its content; for a graph, torch is not needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.errors import CheckpointError
from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.export.importers.registry import trained_network

from .foreign_exports import IMAGENET
from .foreign_forms import bare
from .foreign_graphs import save


def test_a_missing_file_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no checkpoint"):
        trained_network(tmp_path / "missing.pth", ImportOptions())


def test_a_saved_model_is_told_by_its_file_and_by_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a model"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"\x08\x01\x12\x9e\xd0\x01" + bytes(100))
    for path in (folder, folder / "saved_model.pb"):
        with pytest.raises(CheckpointError, match=r"saved_model\.pb is a part of a SavedModel") as refused:
            trained_network(path, ImportOptions())
        assert f"python -m tf2onnx.convert --saved-model '{folder}' --output net.onnx" in refused.value.fix
    with pytest.raises(CheckpointError, match="is a folder; a checkpoint or an ONNX file was expected"):
        trained_network(tmp_path, ImportOptions())


@pytest.mark.parametrize("name", ["net.pth", "net.onnx", "net.safetensors"])
def test_failed_downloads_and_engines_are_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    for content, message in {
        b"\n<!DOCTYPE html>\n<html>": "is a web page, not the file itself",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n": "is a Git LFS pointer",
        b"\x1c\0\0\0TFL3" + bytes(40): "is a model of TensorFlow Lite",
    }.items():
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=message):
            trained_network(path, ImportOptions())


def test_a_checkpoint_under_the_name_of_a_graph_is_a_checkpoint(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    path = tmp_path / "net.onnx"
    path.write_bytes(b"PK\x03\x04" + bytes(50))
    with pytest.raises(CheckpointError, match="cannot be read as weights: it is a damaged zip archive"):
        trained_network(path, ImportOptions())


def test_a_graph_under_the_name_of_weights_is_a_graph(tmp_path: Path) -> None:
    found = trained_network(save(bare((64, 96)), tmp_path / "net.pth"), IMAGENET)
    assert (found.spec.family, found.spec.size) == ("onnx", (64, 96))
