"""What one frame needs on its way through the GPU."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.artifacts.spec import Size
from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.memory import ResultBuffer
from fcn_edge.backends.cuda.objects import Event, Graph, HostBuffer, Stream
from fcn_edge.io.closeable import Closeable
from fcn_edge.ops.geometry import Placement
from fcn_edge.ops.kernels import Launch

__all__ = ["Slot", "SlotKind", "Source"]

Source = Literal["frame", "image", "device"]
"""What a frame enters the GPU as: as captured, as the network's input, or as captured and there already."""

_ALIGNMENT = 16
_FLAG_BYTES = 4


@dataclass(frozen=True)
class SlotKind:
    """What a slot is made for; frames of one kind may use each other's slots and graphs.

    Attributes:
        source: How the frame enters.
        place: Where it lies in the network's input.
        with_scores: The network's scores come back to the host with each mask.
    """

    source: Source
    place: Placement
    with_scores: bool = False


class Slot(Closeable):
    """Memory, events and a graph for one frame at a time.

    Args:
        device: The GPU, current in this thread.
        kind: What it is made for.
        output_bytes: Size of the network's output.
        mask_size: ``(height, width)`` of what comes back to the host.
        decoded: A kernel makes the mask; else the network's output is copied.

    Attributes:
        kind: What it is made for.
        staged: The frame, or the network's input, in page-locked memory; None for a frame that is on the GPU already.
        source_pointer: The frame on the device; 0 where the network's own input is staged.
        scores: This frame's scores in page-locked memory, complete when it is done; None where the kind has none.
        mask: What comes back: the rows of the mask, ``pitch`` bytes apart, then an int32 that is 1 when the scores
            hold NaN or infinity, and 0 otherwise.
        pitch: Bytes from one row of the mask to the next, a multiple of 16, as GPUs write fastest.
        started: Reached before the first step.
        uploaded: Reached after the copy that brings the frame to the GPU; None where there is none.
        preprocessed: Reached when the network's input is made.
        inferred: Reached after the network.
        computed: Reached before the copy that brings the mask to the host; None where there is none.
        done: Reached after the last step.
        arrived: Reached when a frame of the GPU was copied into the slot; None for other sources.
        copied_from: What keeps the memory of a frame whose copy nobody waited for yet; None else.
        pending: Its work is enqueued and was not waited for.
        enqueue_ns: Nanoseconds that the host took to enqueue the work of the last frame.
        graph: The steps captured; None until then, or where they cannot be.
        preprocess: The first kernel's launch on the slot's memory, kept for all its frames; None until it is needed.
        decode: The same of the last kernel.
    """

    def __init__(self, device: Device, kind: SlotKind, output_bytes: int, mask_size: Size, decoded: bool) -> None:
        self.kind = kind
        self.pitch = -(-mask_size[1] // _ALIGNMENT) * _ALIGNMENT
        self.staged: HostBuffer | None = None
        self.source_pointer = 0
        self.scores: HostBuffer | None = None
        self.graph: Graph | None = None
        self.preprocess: Launch | None = None
        self.decode: Launch | None = None
        self.pending = False
        self.enqueue_ns = 0
        self.copied_from: Any = None
        self._mask_size = mask_size
        size = kind.place.network_size if kind.source == "image" else kind.place.frame_size
        nbytes = size[0] * size[1] * 3
        with ExitStack() as made:
            if kind.source != "device":
                self.staged = made.enter_context(device.host_buffer(nbytes))
            if kind.source != "image":
                self.source_pointer = made.enter_context(device.device_buffer(nbytes)).pointer
            if kind.with_scores:
                self.scores = made.enter_context(device.host_buffer(output_bytes))
            self.mask = made.enter_context(ResultBuffer(device, self._flag_at + _FLAG_BYTES))
            self.started: Event = made.enter_context(device.event())
            self.preprocessed: Event = made.enter_context(device.event())
            self.inferred: Event = made.enter_context(device.event())
            self.done: Event = made.enter_context(device.event())
            self.arrived: Event | None = made.enter_context(device.event()) if kind.source == "device" else None
            self.uploaded: Event | None = None
            self.computed: Event | None = None
            if kind.source == "image":  # it comes by copies alone
                self.uploaded = self.preprocessed
            elif self.staged is not None:
                self.uploaded = made.enter_context(device.event())
            if not decoded or kind.with_scores or not self.mask.shared:  # labels and scores are copied in any case
                self.computed = made.enter_context(device.event())
            self._made = made.pop_all()

    @property
    def flag_pointer(self) -> int:
        """The int32 behind the mask, on the device."""
        return self.mask.pointer + self._flag_at

    @property
    def flagged(self) -> bool:
        """The scores hold NaN or infinity; known when the frame is done."""
        return bool(self.mask.array[self._flag_at :].any())

    @property
    def mask_array(self) -> NDArray[np.uint8]:
        """The mask in page-locked memory, not contiguous; complete when the frame is done, gone with the next one."""
        height, width = self._mask_size
        return self.mask.array[: self._flag_at].reshape(height, self.pitch)[:, :width]

    def wait(self) -> None:
        """Wait until the frame is done, or copied where it was not inferred; the GPU must be current."""
        if self.pending:
            self.done.synchronize()
            self.pending = False
        elif self.copied_from is not None and self.arrived is not None:
            self.arrived.synchronize()
        self.copied_from = None

    def begin(self) -> None:
        """What the host does before the frame's work is enqueued, each time; no work of the slot is under way."""
        # Where the mask is mapped, so is the flag, and the host sets it to 0: what it wrote before a launch the GPU
        # sees. A memset of host memory in a graph would be one node more, and one that no board was seen to run.
        if self.mask.shared:
            self.mask.array[self._flag_at :] = 0

    def clear_flag(self, stream: Stream) -> None:
        """Enqueue what sets a flag in the GPU's own memory to 0."""
        if not self.mask.shared:
            stream.fill(self.flag_pointer, 0, _FLAG_BYTES)

    @property
    def _flag_at(self) -> int:
        return self._mask_size[0] * self.pitch

    @override
    def close(self) -> None:
        with self._made:
            if self.graph is not None:
                self.graph.close()
