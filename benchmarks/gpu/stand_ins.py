"""Networks that need no network library, for sessions that are to show all of a frame but the network."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from typing_extensions import override

from fcn_edge.artifacts.spec import ModelSpec, Resize, Size
from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.engine import CudaEngine
from fcn_edge.backends.cuda.frame_work import Network
from fcn_edge.backends.cuda.objects import Stream
from fcn_edge.backends.options import RUN_DEFAULTS, RunOptions
from fcn_edge.ops.geometry import FrameMapping, placement
from fcn_edge.ops.preprocess import network_input
from gpu.pseudo_random import bytes_of
from gpu.real_scores import RealScores

__all__ = ["Stand", "StandInEngine", "echo", "echo_frames", "echoed", "stored"]

_LARGEST_FINITE = 0x7B
"""Largest high byte of a float16 that is a number."""

Make = Callable[[Device, Stream], Network]


class StandInEngine(CudaEngine):
    """An engine of a stand-in.

    Args:
        device: The GPU; closed with the engine.
        stand: What its sessions run.
        options: How they run it.
    """

    def __init__(self, device: Device, stand: Stand, options: RunOptions = RUN_DEFAULTS) -> None:
        super().__init__(stand.name, stand.spec, stand.size, device, options)
        self._stand = stand

    @override
    def make_network(self, stream: Stream) -> Network:
        return self._stand.make(self._device, stream)

    @override
    def release(self) -> None:
        """Nothing outlives the sessions."""


class Stand:
    """What a stand-in's engine runs.

    Args:
        name: What it is called.
        spec: What it passes for.
        size: ``(height, width)`` of its input.
        make: Makes the network of a session.
    """

    def __init__(self, name: str, spec: ModelSpec, size: Size, make: Make) -> None:
        self.name = name
        self.spec = spec
        self.size = size
        self.make = make


class _Copying:
    """A network whose output is a copy of something on the GPU.

    Args:
        device: The GPU.
        stream: What it runs on.
        size: ``(height, width)`` of its input.
        shape: Shape of its output.
        dtype: Dtype of its output.
        kept: The output, the same for every frame; the first bytes of the input when left out.
    """

    def __init__(
        self,
        device: Device,
        stream: Stream,
        size: Size,
        shape: tuple[int, ...],
        dtype: DTypeLike,
        kept: NDArray[Any] | None = None,
    ) -> None:
        self.output_shape = shape
        self.output_dtype = np.dtype(dtype)
        self._stream = stream
        self._nbytes = int(np.prod(shape)) * self.output_dtype.itemsize
        with ExitStack() as made:
            self.input_pointer = made.enter_context(device.device_buffer(size[0] * size[1] * 3)).pointer
            self.output_pointer = made.enter_context(device.device_buffer(self._nbytes)).pointer
            self._source = self.input_pointer
            if kept is not None:
                self._source = made.enter_context(device.device_buffer(self._nbytes)).pointer
                with device.host_buffer(self._nbytes) as staged:
                    staged.array[...] = np.ascontiguousarray(kept).reshape(-1).view(np.uint8)
                    stream.upload(self._source, staged.array)
                    stream.synchronize()
            self._made = made.pop_all()

    def enqueue(self, stream: int) -> None:
        assert stream == self._stream.handle
        self._stream.copy(self.output_pointer, self._source, self._nbytes)

    def capturable(self, stream: int) -> bool:
        return stream == self._stream.handle

    def close(self) -> None:
        self._made.close()


def stored(real: RealScores) -> Stand:
    """A network that gives the scores of the first frame for every frame, in float16."""
    scores = real.scores[0].astype(np.float16)

    def make(device: Device, stream: Stream) -> Network:
        return _Copying(device, stream, real.size, scores.shape, scores.dtype, scores)

    return Stand("stored scores", real.spec, real.size, make)


def echo(real: RealScores, head: str = "scores") -> Stand:
    """A network whose output is the first bytes of its input, so that every frame has a mask of its own.

    Args:
        real: Its spec and size; frames are stretched, for the color beside a frame would be NaN among scores.
        head: ``scores``, in float16, or ``labels``: frames then hold class ids alone.
    """
    spec = real.spec.replace(resize=Resize(policy="stretch"), head=head)
    shape = _echo_shape(spec, real.size)

    def make(device: Device, stream: Stream) -> Network:
        return _Copying(device, stream, real.size, shape, np.float16 if head == "scores" else np.uint8)

    return Stand(f"echoed {head}", spec, real.size, make)


def echo_frames(size: Size, count: int, levels: int = _LARGEST_FINITE) -> list[NDArray[np.uint8]]:
    """Frames for ``echo``: its scores are numbers.

    Args:
        size: ``(height, width)``.
        count: How many.
        levels: How many gray levels they have: the number of classes where the head is ``labels``.
    """
    return [bytes_of((*size, 3), seed) % levels for seed in range(count)]


def echoed(stand: Stand, frame: NDArray[np.uint8]) -> tuple[NDArray[np.float16], FrameMapping]:
    """The scores of a frame that the host brought to the network's size, and where they lie."""
    place = placement((frame.shape[0], frame.shape[1]), stand.size, stand.spec.resize)
    image = network_input(frame, place, stand.spec.fill_bgr)
    shape = _echo_shape(stand.spec, stand.size)
    scores = image.reshape(-1)[: int(np.prod(shape)) * 2].view(np.float16).reshape(shape)
    return scores, place.mapping(stand.spec.stride, stand.spec.geometry)


def _echo_shape(spec: ModelSpec, size: Size) -> tuple[int, ...]:
    return (len(spec.classes), *spec.grid_size(size)) if spec.head == "scores" else size
