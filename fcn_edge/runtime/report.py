"""What a run did, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from fcn_edge.artifacts.spec import Size
from fcn_edge.errors import FcnEdgeError
from fcn_edge.io.redaction import prose_without_passwords
from fcn_edge.metrics.durations import NS_PER_MS
from fcn_edge.runtime.clock import skews
from fcn_edge.runtime.sources.base import Connection, Grade, State
from fcn_edge.runtime.statistics import StreamStatistics

__all__ = ["Report", "SinkReport", "SourceReport", "with_skews"]


@dataclass(frozen=True)
class SourceReport:
    """What became of one source.

    Attributes:
        uri: Its address without the password.
        state: How it was left: ``ended`` or ``lost``; ``live`` where the caller opened it and it can be read further.
        live: It gives frames when they come, and drops those that nothing has time for.
        size: ``(height, width)`` of its first frame.
        fps: Frames a second, as it says itself; None where there is no such thing.
        frames: Frames whose masks were made.
        dropped: Frames that were skipped for newer ones.
        grade: How well it did in the last hour; None where it is not supervised, and in its first seconds.
        reconnects: How often it was connected again after it was lost.
        stalls: How often no frame came for a while.
        packets_lost: Packets that the network lost; None where the source does not tell.
        jitter_ms: Jitter of the packets' arrival, milliseconds; None where the source does not tell.
        clock_offset_ms: Milliseconds that the camera's clock is ahead of this machine's, less the time that its frames
            took at least; None where it does not tell its time.
        clock_drift_ppm: Microseconds that it gains in a second; None where nobody knows yet.
        skew_ms: Milliseconds that it is ahead of the median of all cameras that tell their time; None where fewer than
            two do.
        damaged: Packets, pictures and files that came damaged: skipped, or shown as far as they could be decoded.
    """

    uri: str
    state: State
    live: bool
    size: Size | None
    fps: float | None
    frames: int
    dropped: int
    grade: Grade | None = None
    reconnects: int = 0
    stalls: int = 0
    packets_lost: int | None = None
    jitter_ms: float | None = None
    clock_offset_ms: float | None = None
    clock_drift_ppm: float | None = None
    skew_ms: float | None = None
    damaged: int = 0

    @classmethod
    def of(cls, source: Connection, state: State, frames: int, dropped: int) -> SourceReport:
        """What became of a connection.

        Args:
            source: The connection.
            state: How it was left.
            frames: Frames whose masks were made.
            dropped: Frames that were skipped for newer ones.
        """
        offset_ns, drift_ppm = source.clock.offset_ns, source.clock.drift_ppm
        return cls(
            source.id,
            state,
            source.live,
            source.size,
            source.fps,
            frames,
            dropped,
            source.grade,
            source.reconnects,
            source.stalls,
            source.packets_lost,
            source.jitter_ms,
            None if offset_ns is None else round(offset_ns / NS_PER_MS, 3),
            None if drift_ppm is None else round(drift_ppm, 3),
            damaged=source.damaged,
        )


def with_skews(reports: Iterable[SourceReport]) -> tuple[SourceReport, ...]:
    """The reports with ``skew_ms``, which hangs on all of them."""
    reports = tuple(reports)
    found = skews([report.clock_offset_ms for report in reports])
    return tuple(replace(report, skew_ms=skew) for report, skew in zip(reports, found, strict=True))


@dataclass(frozen=True)
class SinkReport:
    """What became of one sink.

    Attributes:
        sink: What it was given as, without a password; its class where it was given as a sink.
        wrote: Files and folders that it wrote and that are still there.
        dropped: Frames of a live source that it had no time for, and masks that were too old when its turn came.
        error: Why it took no more; None where it took all.
    """

    sink: str
    wrote: tuple[str, ...]
    dropped: int
    error: FcnEdgeError | None = None

    def to_json(self) -> dict[str, Any]:
        """One of ``sinks`` in the JSON object of ``fcn-edge run``; ``error`` is a sentence or null."""
        error = None if self.error is None else prose_without_passwords(self.error.message)
        return {"sink": self.sink, "wrote": list(self.wrote), "dropped": self.dropped, "error": error}


@dataclass(frozen=True)
class Report:
    """What a run did, and how it ended.

    Attributes:
        statistics: How fast it was.
        sources: What became of each source.
        error: What ended it, or made the first of its sinks fail; None when it came to its end with all of them.
        interrupted: It was ended by Ctrl-C.
        sinks: What became of each sink.
    """

    statistics: StreamStatistics
    sources: tuple[SourceReport, ...]
    error: FcnEdgeError | None = None
    interrupted: bool = False
    sinks: tuple[SinkReport, ...] = ()

    @property
    def frames(self) -> int:
        """Frames whose masks were made."""
        return self.statistics.frames

    def raise_error(self) -> None:
        """Raise what ended the run early or made a sink fail; nothing where all went well.

        Raises:
            FcnEdgeError: The error.
            KeyboardInterrupt: It was ended by Ctrl-C.
        """
        if self.interrupted:
            raise KeyboardInterrupt
        if self.error is not None:
            raise self.error

    def to_json(self) -> dict[str, Any]:
        """The JSON object of ``fcn-edge run``, without how it ended."""
        report = self.statistics.report([asdict(source) for source in self.sources])
        return report | {"sinks": [sink.to_json() for sink in self.sinks]}
