"""What lives on a GPU: memory, streams, events and graphs, each given back once by whoever made it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.backends.cuda.driver import Driver
from fcn_edge.errors import MachineError
from fcn_edge.io.closeable import Closeable
from fcn_edge.ops.kernels import Launch

__all__ = ["DeviceBuffer", "Event", "Graph", "HostBuffer", "Stream", "idle_afterwards"]


class _Owned(Closeable):
    """A handle that is given back once."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._closed = False

    @abstractmethod
    def _release(self) -> None:
        """Give the handle back; called once."""

    @override
    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._release()


class DeviceBuffer(_Owned):
    """Memory of the GPU.

    Attributes:
        pointer: Where it is.
        nbytes: How long it is.
    """

    def __init__(self, driver: Driver, nbytes: int) -> None:
        super().__init__(driver)
        self.nbytes = nbytes
        self.pointer = driver.device_alloc(nbytes)

    @override
    def _release(self) -> None:
        self._driver.device_free(self.pointer)


class HostBuffer(_Owned):
    """Page-locked host memory.

    Attributes:
        array: ``(nbytes,)`` uint8; what the GPU writes may be read once the stream or an event after it was waited for.
        pointer: On the GPU; 0 where it is not mapped.
        nbytes: How long it is.
    """

    def __init__(self, driver: Driver, nbytes: int, mapped: bool) -> None:
        super().__init__(driver)
        self.nbytes = nbytes
        self._memory = driver.host_alloc(nbytes, mapped)
        self.array = self._memory.array
        self.pointer = self._memory.pointer

    @override
    def _release(self) -> None:
        self.array = np.empty(0, np.uint8)
        self._driver.host_free(self._memory)


class Event(_Owned):
    """A point in a stream's work."""

    def __init__(self, driver: Driver) -> None:
        super().__init__(driver)
        self.handle = driver.event_create()

    def synchronize(self) -> None:
        """Wait until it was reached; at once when it was never recorded."""
        self._driver.event_synchronize(self.handle)

    def ns_since(self, earlier: Event) -> int:
        """Nanoseconds that the GPU took from another event to this one; both were reached."""
        return round(self._driver.event_elapsed_ms(earlier.handle, self.handle) * 1e6)

    @override
    def _release(self) -> None:
        self._driver.event_destroy(self.handle)


class Graph(_Owned):
    """Captured work that is enqueued as one."""

    def __init__(self, driver: Driver, handle: int) -> None:
        super().__init__(driver)
        self.handle = handle

    @override
    def _release(self) -> None:
        self._driver.graph_destroy(self.handle)


class Stream(_Owned):
    """Work of the GPU, done in the order in which it is enqueued; no method but ``synchronize`` waits for it.

    Attributes:
        handle: What other libraries know it by.
        capturing: Its work is being recorded.
    """

    def __init__(self, driver: Driver) -> None:
        super().__init__(driver)
        self.handle = driver.stream_create()
        self.capturing = False

    def synchronize(self) -> None:
        """Wait until all its work is done."""
        self._driver.stream_synchronize(self.handle)

    def join(self, other: int) -> None:
        """Let later work wait for what another library's stream, by its handle, holds now."""
        self._driver.stream_join(self.handle, other)

    def wait(self, event: Event) -> None:
        """Let later work wait, on the GPU, for an event of another stream; the host goes on."""
        self._driver.stream_wait(self.handle, event.handle)

    def record(self, event: Event) -> None:
        """Reach the event here; a graph reaches it at each launch."""
        self._driver.event_record(event.handle, self.handle, self.capturing)

    def upload(self, pointer: int, source: NDArray[np.uint8]) -> None:
        """Copy contiguous bytes of a ``HostBuffer`` to the GPU."""
        self._driver.upload(pointer, source, self.handle)

    def download(self, target: NDArray[np.uint8], pointer: int) -> None:
        """Copy from the GPU into contiguous bytes of a ``HostBuffer``."""
        self._driver.download(target, pointer, self.handle)

    def copy_rows(self, target: int, target_pitch: int, source: int, source_pitch: int, width: int, rows: int) -> None:
        """Copy ``rows`` rows of ``width`` bytes, ``pitch`` bytes apart, between memory that the GPU addresses."""
        self._driver.copy_rows(target, target_pitch, source, source_pitch, width, rows, self.handle)

    def copy(self, target: int, source: int, nbytes: int) -> None:
        """Copy bytes between memory that the GPU addresses."""
        self._driver.copy_rows(target, nbytes, source, nbytes, nbytes, 1, self.handle)

    def fill(self, pointer: int, value: int, nbytes: int) -> None:
        """Set bytes of the GPU's memory."""
        self._driver.fill(pointer, value, nbytes, self.handle)

    def launch(self, function: int, launch: Launch) -> None:
        """Run a kernel.

        Args:
            function: Handle of the kernel, from ``Device.function``.
            launch: How it is run; one that is used again costs less, for its arguments are packed already.
        """
        self._driver.launch(function, launch, self.handle)

    def launch_graph(self, graph: Graph) -> None:
        """Enqueue a graph's work."""
        self._driver.graph_launch(graph.handle, self.handle)

    def capture(self, work: Callable[[], None]) -> Graph:
        """A graph of the work that a function enqueues on this stream; none of it is done.

        The function must not wait for the GPU. Work that other threads enqueue on this stream meanwhile would be
        recorded, too: only one thread may use it.

        Raises:
            MachineError: The work cannot be captured. The stream can be used as before.
        """
        self._driver.capture_begin(self.handle)
        self.capturing = True
        try:
            work()
        except BaseException:
            self._discard_capture()
            raise
        finally:
            self.capturing = False
        return Graph(self._driver, self._driver.capture_end(self.handle))

    def _discard_capture(self) -> None:
        try:
            graph = self._driver.capture_end(self.handle)
        except MachineError:  # an invalidated capture has no graph, and the error that made it so is on its way
            return
        self._driver.graph_destroy(graph)

    @override
    def _release(self) -> None:
        self._driver.stream_destroy(self.handle)


@contextmanager
def idle_afterwards(stream: Stream) -> Iterator[None]:
    """When the block fails, wait for what it enqueued: the memory may be lent to another frame at once, or freed."""
    try:
        yield
    except BaseException:
        with suppress(MachineError):
            stream.synchronize()
        raise
