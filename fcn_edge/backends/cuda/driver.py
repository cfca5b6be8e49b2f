"""The calls that fcn_edge makes of CUDA, as one flat interface; ``objects`` and ``device`` own what it makes.

Handles and pointers are plain integers here. A provider (``providers.cuda_python``, ``providers.pycuda``,
``fcn_edge.testing.gpu``) implements ``Driver``; nothing else in the package touches a CUDA library.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.device import DeviceInfo
from fcn_edge.ops.kernels import Launch

__all__ = ["Dim3", "Driver", "GpuFacts", "HostMemory"]

Dim3 = tuple[int, int, int]
"""Blocks of a grid, or threads of a block, along x, y and z."""


@dataclass(frozen=True)
class GpuFacts:
    """What a GPU is; read without making a context on it.

    Attributes:
        name: What it calls itself, such as ``Orin``.
        capability: Compute capability, such as ``(8, 7)``.
        multiprocessors: How many it has; boards of one name differ in them.
        integrated: It shares the processor's memory, as on Jetson boards.
        total_bytes: Size of its memory.
        driver: CUDA version that its driver supports, such as ``(12, 6)``.
        library: Python library that reaches it, with its version.
        index: Which of the machine's GPUs it is, from 0, as CUDA counts them.
    """

    name: str
    capability: tuple[int, int]
    multiprocessors: int
    integrated: bool
    total_bytes: int
    driver: tuple[int, int]
    library: str
    index: int = 0

    @property
    def arch(self) -> str:
        """The architecture that kernels are compiled for, such as ``sm_87``."""
        return f"sm_{self.capability[0]}{self.capability[1]}"

    @property
    def device(self) -> DeviceInfo:
        """The GPU as manifests name it, such as ``Orin (16 SM)``.

        All boards with an Orin call themselves so, and what is fast on one is not on another.
        """
        name = f"{self.name} ({self.multiprocessors} SM)"
        return DeviceInfo("cuda", name, f"{self.capability[0]}.{self.capability[1]}")


@dataclass(frozen=True, eq=False)
class HostMemory:
    """Host memory that the GPU may read and write.

    Attributes:
        address: In the process.
        pointer: On the device; 0 where it is not mapped.
        array: ``(bytes,)`` uint8, the memory itself.
    """

    address: int
    pointer: int
    array: NDArray[np.uint8]


class Driver(ABC):
    """One GPU through one CUDA library.

    All calls but ``enter``, ``facts`` and ``close`` need the GPU to be current in the calling thread: between ``enter``
    and ``leave``, which nest. Every failing call raises a ``MachineError``, one of those that ``errors`` makes.

    Attributes:
        facts: What the GPU is.
        has_graphs: The library can capture streams; else ``capture_begin`` raises.
    """

    facts: GpuFacts
    has_graphs: bool

    @abstractmethod
    def enter(self) -> None:
        """Make the GPU current in the calling thread; what was current before comes back with ``leave``."""

    @abstractmethod
    def leave(self) -> None:
        """Undo the last ``enter`` of this thread."""

    @abstractmethod
    def close(self) -> None:
        """Give the GPU's context back. Nothing that was made with it may be left."""

    @abstractmethod
    def free_bytes(self) -> int:
        """Free bytes of the GPU's memory."""

    @abstractmethod
    def stream_create(self) -> int:
        """A stream that does not wait for the default stream; its real handle, which other libraries take."""

    @abstractmethod
    def stream_synchronize(self, stream: int) -> None:
        """Wait until all work of the stream is done."""

    @abstractmethod
    def stream_join(self, stream: int, other: int) -> None:
        """Let later work of ``stream`` wait for what another library's stream, by its real handle, holds now.

        Args:
            stream: The stream that waits.
            other: The other stream; 1 is the legacy default stream.
        """

    @abstractmethod
    def stream_wait(self, stream: int, event: int) -> None:
        """Let later work of ``stream`` wait, on the GPU, for an event that another stream was told to reach."""

    @abstractmethod
    def stream_destroy(self, stream: int) -> None:
        """Give a stream back."""

    @abstractmethod
    def event_create(self) -> int:
        """An event that keeps the time."""

    @abstractmethod
    def event_record(self, event: int, stream: int, in_graph: bool) -> None:
        """Let the stream reach the event.

        Args:
            event: The event.
            stream: The stream.
            in_graph: The stream is being captured, and every launch of the graph is to record the event.
        """

    @abstractmethod
    def event_synchronize(self, event: int) -> None:
        """Wait until the event was reached, at once when it was never recorded."""

    @abstractmethod
    def event_elapsed_ms(self, first: int, second: int) -> float:
        """Milliseconds between two events that were reached."""

    @abstractmethod
    def event_destroy(self, event: int) -> None:
        """Give an event back."""

    @abstractmethod
    def device_alloc(self, nbytes: int) -> int:
        """A pointer to memory of the GPU; its content is undefined."""

    @abstractmethod
    def device_free(self, pointer: int) -> None:
        """Give memory of the GPU back."""

    @abstractmethod
    def host_alloc(self, nbytes: int, mapped: bool) -> HostMemory:
        """Page-locked host memory, ``mapped`` into the GPU's addresses or not; its content is undefined."""

    @abstractmethod
    def host_free(self, memory: HostMemory) -> None:
        """Give page-locked memory back; its array must not be used any more."""

    @abstractmethod
    def upload(self, pointer: int, source: NDArray[np.uint8], stream: int) -> None:
        """Copy contiguous page-locked memory to the GPU."""

    @abstractmethod
    def download(self, target: NDArray[np.uint8], pointer: int, stream: int) -> None:
        """Copy from the GPU into contiguous page-locked memory."""

    @abstractmethod
    def copy_rows(
        self, target: int, target_pitch: int, source: int, source_pitch: int, width: int, rows: int, stream: int
    ) -> None:
        """Copy ``rows`` rows of ``width`` bytes, ``pitch`` bytes apart, between memory that the GPU addresses."""

    @abstractmethod
    def fill(self, pointer: int, value: int, nbytes: int, stream: int) -> None:
        """Set bytes of the GPU's memory to a value."""

    @abstractmethod
    def compile(self, source: str, name: str) -> bytes:
        """CUDA source to code for this GPU. The compiler is looked for, and loaded, here and nowhere else.

        Args:
            source: CUDA source of the whole file.
            name: Name of the file, for messages.
        """

    @abstractmethod
    def module_load(self, image: bytes) -> int:
        """Load what ``compile`` made, with this provider or another one.

        Raises:
            RefusedCodeError: The driver does not take this code.
            MachineError: The GPU fails, or has no memory left.
        """

    @abstractmethod
    def module_function(self, module: int, entry: str) -> int:
        """A kernel of a module by its unmangled name."""

    @abstractmethod
    def module_unload(self, module: int) -> None:
        """Give a module back."""

    @abstractmethod
    def launch(self, function: int, launch: Launch, stream: int) -> None:
        """Run a kernel; its arguments are read before this returns."""

    @abstractmethod
    def capture_begin(self, stream: int) -> None:
        """Begin to record the stream's work, as enqueued by this thread, instead of doing it."""

    @abstractmethod
    def capture_end(self, stream: int) -> int:
        """End the recording, come what may, and make a graph of it that can be launched."""

    @abstractmethod
    def graph_launch(self, graph: int, stream: int) -> None:
        """Enqueue all work of a graph."""

    @abstractmethod
    def graph_destroy(self, graph: int) -> None:
        """Give a graph back."""
