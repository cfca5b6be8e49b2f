"""A GPU and what lives on it, each closed by whoever made it. Which CUDA library is beneath does not show.

    with open_device() as device, device.current(), device.stream() as stream, device.device_buffer(16) as buffer:
        stream.fill(buffer.pointer, 0, 16)
        stream.synchronize()

A GPU is *current* per thread: every call needs ``Device.current()`` around it, in each thread that makes calls. The
context is the GPU's primary one, which CUDA's runtime, TensorRT, ONNX Runtime and torch use as well, so that pointers
and streams can be handed over.
"""

from __future__ import annotations

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
from fcn_edge.errors import MachineError, MissingExtraError
from fcn_edge.io.closeable import Closeable

__all__ = ["PROVIDERS", "Device", "open_device"]

PROVIDERS = MappingProxyType(
    {
        "pycuda": "fcn_edge.backends.cuda.providers.pycuda",
        "cuda-python": "fcn_edge.backends.cuda.providers.cuda_python",
    }
)
"""Libraries that reach the GPU and the modules that use them, the first one that is installed and can compile is taken.

pycuda, where it is, was built on this machine against its own driver; cuda-python comes as a wheel.
"""


def open_device(index: int = 0) -> Device:
    """A GPU of the machine. No context is made before it becomes current.

    Args:
        index: Which one, from 0, as CUDA counts them.

    Raises:
        MissingExtraError: No CUDA library is installed.
        MachineError: One is, and cannot be loaded or has no compiler.
        DeviceError: There is no driver or no such GPU.
    """
    failed: MachineError | None = None
    for module in PROVIDERS.values():
        try:
            driver: Driver | None = import_module(module).open_gpu(index)
        except MachineError as error:  # the next library may do better
            failed = failed or error
            continue
        if driver is not None:
            return Device(driver)
    raise failed or _missing()


def _missing() -> MissingExtraError:
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
                image = kernel_cache.image_of(self._driver, source, name, self._cache)
                self._modules[source] = self._driver.module_load(image)
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
