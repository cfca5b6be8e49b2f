"""A session on a fake GPU, for the tests of what it does there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.session import CudaSession
from fcn_edge.ops.kernels import KERNELS as KERNEL_FILES
from fcn_edge.ops.kernels import Launch, kernel_source
from fcn_edge.testing.engine import FakeSession, fake_spec
from fcn_edge.testing.gpu import FakeGpu, FakeKernel
from fcn_edge.testing.gpu_memory import FakeMemory
from fcn_edge.testing.kernel_signature import parameters_of

from ...ops.emulator import Emulator
from .gpu import KERNELS, FakeGpuEngine

SIZE = (64, 96)
IMAGE_BYTES = 64 * 96 * 3
SCORES_BYTES = 11 * 8 * 12 * 4


def frame(height: int = 60, width: int = 100, seed: int = 0) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 12 + 1, width // 12 + 1, 3), np.uint8)
    return np.ascontiguousarray(coarse.repeat(12, axis=0).repeat(12, axis=1)[:height, :width])


def on_the_host(image: NDArray[np.uint8], **spec: Any) -> NDArray[np.uint8]:
    return FakeSession(fake_spec(**spec), SIZE).labels(image)


class Rig:
    """An engine on a fake GPU, with its session."""

    def __init__(self, directory: Path, spec: dict[str, Any] | None = None, **how: Any) -> None:
        self.gpu = FakeGpu(
            KERNELS, **{key: how.pop(key) for key in ("integrated", "has_graphs", "total_bytes") if key in how}
        )
        self.engine = FakeGpuEngine(self.gpu, Device(self.gpu, directory), fake_spec(**(spec or {})), SIZE, **how)
        self.session: CudaSession = self.engine.session()
        self.gpu.calls.clear()

    def calls(self, *but: str) -> list[tuple[Any, ...]]:
        """The calls since the last time, without those that make the GPU current."""
        taken = [call for call in self.gpu.calls if call[0] not in ("enter", *but)]
        self.gpu.calls.clear()
        return taken


class Held:
    """A frame in the fake GPU's memory, as another library would hold it."""

    def __init__(
        self, gpu: FakeGpu, image: NDArray[np.uint8], stream: int | None = 77, padding: int = 5, version: int = 3
    ) -> None:
        pitch = image.shape[1] * 3 + padding
        rows = np.zeros((image.shape[0], pitch), np.uint8)
        rows[:, : image.shape[1] * 3] = image.reshape(image.shape[0], -1)
        self._gpu = gpu
        self._pointer = gpu.lend(rows.reshape(-1))
        self.__cuda_array_interface__ = {
            "shape": image.shape,
            "typestr": "|u1",
            "data": (self._pointer, False),
            "strides": (pitch, 3, 1),
            "stream": stream,
            "version": version,
        }

    def __del__(self) -> None:
        self._gpu.memory.live.pop(self._pointer, None)


def emulated_kernels(directory: Path) -> dict[str, FakeKernel]:
    """The kernels by entry name, compiled for the host from their own source."""
    emulator = Emulator(directory)

    def kernel_of(name: str, entry: str, kinds: list[str]) -> FakeKernel:
        def kernel(memory: FakeMemory, grid: Any, block: Any, arguments: tuple[Any, ...]) -> None:
            values = [
                np.dtype(kind).type(memory.view(value, np.uint8, 1).ctypes.data if kind == "uint64" else value)
                for kind, value in zip(kinds, arguments, strict=True)
            ]
            emulator.run(Launch(name, entry, grid, block, 48 << 10, tuple(values)))

        return kernel

    return {
        entry: kernel_of(name, entry, [each.kind for each in parameters])
        for name in KERNEL_FILES
        for entry, parameters in parameters_of(kernel_source(name)).items()
    }
