"""The memory of a fake GPU: every access is checked against what is allocated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["CudaMisuseError", "FakeMemory", "Range"]

_FRESH, _FREED = 0xCD, 0xDD
_GAP = 4096


class CudaMisuseError(AssertionError):
    """What a real GPU would answer with a crash or with wrong pixels."""


@dataclass(frozen=True)
class Range:
    """Bytes of an allocation that work reads or writes."""

    start: int
    nbytes: int

    def overlaps(self, other: Range) -> bool:
        """Some byte is in both."""
        return self.start < other.start + other.nbytes and other.start < self.start + self.nbytes


class FakeMemory:
    """Allocations by address: of the device, of the host, and host memory that the device sees under another address.

    Attributes:
        live: What is allocated, by address.
    """

    def __init__(self) -> None:
        self.live: dict[int, NDArray[np.uint8]] = {}
        self._next = 0x7_0000_0000

    def allocate(self, nbytes: int) -> int:
        """The address of new device memory, filled with rubbish.

        Raises:
            CudaMisuseError: It has no bytes.
        """
        if nbytes < 1:
            raise CudaMisuseError(f"an allocation of {nbytes} bytes")
        return self.place(np.full(nbytes, _FRESH, np.uint8))

    def place(self, content: NDArray[np.uint8]) -> int:
        """A device address for memory that exists."""
        address = self._next
        self._next += (content.size // _GAP + 2) * _GAP
        self.live[address] = content
        return address

    def add_host(self, nbytes: int) -> NDArray[np.uint8]:
        """New host memory under its real address, filled with rubbish."""
        content = np.full(nbytes, _FRESH, np.uint8)
        self.live[content.ctypes.data] = content
        return content

    def free(self, address: int) -> None:
        """Free an allocation.

        Raises:
            CudaMisuseError: There is none at that address: it was freed before, or never made.
        """
        if address not in self.live:
            raise CudaMisuseError(f"{address:#x} is freed twice, or was never allocated")
        self.live.pop(address)[...] = _FREED

    def view(self, address: int, dtype: DTypeLike, shape: int | Sequence[int]) -> NDArray[Any]:
        """An array at an address.

        Raises:
            CudaMisuseError: Not all of it is allocated.
        """
        kind = np.dtype(dtype)
        count = int(np.prod(shape, dtype=np.int64))
        base, content = self._around(address)
        at = address - base
        if at + count * kind.itemsize > content.size:
            raise CudaMisuseError(
                f"{count * kind.itemsize} bytes at {address:#x}: {content.size - at} are allocated there"
            )
        return content[at : at + count * kind.itemsize].view(kind).reshape(shape)

    def mapped_bytes(self, address: int) -> int:
        """Bytes from an address to the end of its allocation where that is host memory that the device sees, else 0.

        Raises:
            CudaMisuseError: Nothing is allocated there.
        """
        base, content = self._around(address)
        mapped = any(same is content for other, same in self.live.items() if other != base)
        return base + content.size - address if mapped else 0

    def whole(self, address: int) -> Range:
        """The allocation that an address lies in.

        Raises:
            CudaMisuseError: It lies in none.
        """
        base, content = self._around(address)
        return Range(base, content.size)

    def aliases(self, range_: Range) -> Iterator[Range]:
        """The range, and the same bytes under their other address where they have one."""
        yield range_
        base, content = self._around(range_.start)
        for other, same in self.live.items():
            if other != base and same is content:
                yield Range(other + range_.start - base, range_.nbytes)

    def _around(self, address: int) -> tuple[int, NDArray[np.uint8]]:
        for base, content in self.live.items():
            if base <= address < base + content.size:
                return base, content
        raise CudaMisuseError(f"{address:#x} is not allocated: used after it was freed, or never made")
