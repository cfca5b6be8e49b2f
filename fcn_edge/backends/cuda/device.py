"""A GPU and what lives on it, each closed by whoever made it. Which CUDA library is beneath does not show.

    with open_device() as device, device.current(), device.stream() as stream, device.device_buffer(16) as buffer:
        stream.fill(buffer.pointer, 0, 16)
        stream.synchronize()

A GPU is *current* per thread: every call needs ``Device.current()`` around it, in each thread that makes calls. The
context is the GPU's primary one, which CUDA's runtime, TensorRT, ONNX Runtime and torch use as well, so that pointers
and streams can be handed over.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from typing_extensions import override

from fcn_edge.backends.cuda import kernel_cache
from fcn_edge.backends.cuda.driver import Driver, GpuFacts
from fcn_edge.backends.cuda.objects import DeviceBuffer, Event, HostBuffer, Stream
from fcn_edge.errors import MachineError, MissingExtraError, UsageError
from fcn_edge.io.closeable import Closeable

__all__ = ["CHOICE", "PROVIDERS", "Device", "open_device"]

PROVIDERS = MappingProxyType(
    {
        "cuda-python": "fcn_edge.backends.cuda.providers.cuda_python",
        "pycuda": "fcn_edge.backends.cuda.providers.pycuda",
    }
)
"""Libraries that reach the GPU and the modules that use them; the first one that is installed is taken.

pycuda comes second: it has no CUDA graphs, it waits for the whole GPU where another library's stream is to be waited
for, and old projects leave it behind on boards where nobody chose it for this one.
"""

CHOICE = "FCN_EDGE_CUDA"
"""Environment variable that names the one library of ``PROVIDERS`` to take."""


def open_device(index: int = 0) -> Device:
    """A GPU of the machine. No context is made before it becomes current.

    It is reached through the first of ``PROVIDERS`` that is installed and works, or through the one that ``CHOICE``
    names.

    Args:
        index: Which one, from 0, as CUDA counts them.

    Raises:
        UsageError: ``FCN_EDGE_CUDA`` names no library.
        MissingExtraError: No CUDA library is installed, or not the one that was named.
        MachineError: One is, and cannot be loaded.
        DeviceError: There is no driver or no such GPU.
    """
    failed: MachineError | None = None
    chosen = _chosen()
    for name in (chosen,) if chosen else PROVIDERS:
        try:
            driver: Driver | None = import_module(PROVIDERS[name]).open_gpu(index)
        except MachineError as error:  # the next library may do better
            failed = failed or error
            continue
        if driver is not None:
            return Device(driver)
    raise failed or _missing(chosen)


def _chosen() -> str:
    """The library that the environment names; empty where it names none."""
    name = os.environ.get(CHOICE, "")
    if name and name not in PROVIDERS:
        raise UsageError(
            f"{CHOICE} is {name!r}; {' or '.join(PROVIDERS)} was expected.",
            f"Leave {CHOICE} out to take the first of them that is installed.",
        )
    return name


def _missing(chosen: str) -> MissingExtraError:
    if chosen == "pycuda":
        return MissingExtraError(chosen, "pycuda", f"Using the GPU with {CHOICE}=pycuda")
    error = MissingExtraError("cuda-python", "cuda", "Using the GPU")
    error.fix += ", or with a driver for CUDA 12 (JetPack 6): pip install 'fcn_edge[cuda12]'"
    return error


class Device(Closeable):
    """A GPU.

    Args:
        driver: Reaches it; owned.
        cache: Directory of compiled kernels; the user's cache when left out.

    Attributes:
        facts: What it is.
        has_graphs: Streams can be captured.
    """

    def __init__(self, driver: Driver, cache: Path | None = None) -> None:
        self.facts: GpuFacts = driver.facts
        self.has_graphs = driver.has_graphs
        self._driver = driver
        self._cache = cache
        self._modules: dict[str, int] = {}
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def current(self) -> Iterator[None]:
        """The GPU is current in this thread within the block."""
        self._driver.enter()
        try:
            yield
        finally:
            self._driver.leave()

    def free_bytes(self) -> int:
        """Free bytes of its memory."""
        return self._driver.free_bytes()

    def stream(self) -> Stream:
        """A new stream, which does not wait for the default stream."""
        return Stream(self._driver)

    def event(self) -> Event:
        """A new event, which keeps the time."""
        return Event(self._driver)

    def device_buffer(self, nbytes: int) -> DeviceBuffer:
        """New memory of the GPU.

        Raises:
            MachineError: There is not so much left.
        """
        return DeviceBuffer(self._driver, nbytes)

    def host_buffer(self, nbytes: int, mapped: bool = False) -> HostBuffer:
        """New page-locked host memory; ``mapped`` memory has a pointer on the GPU, too.

        Raises:
            MachineError: There is not so much left.
        """
        return HostBuffer(self._driver, nbytes, mapped)

    def function(self, source: str, name: str, entry: str) -> int:
        """A kernel, compiled at its first use on this machine and kept.

        Args:
            source: CUDA source of the whole file.
            name: Name of the file, for messages.
            entry: Unmangled name of the kernel.

        Raises:
            MachineError: There is no compiler, or it refuses the source.
        """
        with self._lock:
            if source not in self._modules:
                self._modules[source] = kernel_cache.module_of(self._driver, source, name, self._cache)
        return self._driver.module_function(self._modules[source], entry)

    @override
    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        with ExitStack() as closing:
            closing.callback(self._driver.close)
            if self._modules:
                closing.enter_context(self.current())
            for module in self._modules.values():
                closing.callback(self._driver.module_unload, module)
