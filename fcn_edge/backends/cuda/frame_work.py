"""What a GPU does with a frame, from the upload to the mask's way back."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.kernels import Kernels
from fcn_edge.backends.cuda.objects import Stream
from fcn_edge.backends.cuda.slots import Slot
from fcn_edge.ops.kernels import Launch, decode_launch, preprocess_launch

__all__ = ["FrameWork", "Network"]


class Network(Protocol):
    """A network on the GPU, for one stream's frames; its memory stays where it is.

    Attributes:
        input_pointer: ``(*size, 3)`` uint8 BGR on the device.
        output_pointer: The output on the device, contiguous.
        output_shape: ``(C, h, w)`` of scores, ``(*size)`` of labels.
        output_dtype: float32 or float16 of scores, uint8 of labels.
    """

    input_pointer: int
    output_pointer: int
    output_shape: tuple[int, ...]
    output_dtype: np.dtype[Any]

    def enqueue(self, stream: int) -> None:
        """Enqueue one run on a stream, by its handle."""

    def capturable(self, stream: int) -> bool:
        """Whether ``enqueue`` may be captured into a graph."""

    def close(self) -> None:
        """Give back what it holds; its work is done."""


class FrameWork:
    """The work of a frame, enqueued step by step.

    Args:
        device: The GPU.
        spec: What the model is.
        network: Runs on the GPU.

    Attributes:
        output_bytes: Size of the network's output.
    """

    def __init__(self, device: Device, spec: ModelSpec, network: Network) -> None:
        self.output_bytes = int(np.prod(network.output_shape)) * network.output_dtype.itemsize
        self._kernels = Kernels(device)
        self._spec = spec
        self._network = network

    def enqueue(self, stream: Stream, slot: Slot) -> None:
        """Enqueue everything between a slot's ``started`` and its ``done``.

        Raises:
            MachineError: Some of it cannot be; what was enqueued before is done nevertheless.
        """
        self.infer(stream, slot)
        slot.clear_flag(stream)
        if self._spec.head == "scores":
            slot.decode = slot.decode or self._decode(slot)
            self._kernels.launch(stream, slot.decode)
        if slot.computed is not None:
            stream.record(slot.computed)
        if self._spec.head == "labels":
            stream.copy(slot.mask.pointer, self._network.output_pointer, self.output_bytes)
        if slot.scores is not None:
            stream.download(slot.scores.array, self._network.output_pointer)
        slot.mask.to_host(stream)

    def infer(self, stream: Stream, slot: Slot) -> None:
        """Enqueue the work up to the network's output. A slot's frame may be inferred again while it is lent.

        Raises:
            MachineError: Some of it cannot be; what was enqueued before is done nevertheless.
        """
        if slot.kind.source == "image":
            assert slot.staged is not None
            stream.upload(self._network.input_pointer, slot.staged.array)
        else:
            if slot.staged is not None:
                stream.upload(slot.source_pointer, slot.staged.array)
            if slot.uploaded is not None:
                stream.record(slot.uploaded)
            slot.preprocess = slot.preprocess or self._preprocess(slot)
            self._kernels.launch(stream, slot.preprocess)
        stream.record(slot.preprocessed)
        self._network.enqueue(stream.handle)
        stream.record(slot.inferred)

    def _preprocess(self, slot: Slot) -> Launch:
        fill = self._spec.fill_bgr
        return preprocess_launch(slot.source_pointer, slot.kind.place, fill, self._network.input_pointer)

    def _decode(self, slot: Slot) -> Launch:
        classes, height, width = self._network.output_shape
        return decode_launch(
            self._network.output_pointer,
            self._network.output_dtype,
            (1, classes, height, width),
            slot.kind.place.mapping(self._spec.stride, self._spec.geometry),
            self._spec.void,
            slot.mask.pointer,
            slot.flag_pointer,
            slot.pitch,
        )
