"""What stands in the place of a model and is none: the error says what it is, and what to do with it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fcn_edge.artifacts.caffemodel import caffemodel_weights
from fcn_edge.artifacts.checkpoint import checkpoint_header
from fcn_edge.artifacts.file_kinds import checkpoint_format, no_network
from fcn_edge.artifacts.inspection import inspection_of
from fcn_edge.artifacts.models import resolved_model
from fcn_edge.artifacts.weights import weights_of
from fcn_edge.errors import ArtifactError, CheckpointError, EngineError, ModelError

HTML = b"\xef\xbb\xbf\n<!doctype HTML>\n<html><head><title>Sign in</title>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
TFLITE = b"\x1c\0\0\0TFL3" + bytes(100)
SAFETENSORS = b"\x02\0\0\0\0\0\0\0{}"
ZIP = b"PK\x03\x04" + bytes(100)

READERS: tuple[Callable[[Path], object], ...] = (resolved_model, checkpoint_header, weights_of, caffemodel_weights)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("net.pth", ZIP),
        ("model_best.pth.tar", b"\x80\x02\x8a\x0al\xfc"),
        ("epoch=3.ckpt", ZIP),
        ("fcn8s-heavy-pascal.caffemodel", b"\n\x05fcn8s"),
        ("foreign.safetensors", SAFETENSORS),
        ("net.onnx", ZIP),
        ("net.h5", b"\x89HDF\r\n\x1a\n"),
        ("saved_model.pb", b"\x08\x01\x12\x9e"),
    ],
)
def test_a_checkpoint_in_the_place_of_a_model_is_sent_to_export(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    for read in (resolved_model, inspection_of):
        with pytest.raises(
            ArtifactError, match=r"is a trained network \(a (checkpoint|file of Ten).*\), not"
        ) as caught:
            read(str(path))
        output = "model.onnx" if name == "net.onnx" else "net.onnx"
        assert caught.value.fix == f"Make a model of it: fcn-edge export {path} -o {output}"


def test_a_saved_model_in_the_place_of_a_model_is_sent_to_export(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01\x12\x9e")
    with pytest.raises(ModelError, match=r"is a trained network \(a SavedModel of TensorFlow\), not yet a model"):
        resolved_model(tmp_path)


def test_a_directory_may_be_called_as_engines_are(tmp_path: Path) -> None:
    (tmp_path / "mine.engine").mkdir()
    with pytest.raises(EngineError, match=r"is not an engine: it has no engine\.json"):
        resolved_model(tmp_path / "mine.engine")


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("name", "content", "what", "fix"),
    [
        ("net", HTML, "a web page, not the file itself", "Download it again"),
        ("net", POINTER, "a Git LFS pointer, not the file itself", "Run git lfs pull"),
        ("net.engine", b"ftrt" + bytes(100), "an engine of TensorRT", "the ONNX file that it was built from"),
        ("net", TFLITE, "a model of TensorFlow Lite", "as an ONNX file"),
    ],
)
def test_files_that_hold_no_network_are_named(
    read: Callable[[Path], object], name: str, content: bytes, what: str, fix: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=f"is {what}") as caught:
        read(path)
    assert fix in caught.value.fix


def test_the_plan_of_an_engine_leads_to_its_directory(tmp_path: Path) -> None:
    (tmp_path / "engine.json").write_text("{}")
    (tmp_path / "model.plan").write_bytes(b"ftrt" + bytes(100))
    with pytest.raises(ModelError, match="is an engine of TensorRT") as caught:
        resolved_model(tmp_path / "model.plan")
    assert caught.value.fix == f"Give the directory of the engine: {tmp_path}"


@pytest.mark.parametrize(("name", "content"), [("photos.zip", ZIP), ("net.pth", b""), ("notes.txt", b"hello")])
def test_what_cannot_be_told_is_no_onnx_file(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ModelError, match="is not an ONNX file, or is cut off"):
        resolved_model(path)


def test_a_checkpoint_that_was_cut_off_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"\x64\0\0\0\0\0\0\0{")
    with pytest.raises(CheckpointError, match="is not a safetensors file, or is cut off") as caught:
        checkpoint_header(path)
    assert caught.value.fix == "Copy or download it again."


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "net.pth")
    assert (no_network(tmp_path / "net.pth", ModelError), checkpoint_format(tmp_path / "net.pth")) == (None, "")
