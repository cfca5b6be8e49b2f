"""One frame on its way through a session, and the time that it spends there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fcn_edge.ops.geometry import Placement

__all__ = ["GpuTimes", "Job", "Timing"]


@dataclass(frozen=True)
class GpuTimes:
    """Nanoseconds that a GPU and the host spent on the work of one frame, divided as trtexec divides those of a query.

    The terms are those of trtexec's "Explanations of the performance metrics" (NVIDIA/TensorRT,
    ``samples/common/sampleReporting.cpp``; where it measures them: ``sampleInference.cpp``). Its query is the network
    alone, ours is the frame from page-locked memory to the mask in page-locked memory, so that ``compute`` has the
    kernels around the network in it: ``Timing.infer`` is what trtexec calls GPU Compute Time for the same engine.

    The first three are between events on the GPU, one after the other without a gap. As in trtexec, a GPU that is idle
    waits within them for what the host is yet to enqueue. Work for the session's other frames is in none of them, nor
    is the host's copy into page-locked memory and out of it.

    Attributes:
        host_to_device: H2D Latency: the copy of the frame as captured, or of the network's input where the host
            preprocesses, to the GPU. None of a frame that is there already.
        compute: GPU Compute Time: everything between the copies, which is preprocessing on the GPU, the network and the
            decoder there. Where the mask is not copied, writing it is in it.
        device_to_host: D2H Latency: the copy to the host of the mask, of the labels of a network that gives them, and
            of the scores where the session expects that confidence is asked for. None where nothing is copied: a GPU
            that shares the processor's memory decodes into the mask's place.
        enqueue: Enqueue Time: how long ``infer`` took to enqueue all of it, by the host's clock. The copies are in it,
            as TensorRT's documentation of trtexec says, although trtexec's own code times the network alone. The
            capture of a CUDA graph, which only the first frames of a size need, is not.
    """

    host_to_device: int | None
    compute: int
    device_to_host: int | None
    enqueue: int

    @property
    def latency(self) -> int:
        """Latency, or Host Latency, of trtexec: the sum of both copies and ``compute``."""
        return (self.host_to_device or 0) + self.compute + (self.device_to_host or 0)


@dataclass
class Timing:
    """Nanoseconds that a frame spent in each stage, with one meaning on every backend; 0 where one did not happen.

    A stage is work, not the call in which it is done: on a GPU, where ``infer`` enqueues all of it, the stages are
    taken apart by events. Waiting for other frames belongs to no stage. Complete when ``postprocess`` has returned.

    Attributes:
        capture: Reading the frame from its source.
        preprocess: From the frame to the network's input in the memory where the network reads it: the frame's check
            and its copy, its way to the GPU, crop, resize and fill.
        infer: The network alone. Of frames that it took at once, each has its share: the time divided by their number.
        decode: From the network's output to the mask in the caller's memory: the decoder, and the mask's way back;
            all of them where a job is postprocessed several times.
        gpu: What the GPU's part of it was, divided at the copies instead of the stages; None on a processor.
    """

    capture: int = 0
    preprocess: int = 0
    infer: int = 0
    decode: int = 0
    gpu: GpuTimes | None = None

    @property
    def total(self) -> int:
        """The sum of all stages."""
        return self.capture + self.preprocess + self.infer + self.decode


@dataclass
class Job:
    """One frame on its way through a session.

    Attributes:
        place: Where the frame lies in the network's input.
        data: The backend's own: the input image, then the output of the network.
        timing: Nanoseconds of each stage, filled step by step.
        inferred: ``infer`` was called.
    """

    place: Placement
    data: Any
    timing: Timing = field(default_factory=Timing)
    inferred: bool = False
