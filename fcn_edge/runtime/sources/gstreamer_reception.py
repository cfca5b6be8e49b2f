"""How a pipeline of GStreamer receives: packets that the network lost, their jitter, and keyframes.

It runs in the system's Python, as a part of ``gstreamer_worker``: nothing but the standard library of Python 3.8.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from typing import Any

__all__ = ["Keyframes", "Reception"]

EVERY = 1.0
MOST_COMING = 100
"""Keyframes in the decoder; one that gives nothing must not make the memory grow."""


class Reception:
    """What the jitter buffers of a pipeline say of the packets that come over RTP. They come and go while it plays.

    Args:
        gst: The module ``gi.repository.Gst``.
        pipeline: The pipeline.
    """

    def __init__(self, gst: Any, pipeline: Any) -> None:
        self.gst = gst
        self.pipeline = pipeline
        self.lost: dict[str, int] = {}
        self.told: dict[str, int | None] = {}
        self.next = 0.0

    def news(self) -> dict[str, int | None]:
        """Packets that were lost so far, and the largest jitter, nanoseconds; empty where nothing is new."""
        if time.monotonic() < self.next:
            return {}
        self.next = time.monotonic() + EVERY
        jitters = []
        for buffer in self.jitter_buffers():
            told = buffer.get_property("stats")
            known, lost = told.get_uint64("num-lost")
            if known:
                self.lost[buffer.get_path_string()] = lost
            known, jitter = told.get_uint64("avg-jitter")
            if known:
                jitters.append(jitter)
        if not self.lost:
            return {}
        news = {"packets_lost": sum(self.lost.values()), "jitter_ns": max(jitters, default=None)}
        if news == self.told:
            return {}
        self.told = news
        return news

    def jitter_buffers(self) -> Iterator[Any]:
        """Those that are there; one may come twice, where elements are added meanwhile."""
        iterator, results = self.pipeline.iterate_recurse(), self.gst.IteratorResult
        while True:
            result, element = iterator.next()
            if result == results.RESYNC:
                iterator.resync()
            elif result != results.OK:
                return
            else:
                factory = element.get_factory()
                if factory is not None and factory.get_name() == "rtpjitterbuffer":
                    yield element


class Keyframes:
    """Which decoded pictures were keyframes: their time stamps are noted on the way into the decoder.

    Attributes:
        any: One has come.
    """

    def __init__(self, no_time: int) -> None:
        self.any = False
        self.no_time = no_time
        self.coming: deque[int] = deque(maxlen=MOST_COMING)
        self.count = 0

    def encoded(self, pts: int) -> None:
        """A keyframe goes into the decoder; called in a thread of GStreamer."""
        self.any = True
        if pts != self.no_time:
            self.coming.append(pts)

    def decoded(self, pts: int) -> int:
        """How many there are up to the picture that comes out; -1 where nobody notes them."""
        while pts != self.no_time and self.coming and self.coming[0] <= pts:
            self.coming.popleft()
            self.count += 1
        return self.count if self.any else -1
