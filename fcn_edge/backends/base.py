"""The seam between everything above and the libraries that run networks.

An ``Engine`` is a network made ready on a device; a ``Session`` is one stream's view of it. A frame passes a session
in three steps, so that a pipeline can run them in different threads: ``prepare`` (host work before the network),
``infer`` (the network) and ``finish`` (scores to a mask). Several frames may be between the steps at once, each in
its own ``Job``; each step is called from one thread at a time.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

from fcn_edge.ops.decode import decode
from fcn_edge.ops.geometry import Placement, placement
from fcn_edge.ops.nearest import nearest
from fcn_edge.ops.preprocess import checked_frame, network_input
from fcn_edge.spec import ModelSpec, Size

__all__ = ["Engine", "HostSession", "Job", "Session", "Timing"]


@dataclass
class Timing:
    """Nanoseconds that a frame spent in each step; 0 where a step did not happen.

    Attributes:
        capture: Reading the frame from its source.
        preprocess: Bringing it to the network's size.
        infer: The network.
        decode: Scores to the mask.
    """

    capture: int = 0
    preprocess: int = 0
    infer: int = 0
    decode: int = 0

    @property
    def total(self) -> int:
        """The sum of all steps."""
        return self.capture + self.preprocess + self.infer + self.decode


@dataclass
class Job:
    """One frame on its way through a session.

    Attributes:
        place: Where the frame lies in the network's input.
        data: The backend's own: the input image, then the output of the network.
        timing: Filled step by step.
    """

    place: Placement
    data: Any
    timing: Timing = field(default_factory=Timing)


class Session(ABC):
    """One stream's view of an engine. Close it when done; a ``with`` block does.

    Attributes:
        spec: What the model is.
        size: ``(height, width)`` of the network's input.
    """

    spec: ModelSpec
    size: Size

    @abstractmethod
    def prepare(self, frame: NDArray[np.uint8]) -> Job:
        """Bring a ``(H, W, 3)`` uint8 BGR frame to the network's input.

        Raises:
            FrameError: It is no such frame.
        """

    @abstractmethod
    def infer(self, job: Job) -> Job:
        """Run the network on a prepared frame; returns the same job."""

    @abstractmethod
    def finish(self, job: Job) -> NDArray[np.uint8]:
        """The ``(H, W)`` uint8 mask of an inferred frame, in the frame's own pixels.

        Raises:
            ModelError: The scores hold NaN or infinity.
        """

    @abstractmethod
    def scores(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Class scores ``(C, h, w)`` float32 at the decoder's stride, of a ``(*size, 3)`` uint8 BGR image.

        Raises:
            ModelError: The model ends in labels and gives no scores.
        """

    def labels(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The ``(H, W)`` uint8 mask of a ``(H, W, 3)`` uint8 BGR frame: all three steps.

        Raises:
            FrameError: It is no such frame.
            ModelError: The scores hold NaN or infinity.
        """
        return self.finish(self.infer(self.prepare(frame)))

    def close(self) -> None:
        """Give back what the session holds; it cannot be used afterwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class HostSession(Session):
    """A session whose frames are prepared and decoded by the processor, with ``ops``.

    A subclass gives ``run_network``; the rest is here.

    Args:
        spec: What the model is.
        size: ``(height, width)`` of the network's input.
    """

    def __init__(self, spec: ModelSpec, size: Size) -> None:
        self.spec = spec
        self.size = size

    @abstractmethod
    def run_network(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """The graph's output for a ``(*size, 3)`` uint8 BGR image.

        Returns:
            ``(C, h, w)`` float scores, or the ``(*size)`` uint8 mask of a model whose head is ``labels``.
        """

    def prepare(self, frame: NDArray[np.uint8]) -> Job:
        started = time.perf_counter_ns()
        frame = checked_frame(frame)
        place = placement((frame.shape[0], frame.shape[1]), self.size, self.spec.resize)
        image = network_input(frame, place, self.spec.normalisation.mean_bgr)
        return Job(place, image, Timing(preprocess=time.perf_counter_ns() - started))

    def infer(self, job: Job) -> Job:
        started = time.perf_counter_ns()
        job.data = self.run_network(job.data)
        job.timing.infer = time.perf_counter_ns() - started
        return job

    def finish(self, job: Job) -> NDArray[np.uint8]:
        started = time.perf_counter_ns()
        mapping = job.place.mapping(self.spec.stride if self.spec.head == "scores" else 1)
        if self.spec.head == "scores":
            labels = decode(job.data, mapping, self.spec.void)
        else:
            labels = nearest(job.data, mapping, self.spec.void)
        job.timing.decode = time.perf_counter_ns() - started
        return labels


class Engine(ABC):
    """A network made ready on a device. Several sessions may use it; close it after them.

    Attributes:
        spec: What the model is.
        size: ``(height, width)`` of the network's input.
        backend: Name of the backend.
    """

    spec: ModelSpec
    size: Size
    backend: str

    @abstractmethod
    def session(self) -> Session:
        """A new session on this engine."""

    def close(self) -> None:
        """Give back what the engine holds; its sessions must be closed before."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
