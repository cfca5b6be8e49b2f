"""The emulator that also counts what a kernel loads from global memory. It is several times slower than the other."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from fcn_edge.ops.kernels import Launch

from .emulator import Emulator

SECTOR = 32
"""Bytes of the pieces in which a GPU reads memory."""


@dataclass(frozen=True)
class Loads:
    """What a launch loads of some buffers.

    Attributes:
        source_bytes: Bytes of the buffers.
        bytes: What all threads load, in bytes.
        warp_loads: Load instructions, each counted once a warp.
        sectors: Pieces of ``SECTOR`` bytes that they touch, each counted once a load of a warp: what caches are asked
            for, and what comes from memory where nothing is cached.
    """

    source_bytes: int
    bytes: int
    warp_loads: int
    sectors: int


class CountingEmulator(Emulator):
    """An emulator that counts."""

    counter = Path(__file__).with_name("load_counter.cpp")

    def loads(self, launch: Launch, *buffers: NDArray[Any]) -> Loads:
        """Run a launch and count what it loads of these C-contiguous arrays."""
        library = self._library(launch.kernel)
        library.watch(
            (ctypes.c_size_t * len(buffers))(*(buffer.ctypes.data for buffer in buffers)),
            (ctypes.c_size_t * len(buffers))(*(buffer.nbytes for buffer in buffers)),
            len(buffers),
        )
        self.run(launch)
        counts = (ctypes.c_longlong * 3)()
        library.counts(counts)
        return Loads(sum(buffer.nbytes for buffer in buffers), *counts)
