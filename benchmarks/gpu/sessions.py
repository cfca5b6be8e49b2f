"""A session on the GPU that needs no network library: all of a frame but the network, with and without a CUDA graph."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.engine import CudaEngine
from fcn_edge.backends.cuda.frame_work import Network
from fcn_edge.backends.cuda.objects import Stream
from fcn_edge.backends.options import RunOptions
from fcn_edge.evaluation.latency import speeds_of
from fcn_edge.ops.geometry import placement
from gpu.providers import OpenDevice
from gpu.reference import wrong_pixels
from gpu.scores import RealScores
from gpu.settings import Settings
from gpu.times import gpu_times

__all__ = ["sessions"]


class _Stored:
    """A network that gives the same scores for every frame."""

    def __init__(self, device: Device, stream: Stream, scores: NDArray[Any], image_bytes: int) -> None:
        self.output_shape = scores.shape
        self.output_dtype = scores.dtype
        self._stream = stream
        self._nbytes = scores.nbytes
        with ExitStack() as made:
            self.input_pointer = made.enter_context(device.device_buffer(image_bytes)).pointer
            self.output_pointer = made.enter_context(device.device_buffer(scores.nbytes)).pointer
            self._kept = made.enter_context(device.device_buffer(scores.nbytes)).pointer
            staged = made.enter_context(device.host_buffer(scores.nbytes))
            staged.array[...] = np.ascontiguousarray(scores).reshape(-1).view(np.uint8)
            stream.upload(self._kept, staged.array)
            stream.synchronize()
            self._made = made.pop_all()

    def enqueue(self, stream: int) -> None:
        assert stream == self._stream.handle
        self._stream.copy(self.output_pointer, self._kept, self._nbytes)

    def capturable(self, stream: int) -> bool:
        return stream == self._stream.handle

    def close(self) -> None:
        self._made.close()


class _StoredEngine(CudaEngine):
    """An engine of ``_Stored``."""

    def __init__(self, device: Device, real: RealScores, scores: NDArray[Any], graphs: bool) -> None:
        super().__init__("stored scores", real.spec, real.size, device, RunOptions(graphs=graphs))
        self._scores = scores

    @override
    def make_network(self, stream: Stream) -> Network:
        return _Stored(self._device, stream, self._scores, self.size[0] * self.size[1] * 3)

    @override
    def release(self) -> None:
        """Nothing outlives the sessions."""


def sessions(open_device: OpenDevice, real: RealScores, settings: Settings) -> list[dict[str, Any]]:
    """A row with a graph and one without: whether the mask is right, how long a frame takes, and where on the GPU."""
    scores = real.scores[0].astype(np.float16)
    place = placement((real.frames[0].shape[0], real.frames[0].shape[1]), real.size, real.spec.resize)
    rows = []
    with ExitStack() as stack:
        opened = {}
        for graphs in (True, False):
            device = open_device()
            if graphs and not device.has_graphs:
                library = device.facts.library
                device.close()
                rows.append({"graph": True, "absent": f"{library} cannot capture them."})
                continue
            engine = stack.enter_context(_StoredEngine(device, real, scores, graphs))
            opened["graph" if graphs else "no graph"] = stack.enter_context(engine.session())
        wrong = {
            name: wrong_pixels(
                session.labels(real.frames[0]),
                scores,
                place.mapping(real.spec.stride, real.spec.geometry),
                real.spec.void,
            )
            for name, session in opened.items()
        }
        speeds = speeds_of(
            opened,
            real.frames,
            source=real.source,
            devices=dict.fromkeys(opened, "stored scores: all of a frame but the network"),
            seconds=settings.seconds,
        )
        times = {name: gpu_times(session, real.frames, settings.repeats) for name, session in opened.items()}
    for name, session in opened.items():
        row: dict[str, Any] = {"graph": name == "graph"}
        if session.capture_failure:
            rows.append(row | {"failed": f"It is not captured: {session.capture_failure}.", "agree": False})
            continue
        row |= {"wrong_pixels": wrong[name], "agree": wrong[name] == 0}
        rows.append(row | {"speed": speeds[name].model_dump(mode="json"), "gpu_ms": times[name]})
    return rows
