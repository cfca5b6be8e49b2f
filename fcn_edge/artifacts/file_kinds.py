"""What a file is that is no model: told by its first bytes and its name, so that the error can say what to do with it.

Sources of the bytes:

* the first line of a pointer: Git LFS, ``docs/spec.md``
* ``TFL3``, the identifier of TensorFlow Lite's flatbuffers, behind their first four bytes: ``lite/schema/schema.fbs``
* pickle protocols 2 to 5: Python's ``pickletools``; HDF5's signature: its file format specification
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

from fcn_edge.artifacts.safetensors_header import begins_safetensors
from fcn_edge.errors import ArtifactError
from fcn_edge.text import quoted

__all__ = ["checkpoint_format", "no_network", "not_a_model", "to_be_exported"]

Error = TypeVar("Error", bound=ArtifactError)

_START_BYTES = 512

_WEB_PAGE = (b"<!doctype html", b"<html", b"<head", b"<?xml")
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_TFLITE = b"TFL3"
_ZIP, _HDF5 = b"PK", b"\x89HDF"
_PICKLES = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))

_ENGINES = frozenset({".engine", ".plan", ".trt"})
_CHECKPOINTS = frozenset({".pth", ".pt", ".ckpt", ".tar", ".safetensors", ".npz", ".caffemodel"})
_TENSORFLOW = frozenset({".pb", ".h5", ".keras"})


def no_network(path: Path, kind: type[Error]) -> Error | None:
    """The error for a file that holds no network that anything here could read; None for all others.

    Such are web pages and Git LFS pointers, as failed downloads leave them, engines of TensorRT, and models of
    TensorFlow Lite.

    Args:
        path: The file.
        kind: The class of the error.
    """
    start = _start_of(path)
    if start.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_WEB_PAGE):
        return kind(
            f"{path} is a web page, not the file itself.",
            "Download it again: the address must be that of the file, and may need a login.",
        )
    if start.startswith(_LFS_POINTER):
        return kind(
            f"{path} is a Git LFS pointer, not the file itself.",
            "Run git lfs pull in its repository, or download the file again from its page.",
        )
    if path.suffix.lower() in _ENGINES:
        fix = "Give the ONNX file that it was built from to fcn-edge export, and build an engine of what comes out."
        if path.with_name("engine.json").is_file():
            fix = f"Give the directory of the engine: {path.parent}"
        return kind(f"{path} is an engine of TensorRT, which fits one GPU and one version of TensorRT only.", fix)
    if start[4:8] == _TFLITE:
        return kind(
            f"{path} is a model of TensorFlow Lite, which is not read.",
            "Give the network that it was converted from, as an ONNX file that ends at its class scores, to fcn-edge "
            "export.",
        )
    return None


def checkpoint_format(path: Path) -> Literal["safetensors", "zip", "pickle", "HDF5", ""]:
    """The format by a file's first bytes, of those that trained weights are kept in; empty where it is none of them."""
    start = _start_of(path)
    if begins_safetensors(start):
        return "safetensors"
    if start.startswith(_ZIP) and path.suffix.lower() != ".zip":
        return "zip"
    if start.startswith(_PICKLES):
        return "pickle"
    return "HDF5" if start.startswith(_HDF5) else ""


def not_a_model(path: Path, kind: type[Error]) -> Error | None:
    """The error for what stands in the place of a model and is something else; None where that cannot be told.

    Args:
        path: The file, or the folder of a SavedModel.
        kind: The class of the error.
    """
    if (path / "saved_model.pb").is_file():
        return to_be_exported(path, "a SavedModel of TensorFlow", kind)
    if path.is_dir():
        return None
    if (error := no_network(path, kind)) is not None:
        return error
    suffix = path.suffix.lower()
    if checkpoint_format(path) or (suffix in _CHECKPOINTS | _TENSORFLOW and _start_of(path)):
        what = "a file of TensorFlow" if suffix in _TENSORFLOW else "a checkpoint"
        return to_be_exported(path, what, kind)
    return None


def to_be_exported(path: Path, what: str, kind: type[Error]) -> Error:
    """The error that says that a path leads to a trained network, and the command that makes a model of it.

    Args:
        path: The file or folder.
        what: What it is, such as "a checkpoint".
        kind: The class of the error.
    """
    output = "net.onnx" if path.name != "net.onnx" else "model.onnx"
    return kind(
        f"{path} is a trained network ({what}), not yet a model.",
        f"Make a model of it: fcn-edge export {quoted(path)} -o {output}",
    )


def _start_of(path: Path) -> bytes:
    """The first bytes of a file; none where it cannot be read, which its reader tells."""
    try:
        # a pipe would be waited for
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(_START_BYTES)
    except OSError:
        return b""
