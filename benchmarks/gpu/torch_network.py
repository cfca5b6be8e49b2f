"""A real network between our kernels in one CUDA graph: torch's convolutions stand in for TensorRT's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.spec import Size
from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.frame_work import Network
from fcn_edge.backends.cuda.objects import Stream
from fcn_edge.backends.cuda.session import CudaSession
from fcn_edge.errors import DeviceError
from fcn_edge.ops.geometry import placement
from gpu.pseudo_random import noise
from gpu.reference import wrong_pixels
from gpu.sessions import disagreement, not_captured, opened
from gpu.stand_ins import Stand
from gpu.subject import Row, Subject
from gpu.times import gpu_times

__all__ = ["TorchNetwork", "check", "scores_by"]

CHANNELS = (32, 64, 128)
DEEP = 8
"""Convolutions at an eighth of the size."""


def check(subject: Subject) -> Iterator[Row]:
    """Masks with a graph and without, against the network's own scores; a frame's time against that of its parts."""
    try:
        import torch
    except ImportError as error:
        yield {"absent": f"torch is not installed ({error})."}
        return
    if not torch.cuda.is_available():
        yield {"absent": f"torch {torch.__version__} sees no GPU."}
        return
    real, settings = subject.references.real, subject.settings
    made: list[TorchNetwork] = []

    def make(_: Device, stream: Stream) -> Network:
        made.append(TorchNetwork(torch, real.size, len(real.spec.classes), stream.handle))
        return made[-1]

    with ExitStack() as stack:
        sessions, rows = opened(subject, Stand("torch", real.spec, real.size, make), stack)
        yield from rows
        frames = list(real.frames)
        count = min(settings.frames, 100)
        differ = disagreement(sessions, frames, count)
        row: Row = {"torch": torch.__version__, "frames": count, "unlike_without_a_graph": differ, "agree": not differ}
        yield (
            row if not differ else row | {"failed": f"{differ} of {count} masks of a torch network differ in a graph."}
        )
        place = placement((frames[0].shape[0], frames[0].shape[1]), real.size, real.spec.resize)
        for (name, session), network in zip(sessions.items(), made, strict=True):
            mask = session.labels(frames[0])  # whose scores lie in the network's output until the next frame
            mapping = place.mapping(real.spec.stride, real.spec.geometry)
            wrong = wrong_pixels(mask, network.output.cpu().numpy(), mapping, real.spec.void)
            row = {"session": name, "graph": session.graphs, "wrong_pixels": wrong, "agree": not wrong}
            row |= {"failed": f"{wrong} pixels of a torch network's mask are wrong."} if wrong else {}
            row |= {"network_in_the_chain_ms": _in_the_chain(session, frames, settings.repeats)}
            times = gpu_times(session, frames, settings.repeats)
            yield (
                row | {"gpu_ms": times, "network_alone_ms": _alone(network, settings.repeats)} | not_captured(session)
            )


def scores_by(torch: Any, weights: list[Any], image: Any) -> Any:
    """``(classes, h, w)`` float16 scores of an ``(H, W, 3)`` uint8 image, by plain convolutions."""
    values = ((image.permute(2, 0, 1)[None].to(torch.float16) - 127) / 64).contiguous(memory_format=torch.channels_last)
    for depth, weight in enumerate(weights):
        stride = 2 if depth < len(CHANNELS) else 1
        values = torch.nn.functional.conv2d(values, weight, stride=stride, padding=weight.shape[-1] // 2)
        values = torch.relu(values) if depth + 1 < len(weights) else values
    return values[0]


def weights_of(torch: Any, classes: int, device: str) -> list[Any]:
    """Weights that keep the size of what goes through them."""
    widths = [3, *CHANNELS, *[CHANNELS[-1]] * DEEP]
    shapes = [(out, into, 3, 3) for into, out in pairwise(widths)]
    weights = []
    for seed, shape in enumerate([*shapes, (classes, widths[-1], 1, 1)]):
        drawn = noise(shape, seed) * np.float32(2.0 / np.sqrt(np.prod(shape[1:])))
        weights.append(torch.from_numpy(drawn).to(device, torch.float16))
    return [one.contiguous(memory_format=torch.channels_last) for one in weights]


class TorchNetwork:
    """A network of torch on one of our streams.

    Args:
        torch: The module.
        size: ``(height, width)`` of its input.
        classes: How many.
        stream: Handle of the stream.
        device: Where torch computes.

    Attributes:
        output: ``(classes, h, w)`` float16, of the last frame.
    """

    output_dtype = np.dtype(np.float16)

    def __init__(self, torch: Any, size: Size, classes: int, stream: int, device: str = "cuda") -> None:
        self._torch = torch
        self._stream = torch.cuda.ExternalStream(stream)
        self._handle = stream
        # torch's memory is of the stream that is current where it is asked for
        with torch.cuda.stream(self._stream), torch.no_grad():
            self._input = torch.zeros((*size, 3), dtype=torch.uint8, device=device)
            self._weights = weights_of(torch, classes, device)
            self.output = scores_by(torch, self._weights, self._input).contiguous().clone()
            self._stream.synchronize()
        self.output_shape = tuple(self.output.shape)
        self.input_pointer: int = self._input.data_ptr()
        self.output_pointer: int = self.output.data_ptr()

    def enqueue(self, stream: int) -> None:
        """Enqueue one run.

        What a graph uses in between is lent to later runs as well: torch lends a stream's memory to that stream alone,
        on which they follow each other.

        Raises:
            DeviceError: torch cannot, as where it must ask for memory while its work is captured.
        """
        assert stream == self._handle
        try:
            with self._torch.cuda.stream(self._stream), self._torch.no_grad():
                self.output.copy_(scores_by(self._torch, self._weights, self._input))
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise DeviceError(f"torch cannot run the network: {reason}", "Start the program again.") from error

    def capturable(self, stream: int) -> bool:
        """Torch's convolutions are, once they have run."""
        return stream == self._handle

    def time_ns(self, repeats: int) -> list[int]:
        """Nanoseconds of each of several runs outside a graph, by the GPU's clock."""
        times = []
        first, last = (self._torch.cuda.Event(enable_timing=True) for _ in range(2))
        for _ in range(repeats):
            with self._torch.cuda.stream(self._stream):
                first.record()
                self.enqueue(self._handle)
                last.record()
            last.synchronize()
            times.append(round(first.elapsed_time(last) * 1e6))
        return times

    def close(self) -> None:
        """Its memory goes back to torch with the last array."""


def _in_the_chain(session: CudaSession, frames: list[NDArray[np.uint8]], repeats: int) -> float:
    times = []
    for index in range(repeats):
        job = session.infer(session.preprocess(frames[index % len(frames)]))
        session.postprocess(job)
        times.append(job.timing.infer)
    return round(float(np.median(times)) / 1e6, 4)


def _alone(network: TorchNetwork, repeats: int) -> float:
    return round(float(np.median(network.time_ns(repeats))) / 1e6, 4)
