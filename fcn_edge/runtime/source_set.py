"""The sources of a run, which may come and go while it runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from fcn_edge.errors import UsageError
from fcn_edge.runtime.feed import Feed
from fcn_edge.runtime.pipeline import Pipeline
from fcn_edge.runtime.sources import Connection, SourceAddress
from fcn_edge.runtime.sources.base import State

__all__ = ["AnySource", "Source", "Sources"]

AnySource = str | int | Path | SourceAddress | Connection
"""What names a source, or a connection to one; a connection stays the caller's to close."""


class Source:
    """One source of a run.

    Args:
        given: What names it, or a connection to it.

    Attributes:
        connection: A connection to it.
        owned: The run made the connection, and closes it.
        feed: Its way into the network; None while nothing runs.

    Raises:
        UsageError: The address makes no sense.
        SourceError: There is no such file.
    """

    def __init__(self, given: AnySource) -> None:
        self.owned = not isinstance(given, Connection)
        self.connection = given if isinstance(given, Connection) else _address(given).connection()
        self.feed: Feed | None = None
        self.paused = False

    @property
    def id(self) -> str:
        """What it is called: its address without the password."""
        return self.connection.id

    def close(self) -> None:
        """Close the connection, where the run made it."""
        if self.owned:
            self.connection.interrupt()
            self.connection.close()


class Sources:
    """A set of sources that can be added to, paused and removed while ``fcn_edge.run`` or ``stream`` goes through it.

        cameras = fcn_edge.Sources("rtsp://front/1", "rtsp://rear/1")
        threading.Thread(target=steer, args=[cameras]).start()      # cameras.pause("rtsp://rear/1") ...
        fcn_edge.run(cameras, segment, ["-"])

    Any thread may use it. Sources are called by their addresses without passwords. One run at a time goes through it.

    Args:
        sources: What is there at the beginning.
        stay: Keep the run waiting for further sources when all have ended, until ``close``.

    Raises:
        UsageError: An address makes no sense, or is there twice.
        SourceError: There is no such file.
    """

    def __init__(self, *sources: AnySource, stay: bool = False) -> None:
        self._lock = threading.Lock()
        self._sources: dict[str, Source] = {}
        self._pipeline: Pipeline | None = None
        self._stay = stay
        for source in sources:
            self.add(source)

    def add(self, source: AnySource) -> str:
        """Add a source; where a run goes on, it is connected by a thread of that run.

        Args:
            source: What names it, or a connection to it, which stays the caller's to close.

        Returns:
            What it is called.

        Raises:
            UsageError: The address makes no sense, or is there already.
            SourceError: There is no such file.
        """
        new = Source(source)
        with self._lock:
            if new.id in self._sources:
                raise UsageError(f"The source {new.id} is there already.", "Name each once, or remove it first.")
            self._sources[new.id] = new
            if self._pipeline is not None:
                new.feed = self._pipeline.add(new.connection)
        return new.id

    def remove(self, source: str) -> None:
        """Take a source out; what was captured of it is still processed. It is closed by the run.

        Raises:
            UsageError: There is none of that name.
        """
        with self._lock:
            removed = self._named(source)
            if removed.feed is None:
                del self._sources[source]
            else:
                removed.feed.stop()

    def pause(self, source: str) -> None:
        """Process no frame of a source until ``resume``. The connection is kept; a live one is read on.

        Raises:
            UsageError: There is none of that name.
        """
        self._set_paused(source, True)

    def resume(self, source: str) -> None:
        """Go on with a source that was paused.

        Raises:
            UsageError: There is none of that name.
        """
        self._set_paused(source, False)

    def states(self) -> dict[str, State]:
        """The state of each source, by name; ``idle`` for one that no run has connected yet."""
        with self._lock:
            return {name: source.connection.state for name, source in self._sources.items()}

    def close(self) -> None:
        """Wait for no further sources: a run ends when those that are there have ended."""
        with self._lock:
            self._stay = False
            if self._pipeline is not None:
                self._pipeline.keep_open = False

    def __iter__(self) -> Iterator[str]:
        with self._lock:
            return iter(tuple(self._sources))

    def __len__(self) -> int:
        with self._lock:
            return len(self._sources)

    def attach(self, pipeline: Pipeline) -> None:
        """Send the frames of all sources, and of those to come, through a pipeline. For the run loop.

        Raises:
            UsageError: Another run goes through it.
        """
        with self._lock:
            if self._pipeline is not None:
                raise UsageError("Another run goes through these sources.", "Wait for it, or make a set of their own.")
            self._pipeline = pipeline
            pipeline.keep_open = self._stay
            for source in self._sources.values():
                if source.feed is None:
                    source.feed = pipeline.add(source.connection)
                source.feed.paused = source.paused

    def ended(self, feed: Feed) -> Source:
        """Take out the source of a feed that has ended. For the run loop."""
        with self._lock:
            [source] = [one for one in self._sources.values() if one.feed is feed]
            del self._sources[source.id]
            return source

    def detach(self) -> tuple[Source, ...]:
        """End what ``attach`` began; gives the sources that were left. For the run loop."""
        with self._lock:
            self._pipeline = None
            left = tuple(self._sources.values())
            self._sources.clear()
            return left

    def _named(self, name: str) -> Source:
        if name not in self._sources:
            there = ", ".join(self._sources) or "none"
            raise UsageError(f"There is no source {name!r}.", f"Those that are there: {there}.")
        return self._sources[name]

    def _set_paused(self, name: str, paused: bool) -> None:
        with self._lock:
            source = self._named(name)
            source.paused = paused
            if source.feed is not None:
                source.feed.paused = paused


def _address(source: str | int | Path | SourceAddress) -> SourceAddress:
    return source if isinstance(source, SourceAddress) else SourceAddress.of(source)
