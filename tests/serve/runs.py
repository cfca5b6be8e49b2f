"""Runs that tests of the live page watch: sources that give nothing by themselves, and events by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from typing_extensions import override

from fcn_edge.backends.base import Timing
from fcn_edge.runtime.events import FrameDone
from fcn_edge.runtime.frame import Frame
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.segmentation import Segmentation
from fcn_edge.runtime.source_set import AnySource, Sources
from fcn_edge.runtime.sources import Connection, EndOfSource, Picture
from fcn_edge.runtime.statistics import StreamStatistics
from fcn_edge.serve.model_facts import ModelFacts
from fcn_edge.serve.state import RunState
from fcn_edge.testing.engine import fake_spec

__all__ = ["Clock", "Gray", "Silent", "frame_done", "run_state"]

MS = 1_000_000
S = 1_000_000_000
UNIX_NS = 1_700_000_000 * S


class Clock:
    """Both clocks of a run, which stand still until a test moves them."""

    def __init__(self) -> None:
        self.now_ns = 1000 * S

    def monotonic_ns(self) -> int:
        return self.now_ns

    def unix_ns(self) -> int:
        return UNIX_NS + self.now_ns


class Silent(Connection):
    """A live source that gives nothing."""

    live = True

    @override
    def _connect(self, timeout: float | None) -> None:
        self.size = (48, 64)

    @override
    def _next(self, timeout: float) -> Picture | None:
        raise EndOfSource


class Gray(Connection):
    """Gives so many gray pictures, as a file does."""

    def __init__(self, address: str, count: int) -> None:
        super().__init__(address)
        self._left = count

    @override
    def _connect(self, timeout: float | None) -> None:
        self.size = (48, 64)

    @override
    def _next(self, timeout: float) -> Picture | None:
        if not self._left:
            raise EndOfSource
        self._left -= 1
        return Picture(np.full((48, 64, 3), 100, np.uint8))


def run_state(clock: Clock, *sources: AnySource, **how: object) -> tuple[RunState, Sources]:
    """A state of a run that has not begun."""
    there = Sources(*sources)
    facts = ModelFacts(fake_spec(), (64, 96), "fake")
    state = RunState(facts, there, monotonic_ns=clock.monotonic_ns, unix_ns=clock.unix_ns, **how)  # type: ignore[arg-type]
    return state, there


def frame_done(clock: Clock, source: str, latency_ms: int = 20, output_ms: int = 5, height: int = 48) -> FrameDone:
    """A frame of a source whose output ends now; half of it is of the class 3, half of the class 0."""
    labels = np.zeros((height, 64), np.uint8)
    labels[:, :32] = 3
    captured_ns = clock.now_ns - (latency_ms + output_ms) * MS
    frame = Frame(np.zeros((height, 64, 3), np.uint8), 0, captured_ns, "000000", source=source)
    timing = replace(Timing(), capture=1 * MS, preprocess=2 * MS, infer=10 * MS, decode=3 * MS)
    result = Result(frame, Segmentation(frame.image, labels, fake_spec(), timing), latency_ms * MS)
    return FrameDone(result, StreamStatistics())
