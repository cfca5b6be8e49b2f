"""The sources of a run, which may come and go while it runs."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from fcn_edge.backends.base import Session
from fcn_edge.errors import FcnEdgeError, UsageError
from fcn_edge.io.redaction import prose_without_passwords
from fcn_edge.metrics.durations import NS_PER_MS
from fcn_edge.runtime.clock import skews
from fcn_edge.runtime.feed import Feed
from fcn_edge.runtime.pipeline import Pipeline
from fcn_edge.runtime.source_status import SourceStatus
from fcn_edge.runtime.sources import Connection, SourceAddress
from fcn_edge.runtime.sources.base import State
from fcn_edge.runtime.sources.paced import PacedConnection
from fcn_edge.runtime.sources.supervised import supervised
from fcn_edge.runtime.uri import Uri

__all__ = ["AnySource", "Source", "Sources", "label_of"]

LONGEST_LABEL = 64
MOST_OVER = 64
"""Sources that have ended of which ``statuses`` tells; a run may last for months."""
HOSTED = frozenset({"rtsp", "rtsps", "http", "https"})
"""Schemes whose place begins with a host."""

AnySource = str | int | Path | SourceAddress | Connection
"""What names a source, or a connection to one; a connection stays the caller's to close."""


class Source:
    """One source of a run.

    Args:
        given: What names it, or a connection to it.

    Attributes:
        connection: A connection to it.
        owned: The run made the connection, and closes it.
        label: Short name that no other source of its set has or had: what its files are called by.
        number: Its number in its set, from 1, which no other one has or had.
        feed: Its way into the network; None while nothing runs.
        paused: Its frames are not wanted for now.
        removed: It was taken out; what was captured of it is still processed.

    Raises:
        UsageError: The address makes no sense.
        SourceError: There is no such file.
    """

    def __init__(self, given: AnySource) -> None:
        self.owned = not isinstance(given, Connection)
        address: Uri
        if isinstance(given, Connection):
            self.connection, address = given, given.address
        else:
            address = _address(given)
            self.connection = supervised(address)
        self.label = label_of(address)
        self.number = 0
        self.feed: Feed | None = None
        self.paused = False
        self.removed = False

    @property
    def id(self) -> str:
        """What it is called: its address without the password."""
        return self.connection.id

    def pace(self) -> None:
        """Play it at the pace of its own times, like a camera, unless it is live already."""
        if not self.connection.live:
            self.connection = PacedConnection(self.connection, leave_open=not self.owned)

    def interrupt(self) -> None:
        """Have a read that waits give up, where the run made the connection."""
        if self._closes:
            self.connection.interrupt()

    def close(self) -> None:
        """Close the connection, where the run made it."""
        if self._closes:
            self.connection.close()

    def status(self) -> SourceStatus:
        """What it does now."""
        connection, feed = self.connection, self.feed
        return SourceStatus(
            self.id,
            self.label,
            self.number,
            connection.state,
            connection.grade,
            "",
            self.paused,
            connection.live,
            connection.size,
            connection.dropped if feed is None else feed.dropped,
            0 if feed is None else feed.late,
            connection.reconnects,
            connection.stalls,
        )

    @property
    def _closes(self) -> bool:
        # that which paces a connection of the caller's leaves it open
        return self.owned or isinstance(self.connection, PacedConnection)


class Sources:
    """A set of sources that can be added to, paused and removed while ``fcn_edge.run`` or ``stream`` goes through it.

        cameras = fcn_edge.Sources("rtsp://front/1", "rtsp://rear/1")
        threading.Thread(target=steer, args=[cameras]).start()      # cameras.pause("rtsp://rear/1") ...
        fcn_edge.run(cameras, segment, ["-"])

    Any thread may use it. Sources are called by their addresses without passwords. One run at a time goes through it.

    Args:
        sources: What is there at the beginning.
        stay: Keep the run waiting for further sources when all have ended, until ``close``.
        fixed: Nothing may be added. A run of one such source is as one of its address: its files are called as they
            were given, and what is wrong with it is raised.

    Raises:
        UsageError: An address makes no sense, or is there twice; the set is to be fixed and to stay.
        SourceError: There is no such file.
    """

    def __init__(self, *sources: AnySource, stay: bool = False, fixed: bool = False) -> None:
        if stay and fixed:
            raise UsageError("A fixed set of sources cannot wait for further ones.", "Leave out stay, or fixed.")
        self._lock = threading.Lock()
        self._sources: dict[str, Source] = {}
        self._over: dict[str, SourceStatus] = {}
        self._labels: set[str] = set()
        self._count = 0
        self._pipeline: Pipeline | None = None
        self._joined: Callable[[Source], Session | None] = lambda _: None
        self._stay = stay
        self._fixed = False
        for source in sources:
            self.add(source)
        self._fixed = fixed

    @property
    def fixed(self) -> bool:
        """Nothing may be added."""
        return self._fixed

    @property
    def count(self) -> int:
        """How many have been added so far, which is the number of the newest."""
        return self._count

    def add(self, source: AnySource) -> str:
        """Add a source; where a run goes on, it is connected by a thread of that run.

        Args:
            source: What names it, or a connection to it, which stays the caller's to close.

        Returns:
            What it is called.

        Raises:
            UsageError: The address makes no sense, or is there already; or the set is fixed.
            SourceError: There is no such file.
        """
        if self._fixed:
            raise UsageError(
                "This run takes no further sources.",
                "Start it with --allow-source PATTERN, or make its Sources without fixed.",
            )
        new = Source(source)
        with self._lock:
            if (old := self._sources.get(new.id)) is not None:
                if old.removed:
                    raise UsageError(f"The source {new.id} is still being removed.", "Add it again in some seconds.")
                raise UsageError(f"The source {new.id} is there already.", "Name each once, or remove it first.")
            self._count += 1
            new.label, new.number = self._unique(new.label), self._count
            self._over.pop(new.id, None)
            self._sources[new.id] = new
            if self._pipeline is not None:
                self._join(new, self._pipeline)
        return new.id

    def remove(self, source: str) -> None:
        """Take a source out; what was captured of it is still processed. It is closed by the run.

        It waits for nothing. A source that the run connects gives up what it waits for: one that does not answer is
        gone in about a second. A connection of the caller's is left alone. Of one that has ended, ``statuses`` tells no
        more.

        Raises:
            UsageError: There is none of that name.
        """
        with self._lock:
            if source not in self._sources and self._over.pop(source, None) is not None:
                return
            removed = self._named(source)
            removed.removed = True
            if removed.feed is None:
                del self._sources[source]
            else:
                removed.feed.stop()
                removed.interrupt()

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

    def statuses(self) -> tuple[SourceStatus, ...]:
        """What each source does, those that were removed left out.

        The newest of those that have ended or were lost for good are still told of, until they are removed or added
        anew.
        """
        with self._lock:
            there = [source.status() for source in self._sources.values() if not source.removed]
            over = self._over.values()
            return tuple(sorted((*over, *there), key=lambda status: status.number))

    def number_of(self, source: str) -> int | None:
        """The number of a source, by its name; None where ``statuses`` does not tell of it."""
        with self._lock:
            there = self._sources.get(source)
            if there is not None:
                return None if there.removed else there.number
            over = self._over.get(source)
            return None if over is None else over.number

    def skews_ms(self) -> dict[str, float | None]:
        """How far the cameras' clocks are from each other, by name, now.

        Returns:
            Milliseconds that each is ahead of the median of all that tell their time, less the least delay of its
            frames; None for one that does not tell it, or not yet, and everywhere where fewer than two do.
        """
        with self._lock:
            offsets = {name: source.connection.clock.offset_ns for name, source in self._sources.items()}
        found = skews([None if offset is None else offset / NS_PER_MS for offset in offsets.values()])
        return dict(zip(offsets, found, strict=True))

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

    def attach(self, pipeline: Pipeline, joined: Callable[[Source], Session | None] = lambda _: None) -> None:
        """Send the frames of all sources, and of those to come, through a pipeline. For the run loop.

        Args:
            pipeline: Where they go.
            joined: Told of each source before it is read, in the thread that adds it; gives its session, or None for a
                new one.

        Raises:
            UsageError: Another run goes through it.
        """
        with self._lock:
            if self._pipeline is not None:
                raise UsageError("Another run goes through these sources.", "Wait for it, or make a set of their own.")
            self._pipeline, self._joined = pipeline, joined
            pipeline.keep_open = self._stay
            for source in self._sources.values():
                self._join(source, pipeline)

    def ended(self, feed: Feed, error: BaseException | None = None) -> Source:
        """Take out the source of a feed that has ended. For the run loop.

        Args:
            feed: The feed.
            error: What ended it.
        """
        with self._lock:
            [source] = [one for one in self._sources.values() if one.feed is feed]
            del self._sources[source.id]
            if not source.removed:
                self._remember(source, error)
            return source

    def detach(self) -> tuple[Source, ...]:
        """End what ``attach`` began; gives the sources that were left. For the run loop."""
        with self._lock:
            self._pipeline = None
            left = tuple(self._sources.values())
            self._sources.clear()
            return left

    def _remember(self, source: Source, error: BaseException | None) -> None:
        """Keep what became of a source that has ended by itself."""
        lost = source.connection.state == "lost" or error is not None
        message = prose_without_passwords(error.message) if isinstance(error, FcnEdgeError) else ""
        state: State = "lost" if lost else "ended"
        self._over[source.id] = replace(source.status(), state=state, message=message, paused=False)
        if len(self._over) > MOST_OVER:
            del self._over[next(iter(self._over))]

    def _join(self, source: Source, pipeline: Pipeline) -> None:
        session = self._joined(source)
        source.feed = pipeline.add(source.connection, session)
        source.feed.paused = source.paused

    def _unique(self, label: str) -> str:
        """The label, with a number where another source has or had it: nothing of that one is to be written over."""
        candidates = (label, *(f"{label}-{number}" for number in range(2, len(self._labels) + 3)))
        found = next(one for one in candidates if one not in self._labels)
        self._labels.add(found)
        return found

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


def label_of(address: Uri) -> str:
    """A short name of letters, digits, ``_`` and ``-`` for what an address names: its option ``name`` or its last part.

    Logins stand before the host, and a camera's own options behind ``?``; neither is in it.
    """
    place = address.place.partition("?")[0] if address.scheme else address.place
    path = Path(place.partition("/")[2] if address.scheme in HOSTED else place)
    host = place.partition("/")[0].rpartition("@")[2]
    last = address.options.get("name") or path.stem or host
    label = re.sub(r"[^\w-]+", "-", last, flags=re.ASCII).strip("-")[:LONGEST_LABEL] or "source"
    return f"camera-{label}" if label.isdecimal() else label


def _address(source: str | int | Path | SourceAddress) -> SourceAddress:
    return source if isinstance(source, SourceAddress) else SourceAddress.of(source)
