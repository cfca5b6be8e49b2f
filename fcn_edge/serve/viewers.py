"""Everybody who looks at the page: who gets which messages, and what becomes of those who cannot keep up.

All of it runs in the server's event loop; ``Viewers.publish`` and ``Viewers.close`` are for other threads.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from fcn_edge.serve.messages import Message

__all__ = ["Viewers"]

MOST_WAITING_BYTES = 4 << 20
"""That may wait for one viewer; more, and it loses pictures up to the next keyframe."""
MOST_WAITING = 90
"""Messages of each source that may wait for one viewer."""
LONGEST_GROUP = 240
"""Messages from a keyframe on that are kept for who joins: keyframes come every second, unless an encoder is broken."""
STUCK = 8.0
"""Seconds after which a viewer is left that takes nothing."""
STATUS_EVERY = 0.5
"""Seconds."""
MOST_WATCHED = 64
"""Sources that one viewer may name; as many as a run may have."""
TOO_SLOW, OVER, NO_SENSE = 1013, 1001, 1008


class _Viewer:
    """One who looks.

    Attributes:
        watched: Numbers of the sources that it sees.
        sending_since: When it began to take what it takes now; None while it takes nothing.
        task: Sends what waits for it.
        is_stuck: It took nothing for so long that it is left.
    """

    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self.watched: frozenset[int] = frozenset()
        self.sending_since: float | None = None
        self.task: asyncio.Task[None] | None = None
        self.is_stuck = False
        self._waiting: deque[Message | str] = deque()
        self._bytes = 0
        self._needs_keyframe: set[int] = set()
        self._ready = asyncio.Event()

    def offer(self, message: Message) -> None:
        """Send a message, as soon as those before are sent, unless it is of no use to this viewer."""
        if message.source not in self.watched:
            return
        if message.init:
            self._needs_keyframe.add(message.source)
        elif message.keyframe:
            self._needs_keyframe.discard(message.source)
        elif message.source in self._needs_keyframe:
            return
        self._append(message, len(message.data))
        if self._bytes > MOST_WAITING_BYTES or len(self._waiting) > MOST_WAITING * len(self.watched):
            self._lose_pictures()

    def say(self, text: str) -> None:
        """Send a text; only the newest is kept where it waits for long."""
        if sum(isinstance(one, str) for one in self._waiting) < 3:
            self._append(text, len(text))

    def join(self, source: int, messages: list[Message]) -> None:
        """Begin with a source: its init segment and its pictures from the newest keyframe on."""
        self._needs_keyframe.add(source)
        for message in messages:
            self.offer(message)

    def leave(self, source: int) -> None:
        """Forget what waits of a source."""
        self._needs_keyframe.discard(source)
        kept = [one for one in self._waiting if isinstance(one, str) or one.source != source]
        self._keep(kept)
        self._needs_keyframe.discard(source)  # it may name any numbers, and others each time

    async def send_all(self) -> None:
        """Send what waits, for as long as the connection lives."""
        with suppress(WebSocketDisconnect):
            await self._send_all()

    async def _send_all(self) -> None:
        while True:
            while self._waiting:
                message = self._waiting.popleft()
                self.sending_since = time.monotonic()
                if isinstance(message, str):
                    self._bytes -= len(message)
                    await self.websocket.send_text(message)
                else:
                    self._bytes -= len(message.data)
                    await self.websocket.send_bytes(message.data)
                self.sending_since = None
            self._ready.clear()
            await self._ready.wait()

    def _append(self, message: Message | str, size: int) -> None:
        self._waiting.append(message)
        self._bytes += size
        self._ready.set()

    def _lose_pictures(self) -> None:
        """Forget the pictures that wait; each source goes on with its next keyframe. Init segments stay."""
        kept = [one for one in self._waiting if isinstance(one, str) or one.init]
        self._needs_keyframe |= self.watched
        self._keep(kept)

    def _keep(self, kept: list[Message | str]) -> None:
        self._waiting = deque(kept)
        self._bytes = sum(len(one) if isinstance(one, str) else len(one.data) for one in kept)


class Viewers:
    """The viewers of a page.

    Args:
        status: Gives the text of the status; its argument says whether with the history.
        watch: Told which sources somebody looks at, by number, whenever that changes.
    """

    def __init__(self, status: Callable[[bool], str], watch: Callable[[frozenset[int]], None]) -> None:
        self._status = status
        self._watch = watch
        self._viewers: set[_Viewer] = set()
        self._groups: dict[int, list[Message]] = {}
        self._watched: frozenset[int] = frozenset()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticking: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._viewers)

    def publish(self, message: Message) -> None:
        """Hand a message to all who look at its source. From any thread."""
        self._call(self._distribute, message)

    def forget(self, source: int) -> None:
        """Forget a source that is gone, after its last message. From any thread."""
        self._call(self._groups.pop, source, None)

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one viewer for as long as it stays."""
        self._loop = asyncio.get_running_loop()
        await websocket.accept()
        viewer = _Viewer(websocket)
        viewer.say(self._status(True))
        viewer.task = asyncio.create_task(viewer.send_all())
        self._viewers.add(viewer)
        if self._ticking is None or self._ticking.done():
            self._ticking = asyncio.create_task(self._tick())
        try:
            await self._listen(viewer)
        finally:
            self._viewers.discard(viewer)  # first: waiting may be interrupted
            self._watch_what_is_seen()
            if not self._viewers and self._ticking is not None:
                self._ticking.cancel()
                self._ticking = None
            viewer.task.cancel()
            await asyncio.wait((viewer.task,))
        if viewer.is_stuck:
            with suppress(Exception):  # it may not even take this
                await asyncio.wait_for(websocket.close(TOO_SLOW), 0.5)

    async def close(self) -> None:
        """Say to all that the run is over."""
        for viewer in tuple(self._viewers):
            with suppress(Exception):
                await asyncio.wait_for(viewer.websocket.close(OVER), 0.5)

    def _call(self, do: Callable[..., object], *arguments: object) -> None:
        """Do something in the loop; nothing where nobody ever looked, or the loop is closed."""
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(do, *arguments)

    async def _listen(self, viewer: _Viewer) -> None:
        """Take what a viewer says, until it goes or its sender ends."""
        assert viewer.task is not None
        while True:
            hearing = asyncio.ensure_future(viewer.websocket.receive_text())
            try:
                await asyncio.wait((hearing, viewer.task), return_when=asyncio.FIRST_COMPLETED)
                if not hearing.done():
                    return
                watched = _watched_in(hearing.result())
            except (WebSocketDisconnect, KeyError):
                return
            finally:
                hearing.cancel()
            if watched is None:
                await viewer.websocket.close(NO_SENSE)
                return
            self._change(viewer, watched)

    def _change(self, viewer: _Viewer, watched: frozenset[int]) -> None:
        before, viewer.watched = viewer.watched, watched
        for source in before - watched:
            viewer.leave(source)
        for source in watched - before:
            viewer.join(source, self._groups.get(source, []))
        self._watch_what_is_seen()

    def _watch_what_is_seen(self) -> None:
        watched = frozenset().union(*(viewer.watched for viewer in self._viewers))
        for source in self._watched - watched:
            group = self._groups.get(source, [])
            group[:] = _init_of(group)  # the next viewer begins with what is new then
        if watched != self._watched:
            self._watched = watched
            self._watch(watched)

    def _distribute(self, message: Message) -> None:
        group = self._groups.setdefault(message.source, [])
        if message.init:
            group[:] = [message]
        elif message.source not in self._watched:
            return
        elif message.keyframe:
            group[:] = [*_init_of(group), message]
        elif len(group) >= LONGEST_GROUP:
            group[:] = _init_of(group)
        elif len(group) > 1:
            group.append(message)
        for viewer in self._viewers:
            viewer.offer(message)

    async def _tick(self) -> None:
        """Send the status now and then, and leave those who take nothing."""
        while True:
            await asyncio.sleep(STATUS_EVERY)
            text = self._status(False)
            now = time.monotonic()
            for viewer in tuple(self._viewers):
                since = viewer.sending_since
                if since is not None and now - since > STUCK:
                    _abort(viewer)
                else:
                    viewer.say(text)


def _init_of(group: list[Message]) -> list[Message]:
    return [one for one in group[:1] if one.init]


def _abort(viewer: _Viewer) -> None:
    viewer.is_stuck = True
    if viewer.task is not None:
        viewer.task.cancel()


def _watched_in(text: str) -> frozenset[int] | None:
    """The sources that a viewer names; None where its message makes no sense."""
    try:
        message: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    named = message.get("watch") if isinstance(message, Mapping) else None
    if not isinstance(named, list) or len(named) > MOST_WATCHED or not all(type(one) is int for one in named):
        return None
    return frozenset(named)
