"""One frame on its way through a session, and the time that it spends there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fcn_edge.ops.geometry import Placement

__all__ = ["Job", "Timing"]


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
        timing: Nanoseconds of each stage, filled step by step.
        inferred: ``infer`` was called.
    """

    place: Placement
    data: Any
    timing: Timing = field(default_factory=Timing)
    inferred: bool = False
