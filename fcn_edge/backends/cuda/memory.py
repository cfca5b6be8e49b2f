"""Memory that the processor and the GPU both see: one buffer where they share memory, two and a copy elsewhere."""

from __future__ import annotations

from contextlib import ExitStack

from typing_extensions import override

from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.objects import Stream
from fcn_edge.io.closeable import Closeable

__all__ = ["MappedBuffer"]


class MappedBuffer(Closeable):
    """A buffer with a host side and a device side.

    On an integrated GPU both are the same page-locked memory, mapped into the GPU's addresses, and nothing is copied.
    Other GPUs would read mapped memory over the bus, pixel by pixel: there the device side is the GPU's own, and
    ``to_device`` and ``to_host`` copy. Either way, what the GPU wrote may be read on the host once the stream, or an
    event after ``to_host``, was waited for.

    Args:
        device: The GPU, current in this thread.
        nbytes: How long it is.

    Attributes:
        array: ``(nbytes,)`` uint8, the host side.
        pointer: The device side.
        shared: Both are the same memory.
    """

    def __init__(self, device: Device, nbytes: int) -> None:
        self.shared = device.facts.integrated
        with ExitStack() as made:
            self._host = made.enter_context(device.host_buffer(nbytes, mapped=self.shared))
            self.array = self._host.array
            self.pointer = self._host.pointer
            if not self.shared:
                self.pointer = made.enter_context(device.device_buffer(nbytes)).pointer
            self._made = made.pop_all()

    def to_device(self, stream: Stream) -> None:
        """Enqueue what brings the host side to the device."""
        if not self.shared:
            stream.upload(self.pointer, self.array)

    def to_host(self, stream: Stream) -> None:
        """Enqueue what brings the device side to the host."""
        if not self.shared:
            stream.download(self.array, self.pointer)

    @override
    def close(self) -> None:
        self.array = self.array[:0]
        self._made.close()
