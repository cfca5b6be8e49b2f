"""A frame and its mask, on the way from a pipeline to sinks."""

from __future__ import annotations

from dataclasses import dataclass

from fcn_edge.runtime.frame import Frame
from fcn_edge.runtime.segmentation import Segmentation

__all__ = ["Result"]


@dataclass(frozen=True, eq=False)
class Result:
    """A frame and its mask.

    Attributes:
        frame: Where it comes from.
        segmentation: The mask.
        latency_ns: Nanoseconds from the frame's capture to the mask.
    """

    frame: Frame
    segmentation: Segmentation
    latency_ns: int
