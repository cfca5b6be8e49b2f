"""Memory of the GPU's results: one buffer where it shares the processor's memory, two and a copy elsewhere."""

from __future__ import annotations

from contextlib import ExitStack

from typing_extensions import override

from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.objects import Stream
from fcn_edge.io.closeable import Closeable

__all__ = ["ResultBuffer"]


class ResultBuffer(Closeable):
    """A buffer that the GPU writes and the host reads.

    An integrated GPU writes into page-locked memory that is mapped into its addresses: both sides are the same, and
    nothing is copied. The decoder writes each byte of a mask once, in rows of 16, which such memory is good for. It is
    none for frames, which are copied to every GPU: an integrated one reads page-locked memory past its caches ("CUDA
    for Tegra", memory selection), and the first kernel reads each byte of a frame many times over. Other GPUs would
    read and write over the bus.

    What the GPU wrote may be read on the host once the stream, or an event after ``to_host``, was waited for.

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

    def to_host(self, stream: Stream) -> None:
        """Enqueue what brings the device side to the host."""
        if not self.shared:
            stream.download(self.array, self.pointer)

    @override
    def close(self) -> None:
        self.array = self.array[:0]
        self._made.close()
