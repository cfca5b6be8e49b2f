"""A GPU on host memory that records every call and refuses what a real one would punish, for tests.

    gpu = FakeGpu(kernels={"blend": blend})        # a Python function for each kernel that is launched
    with Device(gpu) as device: ...
    gpu.calls                                      # what was called, in order
    FakeGpu(fail_at=7)                             # the seventh call fails

Work is done when somebody waits for it, not when it is enqueued: who reads a result too early, or writes into memory
that queued work still needs, gets wrong bytes, as on a GPU. What is refused (``CudaMisuseError``): memory used after it
was freed, freed twice, freed under queued work, or left at the end; copies out of bounds or from pageable memory; work
on the default stream; calls in a thread without the context; arguments that are not those of the kernel's source;
waiting or allocating while a stream is captured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.backends.cuda.driver import Driver, GpuFacts, HostMemory
from fcn_edge.backends.cuda.errors import cuda_error
from fcn_edge.ops.kernels import Launch
from fcn_edge.testing.gpu_calls import FakeCalls
from fcn_edge.testing.gpu_kernels import FakeKernel, FakeModules
from fcn_edge.testing.gpu_memory import CudaMisuseError, FakeMemory, Range
from fcn_edge.testing.gpu_streams import FakeStreams, Work

__all__ = ["CudaMisuseError", "FakeGpu", "FakeKernel"]


class FakeGpu(Driver):
    """A fake of a ``Driver``.

    Args:
        kernels: What launches do, by entry name; others are refused.
        integrated: It shares the host's memory.
        has_graphs: Streams can be captured.
        fail_at: Number of the call, from 1, that fails (or the next one that can); handles that it gives back are
            given back nevertheless.
        sticky: All calls after it fail, too, as after a kernel's bad access.
        total_bytes: Size of its memory; allocations beyond it fail.
        capability: Compute capability.
        multiprocessors: How many it has.
        index: Which of the machine's GPUs it is.

    Attributes:
        calls: Every call with what identifies it, in order: ``("upload", 18432)``, ``("launch", "decode")``.
        memory: What is allocated.
        modules: What is loaded, what of it is refused, and what kernels read of mapped memory.
    """

    def __init__(
        self,
        kernels: Mapping[str, FakeKernel] | None = None,
        *,
        integrated: bool = False,
        has_graphs: bool = True,
        fail_at: int | None = None,
        sticky: bool = False,
        total_bytes: int = 1 << 33,
        capability: tuple[int, int] = (8, 7),
        multiprocessors: int = 16,
        index: int = 0,
    ) -> None:
        self.facts = GpuFacts("Fake GPU", capability, multiprocessors, integrated, total_bytes, (13, 0), "fake", index)
        self.has_graphs = has_graphs
        self.memory = FakeMemory()
        self.modules = FakeModules(self.memory, kernels or {})
        self._handles = 0x100
        self._streams = FakeStreams(self.memory)
        self._calls = FakeCalls(self._streams, fail_at, sticky)
        self.calls = self._calls.made
        self._hosts: dict[int, HostMemory] = {}
        self._lent: set[int] = set()

    @property
    def failed(self) -> str:
        """Name of the call that ``fail_at`` made fail; empty until then."""
        return self._calls.failed

    @property
    def host_waits(self) -> int:
        """How often the host waited for the GPU."""
        return self._calls.waits

    @property
    def closed(self) -> bool:
        """The context was given back."""
        return self._calls.closed

    @property
    def entered(self) -> int:
        """How often this thread made the GPU current and did not undo it."""
        return self._calls.entered

    @property
    def leftovers(self) -> list[str]:
        """What was made and not given back."""
        with self._calls.lock:  # other threads make and give back
            kinds: dict[str, Mapping[int, Any]] = {
                "stream": self._streams.live,
                "event": self._streams.events,
                "module": self.modules.live,
                "graph": self._streams.graphs,
                "memory": {address: None for address in self.memory.live if address not in self._lent},
            }
            return [f"{kind} {handle:#x}" for kind, made in kinds.items() for handle in made]

    def lend(self, content: NDArray[np.uint8]) -> int:
        """A device address for memory of another library, which this one need not free."""
        pointer = self.memory.place(content)
        self._lent.add(pointer)
        return pointer

    def enqueue(self, stream: int, name: str, run: Callable[[], None], pointers: Sequence[int] = ()) -> None:
        """Work of another library on a stream, as TensorRT's.

        Args:
            stream: The stream.
            name: Recorded in ``calls``.
            run: Does the work.
            pointers: Memory that it reads or writes.
        """
        with self._calls.call(name):
            self._streams.add(stream, Work(name, run, tuple(self.memory.whole(pointer) for pointer in pointers)))

    @override
    def enter(self) -> None:
        # who could once make the GPU current can again; the first time makes its context, which may fail
        with self._calls.call("enter", current=False, fails=not self.leftovers):
            self._calls.enter()

    @override
    def leave(self) -> None:
        self._calls.leave()

    @override
    def close(self) -> None:
        if self.closed:
            raise CudaMisuseError("the context is given back twice")
        self._calls.closed = True
        if self.leftovers:
            raise CudaMisuseError(f"left at the end: {', '.join(self.leftovers)}")

    @override
    def free_bytes(self) -> int:
        with self._calls.call("free_bytes"):
            return self.facts.total_bytes - self._used()

    @override
    def stream_create(self) -> int:
        with self._calls.call("stream_create"):
            return self._streams.create(self._handle())

    @override
    def stream_synchronize(self, stream: int) -> None:
        with self._calls.call("stream_synchronize", waits=True):
            self._streams.drain(stream)

    @override
    def stream_join(self, stream: int, other: int) -> None:
        with self._calls.call("stream_join", other):
            if other == 0:
                raise CudaMisuseError("0 may be one of two default streams; the legacy one is 1")
            self._streams.join(stream, other)

    @override
    def stream_wait(self, stream: int, event: int) -> None:
        with self._calls.call("stream_wait"):
            self._streams.add_wait(stream, event)

    @override
    def stream_destroy(self, stream: int) -> None:
        with self._calls.call("stream_destroy", undo=lambda: self._streams.live.pop(stream)):
            self._streams.destroy(stream)

    @override
    def event_create(self) -> int:
        with self._calls.call("event_create"):
            return self._streams.create_event(self._handle())

    @override
    def event_record(self, event: int, stream: int, in_graph: bool) -> None:
        with self._calls.call("event_record"):
            self._streams.record(event, stream, in_graph)

    @override
    def event_synchronize(self, event: int) -> None:
        with self._calls.call("event_synchronize", waits=True):
            self._streams.reach(event)

    @override
    def event_elapsed_ms(self, first: int, second: int) -> float:
        with self._calls.call("event_elapsed_ms"):
            return self._streams.ns_between(first, second) / 1e6

    @override
    def event_destroy(self, event: int) -> None:
        with self._calls.call("event_destroy", undo=lambda: self._streams.events.pop(event)):
            self._streams.destroy_event(event)

    @override
    def device_alloc(self, nbytes: int) -> int:
        with self._calls.call("device_alloc", nbytes, allocates=True):
            if self._used() + nbytes > self.facts.total_bytes:
                raise cuda_error("device_alloc", "CUDA_ERROR_OUT_OF_MEMORY")
            return self.memory.allocate(nbytes)

    @override
    def device_free(self, pointer: int) -> None:
        with self._calls.call("device_free", allocates=True, undo=lambda: self.memory.free(pointer)):
            self._free(pointer)

    @override
    def host_alloc(self, nbytes: int, mapped: bool) -> HostMemory:
        with self._calls.call("host_alloc", nbytes, "mapped" if mapped else "pinned", allocates=True):
            array = self.memory.add_host(nbytes)
            made = HostMemory(array.ctypes.data, self.memory.place(array) if mapped else 0, array)
            self._hosts[made.address] = made
            return made

    @override
    def host_free(self, memory: HostMemory) -> None:
        def undo() -> None:
            for address in filter(None, (memory.pointer, memory.address)):
                self.memory.free(address)

        with self._calls.call("host_free", allocates=True, undo=undo):
            for address in filter(None, (memory.pointer, memory.address)):
                self._free(address)
            del self._hosts[memory.address]

    @override
    def upload(self, pointer: int, source: NDArray[np.uint8], stream: int) -> None:
        with self._calls.call("upload", source.nbytes):
            self._add_copy(stream, "upload", self._pinned(source), pointer, source.size)

    @override
    def download(self, target: NDArray[np.uint8], pointer: int, stream: int) -> None:
        with self._calls.call("download", target.nbytes):
            self._add_copy(stream, "download", pointer, self._pinned(target), target.size, target)

    @override
    def copy_rows(
        self, target: int, target_pitch: int, source: int, source_pitch: int, width: int, rows: int, stream: int
    ) -> None:
        with self._calls.call("copy_rows", width, rows):
            if width > min(target_pitch, source_pitch):
                raise CudaMisuseError(f"rows of {width} bytes overlap at pitches of {target_pitch} and {source_pitch}")
            starts = [(target + row * target_pitch, source + row * source_pitch) for row in range(rows)]

            def run() -> None:
                for to, of in starts:
                    self.memory.view(to, np.uint8, width)[...] = self.memory.view(of, np.uint8, width)

            for address in (*starts[0], *starts[-1]):
                self.memory.view(address, np.uint8, width)
            touches = Range(*self._span(starts, 0, width)), Range(*self._span(starts, 1, width))
            self._streams.add(stream, Work("copy_rows", run, touches))

    @override
    def fill(self, pointer: int, value: int, nbytes: int, stream: int) -> None:
        with self._calls.call("fill", value, nbytes):
            self.memory.view(pointer, np.uint8, nbytes)

            def run() -> None:
                self.memory.view(pointer, np.uint8, nbytes)[...] = value

            self._streams.add(stream, Work("fill", run, (Range(pointer, nbytes),)))

    @override
    def compile(self, source: str, name: str) -> bytes:
        with self._calls.call("compile", name):
            return source.encode()

    @override
    def module_load(self, image: bytes) -> int:
        with self._calls.call("module_load", allocates=True):
            return self.modules.load(self._handle(), image)

    @override
    def module_function(self, module: int, entry: str) -> int:
        with self._calls.call("module_function", entry):
            return self.modules.find(self._handle(), module, entry)

    @override
    def module_unload(self, module: int) -> None:
        with self._calls.call("module_unload", undo=lambda: self.modules.live.pop(module)):
            del self.modules.live[module]

    @override
    def launch(self, function: int, launch: Launch, stream: int) -> None:
        with self._calls.call("launch", self.modules.entry(function)):
            self._streams.add(stream, self.modules.work_of(function, launch))

    @override
    def capture_begin(self, stream: int) -> None:
        with self._calls.call("capture_begin"):
            if not self.has_graphs:
                raise cuda_error("capture_begin", "CUDA_ERROR_NOT_SUPPORTED")
            self._streams.begin_capture(stream)

    @override
    def capture_end(self, stream: int) -> int:
        works = self._streams.end_capture(stream)
        with self._calls.call("capture_end"):
            if works is None:
                raise cuda_error("capture_end", "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED")
            graph = self._handle()
            self._streams.graphs[graph] = works
            return graph

    @override
    def graph_launch(self, graph: int, stream: int) -> None:
        with self._calls.call("graph_launch"):
            for work in self._streams.graphs[graph]:
                self._streams.add(stream, work)

    @override
    def graph_destroy(self, graph: int) -> None:
        with self._calls.call("graph_destroy", undo=lambda: self._streams.graphs.pop(graph)):
            del self._streams.graphs[graph]

    def _used(self) -> int:
        hosts = {id(host.array) for host in self._hosts.values()}
        return sum(content.size for content in self.memory.live.values() if id(content) not in hosts)

    def _handle(self) -> int:
        self._handles += 1
        return self._handles

    def _free(self, address: int) -> None:
        if address in self.memory.live:
            for range_ in self.memory.aliases(self.memory.whole(address)):
                user = self._streams.user_of(range_)
                if user:
                    raise CudaMisuseError(f"{address:#x} is freed while {user} is queued")
        self.memory.free(address)

    def _pinned(self, array: NDArray[np.uint8]) -> int:
        """The address of an array of page-locked memory."""
        if not array.flags.c_contiguous or array.dtype != np.uint8:
            raise CudaMisuseError("a copy of an array that is not contiguous bytes")
        start = array.ctypes.data
        if self.memory.whole(start).start not in self._hosts:
            raise CudaMisuseError("an asynchronous copy of memory that is not page-locked")
        self.memory.view(start, np.uint8, array.size)
        return start

    @staticmethod
    def _span(starts: list[tuple[int, int]], which: int, width: int) -> tuple[int, int]:
        first = starts[0][which]
        return first, starts[-1][which] + width - first

    def _add_copy(
        self,
        stream: int,
        name: str,
        source: int,
        target: int,
        nbytes: int,
        host_target: NDArray[np.uint8] | None = None,
    ) -> None:
        def run() -> None:
            self.memory.view(target, np.uint8, nbytes)[...] = self.memory.view(source, np.uint8, nbytes)

        for address in (source, target):
            self.memory.view(address, np.uint8, nbytes)
        self._streams.add(stream, Work(name, run, (Range(source, nbytes), Range(target, nbytes)), host_target))
