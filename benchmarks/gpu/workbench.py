"""A GPU with one stream, memory and a clock, for kernels outside sessions."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from typing_extensions import override

from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.kernels import Kernels
from fcn_edge.io.closeable import Closeable
from fcn_edge.ops.kernels import Launch
from gpu.settings import Settings

__all__ = ["Workbench"]

_FEWEST_WARM_UPS = 3

_SCRATCH_BYTES = 128 << 20
"""More than the caches of today's GPUs hold."""


class Workbench(Closeable):
    """A GPU at work; everything that lies on it is given back together. For one thread.

    Args:
        device: The GPU; it outlives the workbench.
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        with ExitStack() as made:
            made.enter_context(device.current())
            self.stream = made.enter_context(device.stream())
            self._kernels = Kernels(device)
            self._made = made.pop_all()

    def room(self, nbytes: int) -> int:
        """The address of new memory on the GPU."""
        return self._made.enter_context(self.device.device_buffer(nbytes)).pointer

    def put(self, values: NDArray[Any]) -> int:
        """The address of an array's copy on the GPU."""
        content = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        pointer = self.room(content.nbytes)
        with self.device.host_buffer(content.nbytes) as staged:
            staged.array[...] = content
            self.stream.upload(pointer, staged.array)
            self.stream.synchronize()
        return pointer

    def put_repeated(self, values: NDArray[Any], count: int) -> int:
        """The address of ``count`` items, those of an array over and over, each with memory of its own."""
        pointer = self.room(values[0].nbytes * count)
        kept = self.put(values)
        for index in range(count):
            step = values[0].nbytes
            self.stream.copy(pointer + index * step, kept + index % len(values) * step, step)
        self.stream.synchronize()
        return pointer

    def get(self, pointer: int, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """A copy of an array on the GPU, when all work before is done."""
        values = np.empty(shape, dtype)
        with self.device.host_buffer(values.nbytes) as staged:
            self.stream.download(staged.array, pointer)
            self.stream.synchronize()
            values.reshape(-1).view(np.uint8)[...] = staged.array
        return values

    def launch(self, launch: Launch) -> None:
        """Enqueue a kernel."""
        self._kernels.launch(self.stream, launch)

    def median_ns(self, work: Callable[[], None], settings: Settings) -> int:
        """Nanoseconds of enqueued work on the GPU's own clock, the median.

        The GPU is kept busy until all of it is enqueued: an idle one would stamp the first event at once, and what the
        processor takes for the launch would count. Caches hold nothing of the work then.
        """
        deadline = time.perf_counter() + settings.warm_up_s
        done = 0
        while done < _FEWEST_WARM_UPS or time.perf_counter() < deadline:
            work()
            self.stream.synchronize()
            done += 1
        times = []
        with self.device.event() as first, self.device.event() as last:
            for _ in range(settings.repeats):
                for _ in range(settings.fills):
                    self.stream.fill(self._scratch, 0, _SCRATCH_BYTES)
                self.stream.record(first)
                work()
                self.stream.record(last)
                last.synchronize()
                times.append(last.ns_since(first))
        return round(statistics.median(times))

    def at_once(self, work: Callable[[], None]) -> tuple[Callable[[], None], bool]:
        """Work of many launches as one graph, where the library has graphs, and whether it is one.

        Without one, the time between launches may be the processor's.
        """
        work()
        self.stream.synchronize()
        if not self.device.has_graphs:
            return work, False
        graph = self._made.enter_context(self.stream.capture(work))
        return lambda: self.stream.launch_graph(graph), True

    @cached_property
    def _scratch(self) -> int:
        return self.room(_SCRATCH_BYTES)

    @override
    def close(self) -> None:
        self._made.close()
