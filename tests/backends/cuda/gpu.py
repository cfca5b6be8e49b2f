"""What tests run on a fake GPU: Python twins of the kernels, and a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.engine import CudaEngine
from fcn_edge.backends.cuda.frame_work import Network
from fcn_edge.backends.cuda.objects import Stream
from fcn_edge.backends.options import RunOptions
from fcn_edge.errors import ModelError
from fcn_edge.ops.decode import decode
from fcn_edge.ops.geometry import AxisMapping, FrameMapping, Placement
from fcn_edge.ops.preprocess import network_input
from fcn_edge.testing.engine import brightness_scores
from fcn_edge.testing.gpu import FakeGpu, FakeKernel
from fcn_edge.testing.gpu_memory import FakeMemory

_ONE_CELL = 1 << 40


def _decoded(dtype: type[np.generic]) -> FakeKernel:
    def kernel(memory: FakeMemory, grid: Any, block: Any, arguments: tuple[Any, ...]) -> None:
        scores_at, labels_at, flag_at, classes, rows, columns, height, width, pitch = arguments[:9]
        down, across, void = arguments[9:13], arguments[13:17], arguments[17]
        mapping = FrameMapping(_axis(*down, length=height), _axis(*across, length=width))
        labels = memory.view(labels_at, np.uint8, (height, pitch))
        try:
            labels[:, :width] = decode(memory.view(scores_at, dtype, (classes, rows, columns)), mapping, void)
        except ModelError:
            memory.view(flag_at, np.int32, 1)[0] = 1

    return kernel


def _axis(scale: int, offset: int, start: int, stop: int, *, length: int) -> AxisMapping:
    return AxisMapping(scale / _ONE_CELL, offset / _ONE_CELL, length, start, stop)


def _preprocessed(memory: FakeMemory, grid: Any, block: Any, arguments: tuple[Any, ...]) -> None:
    frame_at, pitch, top, left, height, width, input_at, rows, columns, *content = arguments[:11]
    frame_size = (top + height, pitch // 3)
    place = Placement(frame_size, (rows, columns), (top, left, top + height, left + width), (content[0], content[1]))
    frame = memory.view(frame_at, np.uint8, (*frame_size, 3))
    network_input(frame, place, arguments[-3:], out=memory.view(input_at, np.uint8, (rows, columns, 3)))


KERNELS: dict[str, FakeKernel] = {
    "decode_fp32": _decoded(np.float32),
    "decode_fp16": _decoded(np.float16),
    "preprocess": _preprocessed,
}
"""The kernels of ``ops`` by entry name, done by their twins on the host."""


class FakeNetwork:
    """A network on a fake GPU whose output is a function of its input."""

    def __init__(
        self,
        gpu: FakeGpu,
        device: Device,
        spec: ModelSpec,
        size: tuple[int, int],
        output: Callable[[NDArray[np.uint8]], NDArray[Any]] | None = None,
        dtype: type[np.generic] = np.float32,
        capturable: bool = True,
    ) -> None:
        self.output_shape: tuple[int, ...] = size
        self.output_dtype: np.dtype[Any] = np.dtype(np.uint8)
        if spec.head == "scores":
            self.output_shape = (len(spec.classes), size[0] // spec.stride, size[1] // spec.stride)
            self.output_dtype = np.dtype(dtype)
        self._gpu = gpu
        self._size = size
        self._output = output or brightness_scores(spec)
        self._capturable = capturable
        self._input = device.device_buffer(size[0] * size[1] * 3)
        self.input_pointer = self._input.pointer
        try:
            nbytes = int(np.prod(self.output_shape)) * self.output_dtype.itemsize
            self._result = device.device_buffer(nbytes)
        except Exception:
            self._input.close()
            raise
        self.output_pointer = self._result.pointer

    def enqueue(self, stream: int) -> None:
        def run() -> None:
            image = self._gpu.memory.view(self.input_pointer, np.uint8, (*self._size, 3))
            result = self._gpu.memory.view(self.output_pointer, self.output_dtype, self.output_shape)
            result[...] = self._output(image)

        self._gpu.enqueue(stream, "network", run, (self.input_pointer, self.output_pointer))

    def capturable(self, stream: int) -> bool:
        return self._capturable

    def close(self) -> None:
        try:
            self._result.close()
        finally:
            self._input.close()


class FakeGpuEngine(CudaEngine):
    """An engine whose sessions run a ``FakeNetwork``; ``how`` goes to both."""

    def __init__(self, gpu: FakeGpu, device: Device, spec: ModelSpec, size: tuple[int, int], **how: Any) -> None:
        options = RunOptions(**{key: how.pop(key) for key in ("preprocess_on", "graphs") if key in how})
        super().__init__("fake-gpu", spec, size, device, options)
        self._gpu = gpu
        self._how = how

    @override
    def make_network(self, stream: Stream) -> Network:
        return FakeNetwork(self._gpu, self._device, self.spec, self.size, **self._how)

    @override
    def release(self) -> None:
        pass
