"""The network's output on the GPU, and the scores of a frame out of it."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.frame_work import FrameWork, Network
from fcn_edge.backends.cuda.objects import Event, HostBuffer, Stream, idle_afterwards
from fcn_edge.backends.cuda.slots import Slot
from fcn_edge.io.closeable import Closeable

__all__ = ["NetworkOutput"]


class NetworkOutput(Closeable):
    """What the network made last: one memory for all frames of a session, one after the other.

    Close it when the stream's work is done.

    Args:
        device: The GPU, current in this thread.
        stream: The network's stream.
        network: Whose output it is.
        work: Runs the network for a slot.

    Attributes:
        enqueueing: Held by whoever enqueues on the stream: the thread that infers, and one that asks for scores.
        slot: The slot of the frame that it is of once the stream's work is done; None where that is not known. Read
            and written under ``enqueueing``.
    """

    def __init__(self, device: Device, stream: Stream, network: Network, work: FrameWork) -> None:
        self.enqueueing = threading.Lock()
        self.slot: Slot | None = None
        self._device = device
        self._stream = stream
        self._network = network
        self._work = work
        self._buffer: HostBuffer | None = None
        self._arrived: Event = device.event()

    def scores_of(self, slot: Slot) -> NDArray[np.float32]:
        """``(C, h, w)`` float32: the scores of a slot's frame, which is lent and done.

        Raises:
            MachineError: The GPU fails, or has no memory left.
        """
        buffer = slot.scores or self._fetched(slot)
        scores = buffer.array.view(self._network.output_dtype).reshape(self._network.output_shape)
        return scores.astype(np.float32)

    def _fetched(self, slot: Slot) -> HostBuffer:
        """The scores of a frame whose slot does not keep them.

        Where another frame was inferred since, this one, which its slot still holds, is inferred again: that costs
        those who ask late, and not every frame a copy for nobody.
        """
        with self._device.current():
            with self.enqueueing, idle_afterwards(self._stream):
                if self._buffer is None:
                    self._buffer = self._device.host_buffer(self._work.output_bytes)
                if self.slot is not slot:
                    self.slot = None
                    self._work.infer(self._stream, slot)
                    self.slot = slot
                self._stream.download(self._buffer.array, self._network.output_pointer)
                self._stream.record(self._arrived)
            self._arrived.synchronize()
        return self._buffer

    @override
    def close(self) -> None:
        with ExitStack() as closing:
            closing.callback(self._arrived.close)
            if self._buffer is not None:
                closing.callback(self._buffer.close)
