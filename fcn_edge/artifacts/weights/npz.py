"""NumPy archives of arrays: ``numpy.savez`` and ``savez_compressed``."""

from __future__ import annotations

import math
import warnings
import zipfile
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.names import shown
from fcn_edge.artifacts.weights.damage import DamagedError
from fcn_edge.artifacts.weights.tensors import StoredTensor, Weights
from fcn_edge.errors import CheckpointError

__all__ = ["read_npz"]

_SUFFIX = ".npy"
_KINDS = "biuf"
_BOMB_BYTES, _BOMB_RATIO = 64 << 20, 100
"""An array that is this large and was compressed by this factor holds no weights."""


def read_npz(path: Path, entries: list[zipfile.ZipInfo]) -> Weights:
    """The arrays of a NumPy archive, of which the headers are read.

    Raises:
        DamagedError: It is damaged, or holds other things than arrays of numbers.
    """
    tensors: dict[str, StoredTensor] = {}
    with zipfile.ZipFile(path) as archive:
        for entry in entries:
            name = entry.filename.removesuffix(_SUFFIX)
            if name == entry.filename:
                raise DamagedError(f"its part {shown(entry.filename)} is no array")
            if entry.file_size > max(_BOMB_BYTES, entry.compress_size * _BOMB_RATIO):
                raise DamagedError(f"its array {shown(name)} would grow by more than {_BOMB_RATIO} times")
            tensors[name] = _header(path, archive, entry, name)
    return Weights(path, "npz", tensors, {}, frozenset(), "")


def _header(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> StoredTensor:
    try:
        with archive.open(entry) as file:
            shape, dtype = _shape_and_type(file)
            begun = file.tell()
    except Exception as error:
        # zipfile and zlib let many kinds of exceptions out of damaged archives
        raise DamagedError(f"its array {shown(name)} is damaged") from error
    if dtype.kind not in _KINDS or dtype.itemsize > 8:
        raise DamagedError(f"its array {shown(name)} holds other things than numbers")
    if min(shape, default=0) < 0 or begun + math.prod(shape) * dtype.itemsize != entry.file_size:
        raise DamagedError(f"its array {shown(name)} is damaged")
    return StoredTensor(shape, dtype.name, partial(_load, path, entry.filename))


def _shape_and_type(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, _, dtype = read[np.lib.format.read_magic(file)](file)
    return shape, dtype


def _load(path: Path, name: str) -> NDArray[Any]:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as file, warnings.catch_warnings():
            # what NumPy says of headers that Python 2 wrote helps nobody
            warnings.simplefilter("ignore")
            array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    except Exception as error:
        raise CheckpointError(
            f"{path} is damaged: its array {shown(name.removesuffix(_SUFFIX))} cannot be read.", "Copy it again."
        ) from error
    return array
