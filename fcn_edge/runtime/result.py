"""A frame and its mask: what a stream gives, and what sinks take."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.backends.base import Timing
from fcn_edge.runtime.frame import Frame
from fcn_edge.runtime.segmentation import Segmentation
from fcn_edge.runtime.statistics import StreamStatistics

__all__ = ["Result"]


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """A frame of a stream and its mask. What a ``Segmentation`` offers is offered here too.

    Attributes:
        frame: The frame, with what its source says of it.
        segmentation: The mask.
        latency_ns: Nanoseconds from the frame's capture to the mask.
        statistics: How fast the source runs and how many frames it dropped, over the frames before this one; one object
            for all results of a source, kept up to date.
    """

    frame: Frame
    segmentation: Segmentation
    latency_ns: int
    statistics: StreamStatistics = field(default_factory=StreamStatistics)

    @property
    def index(self) -> int:
        """Position of the frame in its source, from 0; a live source counts the frames that were skipped too."""
        return self.frame.index

    @property
    def time(self) -> float | None:
        """Seconds in the source, by the source's own time stamps; None where it has none."""
        return self.frame.time

    @property
    def source(self) -> str:
        """Id of the source: its address without the password."""
        return self.frame.source

    @property
    def labels(self) -> NDArray[np.uint8]:
        """``(H, W)`` uint8 class ids in the frame's own pixels; the spec's void where the network saw nothing."""
        return self.segmentation.labels

    @property
    def confidence(self) -> NDArray[np.float32] | None:
        """``(H, W)`` float32, the probability of each label (0 to 1), where it was asked for."""
        return self.segmentation.confidence

    @property
    def spec(self) -> ModelSpec:
        """What the model is: class names, palette, void."""
        return self.segmentation.spec

    @property
    def timing(self) -> Timing:
        """Nanoseconds spent in each stage."""
        return self.segmentation.timing

    @property
    def void_share(self) -> float:
        """Share of the pixels that have no class, as a fraction of 1."""
        return self.segmentation.void_share

    def shares(self) -> dict[str, float]:
        """Share of all pixels of the frame by class name, as fractions of 1; void is not a class."""
        return self.segmentation.shares()

    def overlay(self, alpha: float = 0.5, legend: bool = False) -> NDArray[np.uint8]:
        """The class colors blended over the frame, ``(H, W, 3)`` uint8 BGR, as ``Segmentation.overlay``.

        Raises:
            UsageError: ``alpha`` is not in 0 to 1.
        """
        return self.segmentation.overlay(alpha, legend)

    def colored(self, legend: bool = False) -> NDArray[np.uint8]:
        """The mask in the colors of its classes, ``(H, W, 3)`` uint8 BGR, as ``Segmentation.colored``."""
        return self.segmentation.colored(legend)

    def __repr__(self) -> str:
        return f"Result({self.source or 'frame'} {self.index}: {self.segmentation!r})"
