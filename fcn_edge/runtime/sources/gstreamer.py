"""Sources that the system's GStreamer reads, in a child process: CSI cameras, pipelines, decoding on the board.

The child (``gstreamer_worker``) runs in the system's Python, which alone has GStreamer's binding: no environment needs
it, and a crash in a driver is a lost source.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from typing_extensions import override

from fcn_edge.artifacts.spec import Size
from fcn_edge.errors import SourceError, UsageError
from fcn_edge.metrics.durations import NS_PER_MS, NS_PER_S
from fcn_edge.runtime.channel import Channel
from fcn_edge.runtime.sources import gstreamer_errors as errors
from fcn_edge.runtime.sources.base import SLICE, Connection, EndOfSource, Picture
from fcn_edge.runtime.sources.gstreamer_pipelines import (
    JITTER,
    Decoder,
    Transport,
    csi_pipeline,
    rtsp_pipeline,
    text_pipeline,
)
from fcn_edge.runtime.sources.gstreamer_process import WORKER, GStreamerProcess, WorkerFrame
from fcn_edge.runtime.uri import Uri
from fcn_edge.runtime.waiting import item_within
from fcn_edge.system.gstreamer import SYSTEM_PYTHON

__all__ = ["GStreamerConnection", "gstreamer_csi", "gstreamer_rtsp", "gstreamer_text"]

CONNECT_TIMEOUT = 15.0
"""Seconds until the first frame; on its first start GStreamer looks through all its plugins."""
READ_TIMEOUT = 10.0
"""Seconds without a frame after which a source is lost."""
STALLED = 1.0
"""Seconds without a frame after which a live source is stalled; three frame times where that is longer."""
GRACE = 1.0
"""Seconds that a pipeline gets to go down by itself: a camera daemon may not get over one that was killed."""


class GStreamerConnection(Connection):
    """A pipeline of GStreamer. Whether it is live, it says itself: a live one gives the newest frame, others every one.

    Args:
        address: What the user called it.
        pipeline: What to build (``gstreamer_pipelines``).
        timeout: Seconds without a frame after which it is lost, > 0. If longer than ``CONNECT_TIMEOUT``, it holds for
            the first frame too, where ``connect`` is not told another.
        endless: It is a camera: live, and its end is a loss.
        fps: Frames a second to expect, where the pipeline does not say or says what is wrong.
        python: The interpreter that has ``gi``.
        worker: What it runs.
    """

    def __init__(
        self,
        address: Uri,
        pipeline: Mapping[str, Any],
        timeout: float | None = None,
        *,
        endless: bool = False,
        fps: float | None = None,
        python: str = SYSTEM_PYTHON,
        worker: Path = WORKER,
    ) -> None:
        super().__init__(address)
        self._pipeline = pipeline
        self._timeout = timeout or READ_TIMEOUT
        # a child that starts and a keyframe that is waited for take their time, however soon a loss is to be known
        self._connect_timeout = max(self._timeout, CONNECT_TIMEOUT)
        self.live = endless  # of a camera known before it is connected, so that it can be supervised
        self._endless = endless
        self._asked_fps = fps
        self._python = python
        self._worker = worker
        self._process: GStreamerProcess | None = None
        self._pictures: Channel[tuple[Picture, int | None]] = Channel(1)
        self._opened: queue.SimpleQueue[Size | Exception] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="fcn-edge gstreamer", daemon=True)
        self._closing = False
        self._given_ns = 0
        self._first_ns: int | None = None
        self._skipped = 0

    @property
    @override
    def dropped(self) -> int:
        return self._skipped + self._pictures.dropped

    @override
    def _connect(self, timeout: float | None) -> None:
        limit = self._connect_timeout if timeout is None else timeout
        try:
            self._process = GStreamerProcess(self._python, self._pipeline, self._worker)
        except OSError:
            raise errors.no_python(self.id, self._python) from None
        self._thread.start()
        until = time.monotonic() + limit
        while not self._interrupted and time.monotonic() < until:
            with suppress(queue.Empty):
                answer = item_within(self._opened, SLICE)
                if isinstance(answer, Exception):
                    raise answer
                self.size, self.state = answer, "live"
                self._given_ns = time.monotonic_ns()
                return
        if self._interrupted:
            raise SourceError(f"Opening {self.id} was interrupted.")
        raise SourceError(
            f"{self.id} gave no frame within {limit:g} s.", "Check that it is on and connected, or give it more time."
        )

    @override
    def _next(self, timeout: float) -> Picture | None:
        try:
            taken = self._pictures.take(timeout)
        except queue.Empty:
            self._check_waiting()
            return None
        if taken is None:
            raise EndOfSource
        picture, self.keyframes = taken
        self._given_ns = time.monotonic_ns()
        if self.state == "stalled":
            self.state = "live"
        return picture

    @override
    def close(self) -> None:
        self._closing = True
        self._pictures.stop()
        if self._process is not None:
            self._process.end(GRACE)
        if self._thread.ident is not None:  # it closes the pipe, which ends with the child
            self._thread.join(GRACE)
        super().close()

    def _check_waiting(self) -> None:
        waited = (time.monotonic_ns() - self._given_ns) / NS_PER_S
        if waited > self._timeout:
            raise SourceError(
                f"{self.id} was lost: no frame came for {self._timeout:g} s.", "Check that it is on and connected."
            )
        if self.live and waited > min(max(STALLED, 3 / (self.fps or 3)), self._timeout):
            self.state = "stalled"

    def _run(self) -> None:
        """The thread: hand on what the child gives until it ends."""
        process = self._process
        assert process is not None
        try:
            self._hand_on(process)
        except Exception as error:
            self._opened.put(error)
            self._pictures.end(error)
        else:
            self._opened.put(SourceError(f"{self.id} ended before its first frame.", "Check what it reads."))
            self._pictures.end()
        finally:
            process.close()

    def _hand_on(self, process: GStreamerProcess) -> None:
        received = 0
        while not self._closing:
            try:
                record = process.read()
            except ValueError:
                raise SourceError(f"{self.id} was lost: GStreamer's process sent what makes no sense.") from None
            if record is None:
                if self._closing:
                    return
                raise errors.crashed(self.id, process.exit_status(GRACE))
            if isinstance(record, WorkerFrame):
                if received == 0:
                    self._opened.put((record.image.shape[0], record.image.shape[1]))
                received += 1
                self._skipped = record.index + 1 - received
                if not self._pictures.put((self._picture(record), record.keyframes)):
                    return
            elif record.get("kind") == "started":
                self.fps = self._asked_fps or float(record["fps"]) or None
                self.live = bool(record["live"])
                if self.live:  # nobody has read from the other one yet
                    self._pictures = Channel(1, newest=True)
            elif record.get("kind") == "waiting":
                if self.state == "connecting":
                    self.state = "waiting_for_keyframe"
            elif record.get("kind") == "reception":
                self.packets_lost, jitter = record["packets_lost"], record["jitter_ns"]
                self.jitter_ms = None if jitter is None else round(jitter / NS_PER_MS, 3)
            elif record.get("kind") == "end":
                if self._endless:
                    raise SourceError(f"{self.id} was lost: it ended the stream.", "Check the camera.")
                return
            else:
                raise errors.translated(self.id, record)

    def _picture(self, frame: WorkerFrame) -> Picture:
        seconds = None
        if frame.running_ns is not None:
            self._first_ns = frame.running_ns if self._first_ns is None else self._first_ns
            seconds = (frame.running_ns - self._first_ns) / NS_PER_S
        return Picture(
            frame.image,
            time=seconds,
            index=frame.index,
            captured_ns=frame.captured_ns,
            captured_unix_ns=frame.captured_unix_ns,
            camera_time_ns=frame.camera_time_ns,
        )


def gstreamer_csi(
    address: Uri,
    size: Size | None = None,
    fps: float | None = None,
    flip: str | None = None,
    timeout: float | None = None,
) -> GStreamerConnection:
    """A camera on a Jetson's CSI connector.

    Args:
        address: ``csi://N``, the number of the sensor.
        size: ``(height, width)`` to ask for, before a flip.
        fps: Frames a second to ask for.
        flip: What ``transformed.FLIPS`` names, done by the board.
        timeout: Seconds without a frame after which it is lost.

    Raises:
        UsageError: It names no sensor.
    """
    if not (address.place.isdecimal() and len(address.place) < 4):
        raise UsageError(f"{address} names no CSI camera; a number was expected.", "The first one is csi://0.")
    return GStreamerConnection(address, csi_pipeline(int(address.place), size, fps, flip), timeout, endless=True)


def gstreamer_text(address: Uri) -> GStreamerConnection:
    """A pipeline in GStreamer's own language: ``gst://videotestsrc is-live=true``."""
    return GStreamerConnection(address, text_pipeline(address.place))


def gstreamer_rtsp(
    address: Uri,
    decoder: Decoder = "gstreamer",
    transport: Transport = "tcp",
    timeout: float | None = None,
    fps: float | None = None,
    jitter: float = JITTER,
) -> GStreamerConnection:
    """A camera of the network, decoded by GStreamer, on a Jetson by its video engine.

    Args:
        address: ``rtsp://`` or ``rtsps://``.
        decoder: Whatever of GStreamer's decoders is here, the board's first; or the board's only.
        transport: How packets come.
        timeout: Seconds without a frame after which it is lost.
        fps: Frames a second to expect, where the camera does not say or says what is wrong.
        jitter: Seconds for which a packet that came early waits for those before it.
    """
    pipeline = rtsp_pipeline(address.location, decoder, transport, timeout or READ_TIMEOUT, jitter)
    return GStreamerConnection(address, pipeline, timeout, endless=True, fps=fps)
