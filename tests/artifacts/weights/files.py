"""Weights files made by hand, byte by byte: as torch writes them, without torch, or damaged as it never would."""

from __future__ import annotations

import json
import pickle
import pickletools
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
MACHINE = {"protocol_version": VERSION, "little_endian": True}

STORAGES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}
"""torch's classes of storages, by the type of the numbers in NumPy."""

EVIL = b"N}X\x04\x00\x00\x00evilK\x01s\x86b"
"""``BUILD`` with ``(None, {"evil": 1})``, which sets an attribute of what is on the stack."""


def save(path: Path, value: object, kind: str = "zip", *, protocol: int = 2) -> None:
    """Write what ``torch.save`` does.

    Args:
        path: The file.
        value: Arrays of NumPy, in it or in dictionaries in it, become tensors; all else is pickled as it is.
        kind: ``zip`` or ``legacy``.
        protocol: That of ``pickle`` for what is no tensor.
    """
    storages: dict[str, NDArray[Any]] = {}

    def opcodes(value: object) -> bytes:
        if isinstance(value, dict):
            return b"}(" + b"".join(opcodes(each) for pair in value.items() for each in pair) + b"u"
        if isinstance(value, np.ndarray):
            key = str(len(storages))
            storages[key] = np.ascontiguousarray(value).reshape(-1)
            stride = tuple(step // value.itemsize for step in np.empty(value.shape, value.dtype).strides)
            return tensor_opcodes(
                key, value.size, 0, value.shape, stride, STORAGES[value.dtype.name], legacy=kind == "legacy"
            )
        return plain(value, protocol)

    body = bytes([0x80, protocol]) + opcodes(value) + b"."
    if kind == "legacy":
        write_legacy(path, body, storages)
    else:
        contents = {f"data/{key}": array.tobytes() for key, array in storages.items()}
        write_zip(path, body, {"byteorder": b"little", **contents, "version": b"3\n"})


def write_legacy(path: Path, body: bytes, storages: Mapping[str, NDArray[Any] | bytes] | None = None) -> None:
    """The old format around a pickle that is given; bytes are of numbers of four bytes each."""
    head = b"".join(pickle.dumps(value, 2) for value in (MAGIC, VERSION, MACHINE))
    contents = {
        key: np.frombuffer(content, "V4") if isinstance(content, bytes) else content
        for key, content in (storages or {}).items()
    }
    parts = [struct.pack("<q", len(content)) + content.tobytes() for content in contents.values()]
    path.write_bytes(head + body + pickle.dumps(list(contents), 2) + b"".join(parts))


def write_zip(
    path: Path, body: bytes, more: Mapping[str, bytes] | None = None, compression: int = zipfile.ZIP_STORED
) -> None:
    """The new format around a pickle that is given."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("net/data.pkl", body)
        for name, content in (more or {}).items():
            archive.writestr(f"net/{name}", content)


def safetensors_bytes(entries: Mapping[str, object], data: bytes = b"") -> bytes:
    """A safetensors file of a header and the numbers behind it."""
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor_pickle(**how: Any) -> bytes:
    """The pickle of a state_dict whose only tensor ``a`` is as ``tensor_opcodes`` is told."""
    return b"\x80\x02}" + plain("a") + tensor_opcodes(**how) + b"s."


def tensor_opcodes(
    key: str = "0",
    count: int = 4,
    offset: int = 0,
    size: tuple[int, ...] = (4,),
    stride: tuple[int, ...] = (1,),
    storage: str = "FloatStorage",
    *,
    legacy: bool = False,
) -> bytes:
    """What puts a tensor on the stack; of the old format, a storage may be a part of another, and here is none."""
    kind = b"(" + plain("storage") + named("torch", storage)
    place = b"".join(plain(value) for value in (key, "cpu", count, *((None,) if legacy else ())))
    numbers = b"".join(plain(value) for value in (offset, size, stride))
    hooks = named("collections", "OrderedDict") + b")R"
    return named("torch._utils", "_rebuild_tensor_v2") + b"(" + kind + place + b"tQ" + numbers + b"\x89" + hooks + b"tR"


def plain(value: object, protocol: int = 2) -> bytes:
    """What puts a value on the stack."""
    whole = pickletools.optimize(pickle.dumps(value, protocol))
    frame = 9 if whole[2:3] == pickle.FRAME else 0
    return whole[2 + frame : -1]


def named(module: str, name: str) -> bytes:
    """What puts a class or function on the stack."""
    return f"c{module}\n{name}\n".encode()
