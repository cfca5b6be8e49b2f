"""Protobuf's wire format: enough of it to find fields in a message without its schema.

Format: https://protobuf.dev/programming-guides/encoding/. ONNX files are such messages.

A file is read in pieces where it lies. It is not mapped into memory: one that is cut off meanwhile, as ``cp`` and
``rsync --inplace`` do before they write, would end the process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

__all__ = [
    "BYTES",
    "FIXED32",
    "FIXED64",
    "VARINT",
    "Buffer",
    "FlawError",
    "WireError",
    "bytes_field",
    "fields",
    "number_at",
    "numbers",
    "tagged",
]

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

MOST_FIELDS = 1_000_000
"""That are looked at in one file: a network of 20,000 nodes has about half as many. Each takes a microsecond or two
here, and may take a hundred bytes in a library that makes objects of them."""

_BLOCK = 1 << 16
_LONGEST_VARINT = 10


class WireError(Exception):
    """The bytes are not a protobuf message; callers turn it into an error that names the file."""


class FlawError(WireError):
    """The bytes are a message whose parts contradict one another.

    Args:
        said: What is wrong, as the end of a sentence.
    """

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


class Buffer:
    """The bytes of a file, read when they are asked for.

    Args:
        file: Open for reading, and left open.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._descriptor = file.fileno()
        self._length = os.fstat(self._descriptor).st_size
        self._block = b""
        self._first = 0
        self._left = MOST_FIELDS

    def __len__(self) -> int:
        return self._length

    def read(self, start: int, end: int) -> bytes:
        """The bytes from ``start`` to ``end``.

        Raises:
            WireError: The file has not so many, or no longer.
            OSError: It cannot be read.
        """
        first = start - self._first
        if first >= 0 and end - self._first <= len(self._block):
            return self._block[first : end - self._first]
        if end - start > _BLOCK:
            content = b"".join(self.blocks(start, end))
        else:
            self._fill(start)
            content = self._block[: end - start]
        if len(content) != end - start:
            raise WireError
        return content

    def blocks(self, start: int, end: int) -> Iterator[bytes]:
        """The same bytes piece by piece, for what is too long to be held at once.

        Raises:
            WireError: The file has not so many, or no longer.
            OSError: It cannot be read.
        """
        while start < end:
            block = os.pread(self._descriptor, min(4 * _BLOCK, end - start), start)
            if not block:
                raise WireError
            yield block
            start += len(block)

    def varint(self, position: int, end: int) -> tuple[int, int]:
        """The unsigned number at ``position`` and where it ends.

        Raises:
            WireError: It does not end before ``end``, or is longer than 64 bits.
            OSError: The file cannot be read.
        """
        at = position - self._first
        if at < 0 or at + _LONGEST_VARINT > len(self._block):
            self._fill(position)
            at = 0
        block = self._block
        value = shift = 0
        last = min(end - self._first, len(block))
        while at < last and shift < 70:
            byte = block[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                if value >> 64:
                    raise WireError
                return value, self._first + at
            shift += 7
        raise WireError

    def spend(self) -> None:
        """Count one more field.

        Raises:
            WireError: There are more than any network has.
        """
        self._left -= 1
        if self._left < 0:
            raise WireError

    def _fill(self, position: int) -> None:
        self._block = os.pread(self._descriptor, _BLOCK, position)
        self._first = position


def fields(buffer: Buffer, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, first byte and end of each field of the message in ``buffer[start:end]``.

    Raises:
        WireError: The bytes are not a message, or the file has more fields than any network.
    """
    for number, _, position, stop in tagged(buffer, start, end):
        yield number, position, stop


def tagged(buffer: Buffer, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """As ``fields``, with the field's wire type after its number.

    Raises:
        WireError: The bytes are not a message, or the file has more fields than any network.
    """
    position = start
    while position < end:
        buffer.spend()
        tag, position = buffer.varint(position, end)
        number, kind = tag >> 3, tag & 7
        if kind == BYTES:
            length, position = buffer.varint(position, end)
            stop = position + length
        elif kind == VARINT:
            _, stop = buffer.varint(position, end)
        elif kind in (FIXED64, FIXED32):
            stop = position + (8 if kind == FIXED64 else 4)
        else:
            raise WireError
        if stop > end or number == 0:
            raise WireError
        yield number, kind, position, stop
        position = stop


def numbers(buffer: Buffer, start: int, end: int) -> Iterator[int]:
    """The unsigned numbers that follow one another in ``buffer[start:end]``: a packed field, or a single value.

    Raises:
        WireError: The bytes are not whole numbers.
    """
    position = start
    while position < end:
        value, position = buffer.varint(position, end)
        yield value


def number_at(buffer: Buffer, start: int, end: int) -> int:
    """The unsigned number of a field that holds one.

    Raises:
        WireError: The bytes are no number.
    """
    return buffer.varint(start, end)[0]


def bytes_field(number: int, content: bytes) -> bytes:
    """A field that holds bytes, a text or a message, as it is written."""
    return _varint(number << 3 | BYTES) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    digits = []
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])
