"""Overlays in a video file, or in a series of them."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.errors import MachineError
from fcn_edge.runtime.channel import Channel
from fcn_edge.runtime.events import Event
from fcn_edge.runtime.frame import Frame
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.signal import SignalWatch
from fcn_edge.runtime.sinks.backlog import Backlog
from fcn_edge.runtime.sinks.base import Sink, SinkContext
from fcn_edge.runtime.sinks.encoded import AVI, CONTAINERS, WEBM
from fcn_edge.runtime.sinks.encoders.choice import AUTO, chosen, chosen_for_webm
from fcn_edge.runtime.sinks.encoders.elements import ELEMENTS
from fcn_edge.runtime.sinks.recording import Recording, unshared
from fcn_edge.runtime.sinks.segments import Segments
from fcn_edge.runtime.sinks.stand_in import StandIn
from fcn_edge.runtime.sinks.video_clock import VideoClock, usual_rate

__all__ = ["VIDEO_SUFFIXES", "VideoSink"]

VIDEO_SUFFIXES = frozenset(CONTAINERS)

CLOSE_TIMEOUT = 60.0
"""Seconds that the last frames may take; a network disk that went away never answers."""
STAND_IN_EVERY = 0.5
"""Seconds from one picture to the next while the camera is away."""


class VideoSink(Sink):
    """A video of overlays, of the size of the first one, with the frames' own times.

    It is encoded in a thread of its own. A frame of a file waits until there is room for it; one of a live source that
    finds none is left out and counted, so that a slow disk never slows a camera. The file has its final name from
    the start and plays however its writer ends (``EncodedWriter``). With ``context.segment`` it is a series of files
    (``Segments``).

    While a live source is away (``SignalWatch``), from its first frame to the end of the run, the video goes on with
    the picture that says so, twice a second, and its times go on: what was recorded before and after stands where it
    belongs. In H.264 and VP9 this costs next to nothing (``encoded.KEYFRAME_OF_THE_SAME_EVERY_NS``).

    Args:
        path: The file; its suffix chooses the container.
        context: What the stream is. Without times and a frame rate the video plays 25 frames a second.
        encoder: One of ``encoders.choice.ENCODERS``.

    Raises:
        UsageError: The container takes no pictures of the encoder that was named.
        MachineError: The encoder that was named is not here, or does not work.
    """

    def __init__(self, path: Path, context: SinkContext, encoder: str = AUTO) -> None:
        self._path = path
        self._overlay = context.overlay
        self._live = context.live
        fps = usual_rate(context.fps)
        choice = chosen_for_webm(encoder) if path.suffix.lower() == WEBM else chosen(encoder)
        if context.peak_fps is not None and (choice is None or path.suffix.lower() == AVI):
            fps = usual_rate(context.peak_fps)  # the file knows one rate, and what comes faster would be left out
        self._clock = VideoClock(fps, context.live)
        segments = None if context.segment is None else Segments(path, context.keep, context.reads)
        shared = unshared if context.video is None or path.suffix.lower() == WEBM else context.video.feeder()
        self._recording = Recording(path, fps, context.live, choice, segments, context.segment, shared)
        self._watch = SignalWatch()
        self._backlog: Backlog[tuple[NDArray[np.uint8], Frame]] = Backlog(self._encode, "fcn-edge video")
        self._until: float | None = None
        self._closed = False

    @override
    def write(self, result: Result) -> None:
        self._watch.came(result)
        if self._live and self._backlog.full:
            self.dropped += 1
            return
        overlay = self._overlay(result)
        # what waits holds one image each
        self._backlog.put((overlay, replace(result.frame, image=overlay, labels=None)))

    @override
    def heard(self, event: Event) -> None:
        self._watch.heard(event)

    @override
    def finish(self, hurry: bool = False) -> None:
        if self._until is None:
            self._until = time.monotonic() + CLOSE_TIMEOUT
            self._backlog.end()

    @override
    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self.finish()
        assert self._until is not None
        if not self._backlog.join(max(self._until - time.monotonic(), 0.0)):
            slow, elsewhere = f"The disk of {self._path}", "Check it, or write elsewhere."
            if self._recording.encoder in ELEMENTS:
                slow = f"The encoder {self._recording.encoder} or the disk of {self._path}"
                elsewhere = "Check the disk, or leave encoding to the processor: out.mp4#encoder=libx264."
            raise MachineError(f"{slow} took longer than {CLOSE_TIMEOUT:g} s for the end of the video.", elsewhere)
        self._backlog.raise_untold()

    @property
    @override
    def wrote(self) -> tuple[Path, ...]:
        return tuple(path for path in self._recording.files if path.exists())

    def _encode(self, waiting: Channel[tuple[NDArray[np.uint8], Frame]]) -> None:
        stand_in = StandIn()
        try:
            for item in waiting.within(STAND_IN_EVERY if self._live else None):
                if item is not None:
                    image, frame = item
                    self._recording.write(image, self._clock.shown_ns(frame))
                    stand_in.follows(image)
                elif (since_ns := self._watch.away_since_unix_ns) is not None:
                    picture, again = stand_in.picture(since_ns)
                    self._recording.write(picture, self._clock.away_ns(time.monotonic_ns()), again)
            self._recording.close()
        except BaseException:
            self._recording.give_up()
            raise
