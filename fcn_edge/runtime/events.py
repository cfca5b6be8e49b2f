"""What a run tells its listeners, in the order in which it happens.

    SourceChanged("connecting"), SourceChanged("live"), Started,
    FrameDone ...                                   one per frame, after the sinks took it
    SinkFailed ...                                  a sink failed and is left; the run goes on while others are there
    Waiting ...                                     once a second while no frame comes
    SourceChanged("ended" or "lost"), Ended

Of a live source SourceChanged and GradeChanged come whenever its state or its grade changes, also while no frame does.

A listener is a function of one event. It is called in the thread that called ``run`` (or iterates ``stream``), between
two frames: what it does takes the stream's time. What it raises ends the run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.errors import FcnEdgeError
from fcn_edge.runtime.report import Report
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sources.base import Connection, Grade, State
from fcn_edge.runtime.statistics import StreamStatistics

__all__ = [
    "Ended",
    "Event",
    "FrameDone",
    "GradeChanged",
    "Listener",
    "SinkFailed",
    "SourceChanged",
    "Started",
    "Waiting",
]


@dataclass(frozen=True)
class SourceChanged:
    """A source's state is another one.

    Attributes:
        source: Id of the source: its address without the password.
        state: The state that it has now.
        message: What happened, in a sentence; empty where the state says it all.
        grade: How well it did in the last hour; None where it is not supervised, and in its first seconds.
        unix_ns: Nanoseconds of Unix time of the change.
    """

    source: str
    state: State
    message: str = ""
    grade: Grade | None = None
    unix_ns: int = field(default_factory=time.time_ns)


@dataclass(frozen=True)
class GradeChanged:
    """A supervised source's grade is another one.

    Attributes:
        source: Id of the source: its address without the password.
        grade: The grade that it has now.
        message: What the grade comes from, in a sentence.
        state: The state that it has meanwhile.
        unix_ns: Nanoseconds of Unix time of the change.
    """

    source: str
    grade: Grade
    message: str
    state: State
    unix_ns: int = field(default_factory=time.time_ns)


@dataclass(frozen=True)
class Started:
    """Everything is open, and the first frame is about to be requested.

    Attributes:
        sources: The connected sources.
        spec: What the model is: class names, palette, void.
        total: How many frames there will be, as far as anybody knows; None when nobody does.
    """

    sources: tuple[Connection, ...]
    spec: ModelSpec
    total: int | None


@dataclass(frozen=True)
class FrameDone:
    """A frame has its mask, and every sink that has not failed has taken it.

    Attributes:
        result: The frame and its mask.
        statistics: How fast the stream runs, over the frames before this one; it is kept up to date, not copied.
    """

    result: Result
    statistics: StreamStatistics


@dataclass(frozen=True)
class SinkFailed:
    """A sink could not take a frame or complete what it wrote. It gets no more frames.

    Attributes:
        sink: Name of the sink, as it was given.
        error: What went wrong.
    """

    sink: str
    error: FcnEdgeError


@dataclass(frozen=True)
class Waiting:
    """The run is alive, and no frame has come for another second."""


@dataclass(frozen=True)
class Ended:
    """The run is over: sinks are closed and files whole, sources closed that the run opened.

    Attributes:
        report: What was done, and how it ended.
    """

    report: Report


Event = SourceChanged | GradeChanged | Started | FrameDone | SinkFailed | Waiting | Ended
Listener = Callable[[Event], None]
