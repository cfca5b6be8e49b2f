"""A source that gives another one's frames, changed."""

from __future__ import annotations

from typing_extensions import override

from fcn_edge.runtime.frame import Frame
from fcn_edge.runtime.sources.base import Connection, EndOfSource, Picture, State, StateChange

__all__ = ["Wrapper", "picture_of"]

ENDS: frozenset[State] = frozenset({"idle", "ended", "lost"})

TOLD = ("reopens", "longest_gap", "tells", "keyframes", "packets_lost", "jitter_ms", "grade", "reconnects", "stalls")
"""What a connection tells of itself while it is read."""


class Wrapper(Connection):
    """Stands in front of a connection: what it is told and asked goes through, and its frames are changed.

    A new kind overrides ``changed``, or ``_next``; and ``_connect``, where it changes what the source says of itself.

    Args:
        inner: The connection, which is closed with the wrapper.
    """

    def __init__(self, inner: Connection) -> None:
        self._inner = inner
        super().__init__(inner.address)
        self.live, self.reopens = inner.live, inner.reopens
        self.state = inner.state
        self._look()
        if inner.tells:
            inner.on_change = self._pass_on
        if self.state != "idle":
            self._take_over()

    # what the inner one says of itself changes meanwhile: asked, not copied
    @property
    def state(self) -> State:
        """What the connection does; its end is the wrapper's own."""
        inner = self._inner.state
        return self._state if self._state in ENDS or inner in ENDS else inner

    @state.setter
    def state(self, state: State) -> None:
        self._state = state

    @property
    @override
    def id(self) -> str:
        return self._inner.id

    @property
    @override
    def dropped(self) -> int:
        return self._inner.dropped

    @property
    @override
    def damaged(self) -> int:
        return self._inner.damaged

    @override
    def interrupt(self) -> None:
        super().interrupt()
        self._inner.interrupt()

    @override
    def close(self) -> None:
        self._inner.close()
        super().close()

    def changed(self, picture: Picture) -> Picture | None:
        """What becomes of a picture of the inner connection; None when it is left out."""
        return picture

    @override
    def _connect(self, timeout: float | None) -> None:
        self._inner.connect(timeout)
        self._take_over()
        self._look()
        self.state = "live"

    @override
    def _next(self, timeout: float) -> Picture | None:
        frame = self._inner.read(timeout)
        self._look()
        if frame is None:
            if self._inner.state == "ended":
                raise EndOfSource
            return None
        return self.changed(picture_of(frame))

    def _look(self) -> None:
        """Tell what the inner connection tells now."""
        for name in TOLD:
            setattr(self, name, getattr(self._inner, name))

    def _pass_on(self, change: StateChange) -> None:
        if self.on_change is not None:
            self.on_change(change)

    def _take_over(self) -> None:
        """What is known once the inner connection is connected."""
        self.live = self._inner.live
        self.fps, self.size, self.length = self._inner.fps, self._inner.size, self._inner.length
        self.peak_fps = self._inner.peak_fps
        self.classes, self.files = self._inner.classes, self._inner.files
        self.longest_gap = self._inner.longest_gap


def picture_of(frame: Frame) -> Picture:
    """A frame as a source gives it, with its number and times."""
    return Picture(
        frame.image,
        frame.name,
        frame.labels,
        frame.time,
        frame.index,
        frame.captured_ns,
        frame.captured_unix_ns,
        frame.camera_time_ns,
    )
