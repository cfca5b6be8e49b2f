"""What a source of a run does at this moment, for whoever looks from outside."""

from __future__ import annotations

from dataclasses import dataclass

from fcn_edge.artifacts.spec import Size
from fcn_edge.runtime.sources.base import Grade, State

__all__ = ["SourceStatus"]


@dataclass(frozen=True)
class SourceStatus:
    """A source at one moment. What is counted is of this source alone, since it was added.

    Attributes:
        id: Its address without the password: what results and events call it by.
        label: Short name of letters, digits, ``_`` and ``-`` that no other source of its set has or had.
        number: Its number in its set, from 1; never used again.
        state: What it does.
        grade: How well it did in the last hour; None where it is not supervised, and in its first seconds.
        message: What ended it, in a sentence without passwords; empty while it is there.
        paused: Its frames are not wanted for now.
        live: It gives frames when they come, and drops those that nothing has time for.
        size: ``(height, width)`` of its first frame; None when unknown.
        dropped: Frames that were skipped for newer ones.
        late: Frames that were older than a mask may be.
        reconnects: How often it was connected again after it was lost.
        stalls: How often no frame came for a while.
    """

    id: str
    label: str
    number: int
    state: State
    grade: Grade | None
    message: str
    paused: bool
    live: bool
    size: Size | None
    dropped: int
    late: int
    reconnects: int
    stalls: int
