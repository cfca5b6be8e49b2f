"""How fast a stream ran, in memory that does not grow with its length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fcn_edge.backends.base import Timing
from fcn_edge.metrics.durations import NS_PER_S, Durations

__all__ = ["StreamStatistics"]


class StreamStatistics:
    """What ``run`` reports of a stream.

    Attributes:
        frames: Frames whose mask was made and used.
        dropped: Frames of a live source that were skipped for newer ones.
        late_before_inference: Frames that were too old for a mask to be made.
        late_after: Frames whose mask came too late and was not used.
        seconds: From the first frame requested to the last output.
        latency: Capture to mask.
        stages: Time by stage: capture, preprocess, infer, decode, output.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.dropped = 0
        self.late_before_inference = self.late_after = 0
        self.latency = Durations()
        self.stages = {name: Durations() for name in ("capture", "preprocess", "infer", "decode", "output")}
        self._started_ns = self._ended_ns = 0

    @property
    def late(self) -> int:
        """Deadline misses: frames that were older than a mask may be."""
        return self.late_before_inference + self.late_after

    @property
    def seconds(self) -> float:
        """From the first frame requested to the last output."""
        return (self._ended_ns - self._started_ns) / NS_PER_S

    @property
    def fps(self) -> float:
        """Frames a second over ``seconds``; 0 before the first output."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0

    def start(self, now_ns: int) -> None:
        """The first frame is about to be requested."""
        self._started_ns = self._ended_ns = now_ns

    def add(self, timing: Timing, latency_ns: int, output_ns: int, now_ns: int) -> None:
        """Count one frame whose output has just ended.

        Args:
            timing: Times of the stages up to the mask.
            latency_ns: Capture to mask.
            output_ns: What was done with the mask.
            now_ns: The end of the output, on the clock of ``start``.
        """
        self.frames += 1
        self._ended_ns = now_ns
        self.latency.add(latency_ns)
        for name in ("capture", "preprocess", "infer", "decode"):
            self.stages[name].add(getattr(timing, name))
        self.stages["output"].add(output_ns)

    def add_late(self, now_ns: int) -> None:
        """Count one frame whose mask came too late."""
        self.late_after += 1
        self._ended_ns = now_ns

    def report(self, sources: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The statistics as the JSON object of ``run``; percentiles are None where no frame was counted.

        Args:
            sources: What each source says of itself.
        """
        return {
            "frames": self.frames,
            "seconds": round(self.seconds, 6),
            "fps": round(self.fps, 3),
            "dropped": self.dropped,
            "late": self.late,
            "latency_ms": {f"p{percent}": self.latency.percentile_ms(percent) for percent in (50, 90, 99)},
            "stages_ms": {name: durations.percentile_ms(50) for name, durations in self.stages.items()},
            "sources": list(sources),
        }
