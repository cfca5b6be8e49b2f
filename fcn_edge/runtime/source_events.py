"""Changes of sources, which happen in many threads, as events in the thread that runs the loop."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from contextlib import suppress

from fcn_edge.errors import FcnEdgeError
from fcn_edge.io.redaction import prose_without_passwords
from fcn_edge.runtime.events import Event, GradeChanged, SourceChanged
from fcn_edge.runtime.sources.base import Connection, State, StateChange

__all__ = ["SourceEvents"]


class _Followed:
    """A source, what was told of it last, and who listened before."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.told: State = connection.state
        self.also = connection.on_change


class SourceEvents:
    """Tells each change of the sources of a run once; those that tell by themselves are listened to, others looked at.

    ``follow`` and ``connecting`` may be called by any thread, all else by the one that runs the loop.

    Args:
        tell: Publishes an event.
    """

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell
        # by the connection: one that was removed may still be told of when its address has been added anew
        self._followed: dict[Connection, _Followed] = {}
        self._heard: queue.SimpleQueue[tuple[_Followed, StateChange]] = queue.SimpleQueue()

    def follow(self, connection: Connection) -> None:
        """Tell what becomes of a source from now on."""
        followed = _Followed(connection)
        self._followed[connection] = followed
        if not connection.tells:
            return
        also = followed.also

        def heard(change: StateChange) -> None:
            self._heard.put((followed, change))
            if also is not None:
                also(change)

        connection.on_change = heard

    def tell_news(self) -> None:
        """Tell what has changed since the last time."""
        with suppress(queue.Empty):
            while True:
                followed, change = self._heard.get_nowait()
                self._tell(self._event(followed, change))
        for followed in tuple(self._followed.values()):
            if not followed.connection.tells and followed.connection.state not in ("idle", "ended", "lost"):
                self._tell_state(followed, followed.connection.state)

    def connecting(self, connection: Connection) -> None:
        """A source is about to be connected: to be told with the other news, where it does not tell by itself."""
        if not connection.tells:
            change = StateChange("connecting", None, "", time.time_ns())
            self._heard.put((self._followed[connection], change))

    def end(self, connection: Connection, error: BaseException | None) -> State:
        """Tell how a source ended, where it did, and follow it no further.

        Args:
            connection: The source; closed, where the run made it.
            error: What ended it.

        Returns:
            How it was left: ``lost``, also where it has been closed since.
        """
        self.tell_news()
        followed = self._followed.pop(connection)
        state: State = "lost" if followed.told == "lost" else connection.state
        # the thread of one that tells may yet tell the rest, where it stays open
        if not connection.tells or state == "ended":
            message = error.message if state == "lost" and isinstance(error, FcnEdgeError) else ""
            self._tell_state(followed, state, prose_without_passwords(message))
        if connection.tells:
            connection.on_change = followed.also
        return state

    def _event(self, followed: _Followed, change: StateChange) -> Event:
        source = followed.connection.id
        if change.of_grade and change.grade is not None:
            return GradeChanged(source, change.grade, change.message, change.state, change.unix_ns)
        followed.told = change.state
        return SourceChanged(source, change.state, change.message, change.grade, change.unix_ns)

    def _tell_state(self, followed: _Followed, state: State, message: str = "") -> None:
        if state != followed.told:
            followed.told = state
            self._tell(SourceChanged(followed.connection.id, state, message))
