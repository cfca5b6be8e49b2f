"""``weights_of``: a weights file by what is in it, whatever it is called."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import BinaryIO

from fcn_edge.artifacts.file_kinds import no_network
from fcn_edge.artifacts.names import shown
from fcn_edge.artifacts.safetensors_header import begins_safetensors
from fcn_edge.artifacts.weights.damage import DamagedError
from fcn_edge.artifacts.weights.inert import HostilePickleError
from fcn_edge.artifacts.weights.npz import read_npz
from fcn_edge.artifacts.weights.safetensors import read_safetensors
from fcn_edge.artifacts.weights.tensors import Weights
from fcn_edge.artifacts.weights.torch_legacy import read_torch_legacy
from fcn_edge.artifacts.weights.torch_zip import entries_of, read_torch_zip
from fcn_edge.errors import CheckpointError

__all__ = ["weights_of", "zip_members"]

_START_BYTES = 512
_ZIP, _PICKLE, _HDF5, _GZIP = b"PK", b"\x80", b"\x89HDF", b"\x1f\x8b"
_TAR_MAGIC = slice(257, 262)

_READABLE = "PyTorch checkpoints, .safetensors and .npz files can be read."


def weights_of(path: Path) -> Weights:
    """The tensors of a weights file, read when asked for, and what is beside them; nothing that it names is run.

    The format is told by content: what ``torch.save`` writes and wrote before version 1.6, safetensors, ``.npz``. A
    checkpoint may hold a state_dict, have one under one of the usual keys, or be a pickled network, whose classes
    need not be installed; or it is a list with one of these.

    Raises:
        CheckpointError: The file is missing, damaged, of another format, or was made to do harm.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no weights file {path}.", "Check the path.")
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            # what Python says of strange escapes in a damaged file helps nobody
            warnings.simplefilter("ignore")
            return _read(path, file)
    except HostilePickleError as error:
        raise CheckpointError(
            f"{path} calls {shown(error.name)} when it is opened the usual way, which no checkpoint needs: it was "
            "made to do harm, or is no checkpoint.",
            "Do not open it with torch.load or pickle; get the checkpoint again from its authors.",
        ) from error
    except DamagedError as error:
        raise no_network(path, CheckpointError) or CheckpointError(
            f"{path} cannot be read as weights: {error.reason}.",
            f"Copy or download it again; {_READABLE}",
        ) from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error


def _read(path: Path, file: BinaryIO) -> Weights:
    start = file.read(_START_BYTES)
    file.seek(0)
    if begins_safetensors(start):
        return read_safetensors(path)
    if start.startswith(_ZIP):
        entries = entries_of(file)
        if any(entry.filename.endswith(".npy") for entry in entries):
            return read_npz(path, entries)
        return read_torch_zip(path, file, entries)
    if start.startswith(_PICKLE):
        return read_torch_legacy(path, file)
    if start.startswith(_HDF5):
        raise CheckpointError(
            f"{path} is an HDF5 file, which Keras writes; weights of PyTorch were expected.",
            "Export the network to ONNX on their side, with tf2onnx, and give that file.",
        )
    if start[_TAR_MAGIC] == b"ustar":
        raise CheckpointError(
            f"{path} is a tar archive; a weights file was expected.",
            "Unpack it and give the weights file in it. If PyTorch before 0.2 wrote it, load it there and save it "
            "again with a newer one.",
        )
    if start.startswith(_GZIP):
        raise CheckpointError(f"{path} is packed with gzip.", "Unpack it and give the weights file in it.")
    if path.suffix.lower() == ".onnx":
        raise CheckpointError(
            f"{path} is called an ONNX model; weights of PyTorch were expected.",
            f"Give the checkpoint that it was made of; {_READABLE}",
        )
    return read_safetensors(path)


def zip_members(path: Path) -> tuple[str, ...]:
    """Names of the files in a zip archive; none where it is no whole zip archive.

    Raises:
        CheckpointError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return tuple(entry.filename for entry in entries_of(file))
    except DamagedError:
        return ()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error
