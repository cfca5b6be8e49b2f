"""An engine over the real CUDA libraries whose network is a kernel of the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import override

from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.engine import CudaEngine
from fcn_edge.backends.cuda.frame_work import Network
from fcn_edge.backends.cuda.objects import Stream
from fcn_edge.backends.options import RUN_DEFAULTS, RunOptions
from fcn_edge.ops.kernels import Launch

__all__ = ["BrightnessEngine", "brightness_source"]

_THREADS = 128


def brightness_source() -> str:
    """CUDA source of the kernel ``brightness``."""
    return Path(__file__).with_name("brightness.cu").read_text(encoding="utf-8")


class BrightnessNetwork:
    """``fcn_edge.testing.engine.brightness_scores`` on a GPU."""

    def __init__(self, device: Device, stream: Stream, spec: ModelSpec, size: tuple[int, int]) -> None:
        self.output_shape = (len(spec.classes), size[0] // spec.stride, size[1] // spec.stride)
        self.output_dtype: np.dtype[Any] = np.dtype(np.float32)
        self._stream = stream
        self._function = device.function(brightness_source(), "brightness.cu", "brightness")
        count = int(np.prod(self.output_shape))
        self._input = device.device_buffer(size[0] * size[1] * 3)
        try:
            self._output = device.device_buffer(count * self.output_dtype.itemsize)
        except Exception:
            self._input.close()
            raise
        self.input_pointer, self.output_pointer = self._input.pointer, self._output.pointer
        numbers = np.array([*self.output_shape, spec.stride], np.int32)
        arguments = (np.uint64(self.input_pointer), np.uint64(self.output_pointer), *numbers)
        self._launch = Launch("brightness", "brightness", (-(-count // _THREADS), 1, 1), (_THREADS, 1, 1), 0, arguments)

    def enqueue(self, stream: int) -> None:
        assert stream == self._stream.handle
        self._stream.launch(self._function, self._launch)

    def capturable(self, stream: int) -> bool:
        return True

    def close(self) -> None:
        try:
            self._output.close()
        finally:
            self._input.close()


class BrightnessEngine(CudaEngine):
    """Runs a ``BrightnessNetwork``."""

    def __init__(
        self, device: Device, spec: ModelSpec, size: tuple[int, int], options: RunOptions = RUN_DEFAULTS
    ) -> None:
        super().__init__("stub", spec, size, device, options)

    @override
    def make_network(self, stream: Stream) -> Network:
        return BrightnessNetwork(self._device, stream, self.spec, self.size)

    @override
    def release(self) -> None:
        pass
