"""The kernels on this machine's processor: their own source, compiled by its C++ compiler as the tests do."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fcn_edge.ops.kernels import Launch
from gpu.reference import test_module

__all__ = ["EmulatedBench", "can_emulate"]


def can_emulate() -> bool:
    """There is a compiler, and what the tests' emulator imports."""
    return shutil.which("g++") is not None and find_spec("pytest") is not None


class EmulatedBench:
    """Host memory and emulated kernels.

    Args:
        directory: Where they are compiled; scratch.
    """

    def __init__(self, directory: Path) -> None:
        self._emulator = test_module("ops/emulator").Emulator(directory)
        self._kept: dict[int, NDArray[Any]] = {}

    def put(self, values: NDArray[Any]) -> int:
        """The address of an array's copy."""
        content = np.array(values, order="C")
        self._kept[content.ctypes.data] = content
        return content.ctypes.data

    def get(self, pointer: int, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """A copy of an array."""
        return self._kept[pointer].reshape(-1).view(dtype).reshape(shape).copy()

    def launch(self, launch: Launch) -> None:
        """Run a kernel to its end."""
        self._emulator.run(launch)

    def clear(self) -> None:
        """Give all memory back."""
        self._kept.clear()
