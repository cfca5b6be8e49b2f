"""The compiled code of a fake GPU: modules and their kernels, whose work Python functions do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fcn_edge.backends.cuda.driver import Dim3
from fcn_edge.backends.cuda.errors import cuda_error
from fcn_edge.ops.kernels import Launch
from fcn_edge.testing.gpu_memory import CudaMisuseError, FakeMemory
from fcn_edge.testing.gpu_streams import Work
from fcn_edge.testing.kernel_signature import Parameter, parameters_of

__all__ = ["FakeKernel", "FakeModules"]

FakeKernel = Callable[[FakeMemory, Dim3, Dim3, tuple[Any, ...]], None]
"""Does a kernel's work: memory, grid, block, arguments."""


class FakeModules:
    """What is loaded, and what launches of it do. Code is the CUDA source itself.

    Args:
        memory: What kernels read and write.
        kernels: What launches do, by entry name; others are refused.

    Attributes:
        live: The kernels of each loaded module, with their parameters, by handle.
        refused: Code that the driver does not take.
        mapped_reads: Bytes of the mapped host memory that launches were given to read so far: of memory behind
            parameters that the kernel's source declares ``const``.
    """

    def __init__(self, memory: FakeMemory, kernels: Mapping[str, FakeKernel]) -> None:
        self.live: dict[int, dict[str, tuple[Parameter, ...]]] = {}
        self.refused: set[bytes] = set()
        self.mapped_reads = 0
        self._memory = memory
        self._kernels = dict(kernels)
        self._functions: dict[int, tuple[int, str]] = {}

    def load(self, handle: int, image: bytes) -> int:
        """Load code under a handle.

        Raises:
            RefusedCodeError: The driver does not take it.
        """
        if image in self.refused:
            raise cuda_error("module_load", "CUDA_ERROR_NO_BINARY_FOR_GPU")
        self.live[handle] = parameters_of(image.decode())
        return handle

    def find(self, handle: int, module: int, entry: str) -> int:
        """Give a kernel of a module a handle.

        Raises:
            MachineError: The module has none of that name.
        """
        if entry not in self.live[module]:
            raise cuda_error("module_function", "CUDA_ERROR_NOT_FOUND")
        self._functions[handle] = module, entry
        return handle

    def entry(self, function: int) -> str:
        """Name of a kernel."""
        return self._functions[function][1]

    def parameters(self, function: int) -> tuple[Parameter, ...]:
        """The parameters of a kernel.

        Raises:
            CudaMisuseError: Its module was unloaded.
        """
        module, entry = self._functions[function]
        if module not in self.live:
            raise CudaMisuseError(f"{entry} is launched after its module was unloaded")
        return self.live[module][entry]

    def work_of(self, function: int, launch: Launch) -> Work:
        """The work of a launch.

        Raises:
            CudaMisuseError: The launch does not fit the kernel, or a pointer leads nowhere.
        """
        parameters, entry = self.parameters(function), self.entry(function)
        grid, block, arguments = launch.grid, launch.block, launch.arguments
        if min(*grid, *block) < 1 or int(np.prod(block)) > 1024:
            raise CudaMisuseError(f"{entry} is launched with a grid of {grid} and blocks of {block}")
        taken, given = [each.kind for each in parameters], [argument.dtype.name for argument in arguments]
        if given != taken:
            raise CudaMisuseError(f"{entry} takes {taken}, not {given}")
        if entry not in self._kernels:
            raise CudaMisuseError(f"{entry} is launched, and the fake has no function for it")
        values = tuple(value.item() for value in arguments)
        pointers = [value for each, value in zip(parameters, values, strict=True) if each.pointer and value]
        read = [value for each, value in zip(parameters, values, strict=True) if each.read_only and value]

        def run() -> None:
            self.mapped_reads += sum(map(self._memory.mapped_bytes, read))
            self._kernels[entry](self._memory, grid, block, values)

        return Work(entry, run, tuple(map(self._memory.whole, pointers)))
