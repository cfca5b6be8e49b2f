"""Files that ``torch.save`` writes since PyTorch 1.6: a zip archive of a pickle and the storages that it names.

Format: torch/serialization.py (_save) and caffe2/serialize/inline_container.h of PyTorch: ``NAME/data.pkl``,
``NAME/data/KEY``, ``NAME/byteorder``; all stored as they are, without compression.
"""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path
from typing import BinaryIO, cast

from fcn_edge.artifacts.names import shown
from fcn_edge.artifacts.weights.contents import contents_of
from fcn_edge.artifacts.weights.damage import DamagedError
from fcn_edge.artifacts.weights.inert import Unpickler
from fcn_edge.artifacts.weights.opcodes import MOST_BYTES, pickle_bytes
from fcn_edge.artifacts.weights.tensors import Weights
from fcn_edge.artifacts.weights.torch_tensors import IS_OF_TENSORS, Storages
from fcn_edge.errors import CheckpointError

__all__ = ["entries_of", "read_torch_zip"]

MOST_ENTRIES = 200_000
LARGEST_DIRECTORY = 32 << 20

_HEADER = struct.Struct("<4s5H3L2H")
_ENCRYPTED = 1


def read_torch_zip(path: Path, file: BinaryIO, entries: list[zipfile.ZipInfo]) -> Weights:
    """The weights of a zip archive of torch, whose entries ``entries_of`` has given.

    Raises:
        CheckpointError: It is a program with weights.
        DamagedError: It is none of torch's, or is damaged.
    """
    pickles = [entry for entry in entries if entry.filename.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise DamagedError("it is a zip archive without the data.pkl of a PyTorch checkpoint")
    root = pickles[0].filename.removesuffix("data.pkl")
    names = {entry.filename.removeprefix(root) for entry in entries if entry.filename.startswith(root)}
    if "constants.pkl" in names or any(name.startswith("code/") for name in names):
        raise CheckpointError(
            f"{path} is a TorchScript archive, a program with its weights; a checkpoint was expected.",
            f"Save its weights alone: torch.save(torch.jit.load({path.name!r}).state_dict(), 'weights.pth').",
        )
    places = _places(file, entries)
    start, length = places[pickles[0].filename]
    if length > MOST_BYTES:
        raise DamagedError(f"its pickle is larger than {MOST_BYTES >> 20} MiB")
    file.seek(start)
    unpickler = Unpickler(pickle_bytes(file, length))
    value = unpickler.value()
    order = b"little"
    if f"{root}byteorder" in places:
        file.seek(places[f"{root}byteorder"][0])
        order = file.read(min(places[f"{root}byteorder"][1], 16))
    if order not in (b"little", b"big"):
        raise DamagedError("its byte order is neither little nor big")
    inside = f"{root}data/"
    storages = Storages(
        path,
        {name.removeprefix(inside): place for name, place in places.items() if name.startswith(inside)},
        big_endian=order == b"big",
    )
    contents = contents_of(value, storages)
    names_beyond = frozenset(name for name in unpickler.names if not IS_OF_TENSORS.fullmatch(name))
    return Weights(
        path,
        "zip",
        contents.tensors,
        contents.fields,
        names_beyond,
        contents.wrapper,
        elsewhere=contents.elsewhere,
    )


def entries_of(file: BinaryIO) -> list[zipfile.ZipInfo]:
    """The directory of a zip archive, each name once.

    Raises:
        DamagedError: The file is no whole zip archive.
    """
    try:
        with zipfile.ZipFile(cast("BinaryIO", _Bounded(file))) as archive:
            entries = archive.infolist()
    except DamagedError:
        raise
    except Exception as error:
        # zipfile lets many kinds of exceptions out of damaged archives
        raise DamagedError("it is a damaged zip archive, or was cut off") from error
    if len(entries) > MOST_ENTRIES:
        raise DamagedError("it is a zip archive of too many files")
    if len({entry.filename for entry in entries}) < len(entries):
        raise DamagedError("it is a zip archive with two files of one name")
    return entries


class _Bounded:
    """A file from which a zip archive's directory is read, unless that is too long."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            at = self.tell()
            size = self.seek(0, os.SEEK_END) - at
            self.seek(at)
        if size > LARGEST_DIRECTORY:
            raise DamagedError("it is a zip archive of too many files")
        return self._file.read(size)


def _places(file: BinaryIO, entries: list[zipfile.ZipInfo]) -> dict[str, tuple[int, int]]:
    """First byte and length of the content of each entry, which must lie apart from all others.

    Raises:
        DamagedError: One is compressed, encrypted, beyond the file, or shares bytes with another.
    """
    end_of_file = file.seek(0, os.SEEK_END)
    places: dict[str, tuple[int, int]] = {}
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise DamagedError(f"its part {shown(entry.filename)} is compressed, which PyTorch never writes")
        if not 0 <= entry.header_offset <= end_of_file:
            raise DamagedError("it is a damaged zip archive")
        file.seek(entry.header_offset)
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size:
            raise DamagedError("it is a damaged zip archive, or was cut off")
        magic, _, flags, method, *_, name_length, extra_length = _HEADER.unpack(header)
        start = entry.header_offset + _HEADER.size + name_length + extra_length
        name = file.read(name_length)
        if magic != b"PK\x03\x04" or method != zipfile.ZIP_STORED or flags & _ENCRYPTED:
            raise DamagedError("it is a damaged zip archive")
        if name.decode("utf-8" if flags & 0x800 else "cp437", errors="replace") != entry.orig_filename:
            raise DamagedError("it is a zip archive whose names contradict each other")
        if entry.header_offset < end or start + entry.file_size > end_of_file:
            raise DamagedError(f"its part {shown(entry.filename)} shares bytes with another or is cut off")
        end = start + entry.file_size
        places[entry.filename] = (start, entry.file_size)
    return places
