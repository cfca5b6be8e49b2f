"""Protobuf's wire format: enough of it to find fields in a message without its schema.

Format: https://protobuf.dev/programming-guides/encoding/. ONNX files are such messages.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator

__all__ = ["Buffer", "WireError", "fields", "numbers", "parts", "varint"]

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Buffer = mmap.mmap


class WireError(Exception):
    """The bytes are not a protobuf message; callers turn it into an error that names the file."""


def fields(buffer: Buffer, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, first byte and end of each field of the message in ``buffer[start:end]``.

    Raises:
        WireError: The bytes are not a message.
    """
    for number, _, position, stop in _tagged(buffer, start, end):
        yield number, position, stop


def parts(buffer: Buffer, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """As ``fields``, without numbers: those that hold bytes, texts, messages and packed numbers.

    Raises:
        WireError: The bytes are not a message.
    """
    for number, kind, position, stop in _tagged(buffer, start, end):
        if kind == BYTES:
            yield number, position, stop


def _tagged(buffer: Buffer, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    position = start
    while position < end:
        tag, position = varint(buffer, position, end)
        number, kind = tag >> 3, tag & 7
        if kind == BYTES:
            length, position = varint(buffer, position, end)
            stop = position + length
        elif kind == VARINT:
            _, stop = varint(buffer, position, end)
        elif kind in (FIXED64, FIXED32):
            stop = position + (8 if kind == FIXED64 else 4)
        else:
            raise WireError
        if stop > end or number == 0:
            raise WireError
        yield number, kind, position, stop
        position = stop


def varint(buffer: Buffer, position: int, end: int) -> tuple[int, int]:
    """The unsigned number at ``position`` and where it ends.

    Raises:
        WireError: It does not end before ``end``, or is longer than 64 bits.
    """
    value = shift = 0
    while position < end and shift < 64:
        byte = buffer[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
        shift += 7
    raise WireError


def numbers(buffer: Buffer, start: int, end: int) -> Iterator[int]:
    """The unsigned numbers that follow one another in ``buffer[start:end]``: a packed field, or a single value.

    Raises:
        WireError: The bytes are not whole numbers.
    """
    position = start
    while position < end:
        value, position = varint(buffer, position, end)
        yield value
