"""Weights files made by hand, byte by byte."""

from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
MACHINE = {"protocol_version": VERSION, "little_endian": True}


def write_legacy(path: Path, body: bytes, storages: dict[str, bytes] | None = None, item_size: int = 4) -> None:
    """The old format around a pickle that is given."""
    head = b"".join(pickle.dumps(value, 2) for value in (MAGIC, VERSION, MACHINE))
    contents = storages or {}
    parts = [struct.pack("<q", len(content) // item_size) + content for content in contents.values()]
    path.write_bytes(head + body + pickle.dumps(list(contents), 2) + b"".join(parts))


def write_zip(
    path: Path, body: bytes, more: dict[str, bytes] | None = None, compression: int = zipfile.ZIP_STORED
) -> None:
    """The new format around a pickle that is given."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("net/data.pkl", body)
        for name, content in (more or {}).items():
            archive.writestr(f"net/{name}", content)


def tensor_pickle(
    key: str = "0",
    count: int = 4,
    offset: int = 0,
    size: tuple[int, ...] = (4,),
    stride: tuple[int, ...] = (1,),
    storage: str = "FloatStorage",
) -> bytes:
    """The pickle of a state_dict whose only tensor ``a`` is as it is told."""
    place = pickle.dumps(key, 2)[2:-1] + b"X\x03\x00\x00\x00cpu" + pickle.dumps(count, 2)[2:-1]
    kind = b"(X\x07\x00\x00\x00storagectorch\n" + storage.encode() + b"\n"
    numbers = b"".join(pickle.dumps(value, 2)[2:-1] for value in (offset, size, stride))
    return (
        b"\x80\x02}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n("
        + kind
        + place
        + b"tQ"
        + numbers
        + b"\x89ccollections\nOrderedDict\n)RtRs."
    )
