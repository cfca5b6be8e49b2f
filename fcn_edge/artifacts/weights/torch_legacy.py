"""Files that ``torch.save`` wrote before PyTorch 1.6: five pickles, then the storages one after another.

Format: torch/serialization.py (_legacy_save) of PyTorch: a magic number, the version, facts of the machine, the value,
the keys of the storages; then of each storage the number of its elements in eight bytes, and the elements.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

from fcn_edge.artifacts.names import shown
from fcn_edge.artifacts.weights.contents import contents_of
from fcn_edge.artifacts.weights.damage import DamagedError
from fcn_edge.artifacts.weights.elements import SIZES
from fcn_edge.artifacts.weights.inert import Unpickler
from fcn_edge.artifacts.weights.opcodes import pickle_bytes
from fcn_edge.artifacts.weights.tensors import Weights
from fcn_edge.artifacts.weights.torch_tensors import IS_OF_TENSORS, Storages, storage_type

__all__ = ["read_torch_legacy"]

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_COUNT_BYTES = 8


def read_torch_legacy(path: Path, file: BinaryIO) -> Weights:
    """The weights of a file of torch that is no zip archive.

    Raises:
        DamagedError: It is another pickle, or damaged.
        HostilePickleError: It names something that does harm when it is called.
    """
    if _next(file) != _MAGIC:
        raise DamagedError("it is a pickle that torch.save did not write")
    if _next(file) != _VERSION:
        raise DamagedError("it is of a version of PyTorch's format that is not known")
    machine = _next(file)
    unpickler = Unpickler(pickle_bytes(file))
    value = unpickler.value()
    places = _places(file, _next(file), unpickler.storages)
    big_endian = isinstance(machine, dict) and machine.get("little_endian") is False
    contents = contents_of(value, Storages(path, places, big_endian))
    names_beyond = frozenset(name for name in unpickler.names if not IS_OF_TENSORS.fullmatch(name))
    return Weights(
        path,
        "legacy",
        contents.tensors,
        contents.fields,
        names_beyond,
        contents.wrapper,
        elsewhere=contents.elsewhere,
    )


def _next(file: BinaryIO) -> Any:
    return Unpickler(pickle_bytes(file)).value()


def _places(file: BinaryIO, keys: Any, types: dict[str, str]) -> dict[str, tuple[int, int]]:
    """First byte and length of each storage."""
    size = os.fstat(file.fileno()).st_size
    if not isinstance(keys, list | tuple):
        raise DamagedError("its list of storages is damaged")
    places: dict[str, tuple[int, int]] = {}
    for key in keys:
        if not isinstance(key, str) or key not in types or key in places:
            raise DamagedError("its list of storages is damaged")
        # the counts are of the machine that wrote them, which is little-endian wherever there are GPUs
        count = int.from_bytes(file.read(_COUNT_BYTES), "little")
        start = file.tell()
        length = count * SIZES[storage_type(types[key])]
        if start + length > size:
            raise DamagedError(f"its storage {shown(key)} is cut off")
        places[key] = (start, length)
        file.seek(start + length)
    return places
