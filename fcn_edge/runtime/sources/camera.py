"""Cameras that the operating system shows as a device, such as USB cameras."""

from __future__ import annotations

import math
import os
import queue
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from typing_extensions import override

from fcn_edge.artifacts.spec import Size
from fcn_edge.errors import SourceError
from fcn_edge.io.native_paths import native_path
from fcn_edge.io.opencv import cv2
from fcn_edge.io.redaction import without_passwords
from fcn_edge.io.video import quiet
from fcn_edge.metrics.durations import NS_PER_MS
from fcn_edge.runtime.channel import Channel
from fcn_edge.runtime.sources.base import SLICE, Connection, Picture, next_picture
from fcn_edge.runtime.uri import Uri
from fcn_edge.runtime.waiting import item_within
from fcn_edge.text import whole

__all__ = ["CameraConnection"]

CONNECT_TIMEOUT = 15.0
"""Seconds until the first frame; longer than OpenCV itself waits for one (10), so that its own answer comes first."""
CLOSE_TIMEOUT = 1.0
"""Seconds that closing waits for a camera that gives nothing; its thread lets go of the device when it can."""
NO_CAMERAS = frozenset({1, 4, 5, 136})
"""Linux's numbers of the kinds of devices that are memory, such as /dev/null, and terminals."""


class CameraConnection(Connection):
    """A camera, by V4L2 on Linux. Live: a slow reader gets the newest frame.

    A read of OpenCV can last seconds and cannot be interrupted, so that a thread of its own opens, reads and releases
    the device, and the others wait for that thread.

    Args:
        address: What the user called it.
        device: Its number, or the path of its device. Connecting raises SourceError when it is absent, busy, may not be
            used, or gives no frame.
        size: ``(height, width)`` to ask the camera for; it takes the nearest that it has.
        fps: Frames a second to ask for.
    """

    live = True

    def __init__(self, address: Uri, device: str, size: Size | None = None, fps: float | None = None) -> None:
        super().__init__(address)
        self._device = f"/dev/video{device}" if device.isdecimal() else device
        self._shown = without_passwords(self._device)  # it may be a mistyped address
        self._number = whole(device)
        self._asked_size = size
        self._asked_fps = fps
        self._pictures: Channel[Picture] = Channel(1, newest=True)
        self._connected: queue.SimpleQueue[tuple[Size, float | None] | Exception] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="fcn-edge camera", daemon=True)

    @property
    @override
    def dropped(self) -> int:
        return self._pictures.dropped

    @override
    def _connect(self, timeout: float | None) -> None:
        if sys.platform.startswith("linux"):
            self._check_device()
        self._thread.start()
        answer = self._answer(CONNECT_TIMEOUT if timeout is None else timeout)
        if isinstance(answer, Exception):
            raise answer
        self.size, self.fps = answer

    @override
    def _next(self, timeout: float) -> Picture | None:
        return next_picture(self._pictures, timeout)

    @override
    def close(self) -> None:
        self._pictures.stop()
        if self._thread.ident is not None:
            self._thread.join(CLOSE_TIMEOUT)
        super().close()

    def _answer(self, timeout: float) -> tuple[Size, float | None] | Exception:
        """What the thread says of the device."""
        until = time.monotonic() + timeout
        while not self._interrupted and time.monotonic() < until:
            with suppress(queue.Empty):
                return item_within(self._connected, SLICE)
        if self._interrupted:
            return SourceError(f"Opening the camera {self._shown} was interrupted.")
        return SourceError(
            f"The camera {self._shown} did not answer within {timeout:g} s.", "Unplug it and plug it in again."
        )

    def _run(self) -> None:
        """The thread: open, read until nobody wants more, release."""
        capture: Any = None
        try:
            capture = self._opened()
            self._connected.put(self._configured(capture))
            index, last_ns = 0, time.monotonic_ns()
            while not self._pictures.stopped:
                there, image = capture.read()
                if not there:
                    raise SourceError(
                        f"The camera {self._shown} was lost: it gives no more frames.", "Check the cable."
                    )
                now_ns, unix_ns = time.monotonic_ns(), time.time_ns()
                captured_ns = _kernel_time(capture, last_ns, now_ns)
                last_ns = captured_ns
                unix_ns -= now_ns - captured_ns
                picture = Picture(image, index=index, captured_ns=captured_ns, captured_unix_ns=unix_ns)
                index += 1
                self.keyframes = index  # none of them needs another
                self._pictures.put(picture)
            self._pictures.end()
        except Exception as error:
            self._connected.put(error)
            self._pictures.end(error)
        finally:
            if capture is not None:
                capture.release()

    def _opened(self) -> Any:
        with quiet():
            if sys.platform.startswith("linux"):
                capture = cv2().VideoCapture(self._device, cv2().CAP_V4L2)
            else:
                capture = cv2().VideoCapture(self._device if self._number is None else self._number)
        if not capture.isOpened() and _is_other_device(self._device):
            raise SourceError(
                f"{self._shown} is no capture device.",
                "Give a camera such as /dev/video0, a video, an image or a folder.",
            )
        if not capture.isOpened():
            raise SourceError(
                f"The camera {self._shown} could not be opened: it is in use, or is no capture device.",
                f"See who uses it with: fuser -v {self._shown}. Many cameras have two devices; try the other.",
            )
        return capture

    def _configured(self, capture: Any) -> tuple[Size, float | None]:
        """Ask for size and rate; gives what the camera has made of it, by its first frame."""
        if self._asked_size is not None:
            # most USB cameras reach large sizes at full rate only with compressed frames
            capture.set(cv2().CAP_PROP_FOURCC, cv2().VideoWriter_fourcc(*"MJPG"))
            capture.set(cv2().CAP_PROP_FRAME_HEIGHT, self._asked_size[0])
            capture.set(cv2().CAP_PROP_FRAME_WIDTH, self._asked_size[1])
        if self._asked_fps is not None:
            capture.set(cv2().CAP_PROP_FPS, self._asked_fps)
        capture.set(cv2().CAP_PROP_BUFFERSIZE, 1)  # the newest frame, not one that waited
        there, image = capture.read()
        if not there:
            raise SourceError(
                f"The camera {self._shown} was opened and gives no frame.",
                f"Another program may hold it (fuser -v {self._shown}), or the cable or size is wrong.",
            )
        rate = capture.get(cv2().CAP_PROP_FPS)
        return (image.shape[0], image.shape[1]), float(rate) if 0 < rate < 1000 else None

    def _check_device(self) -> None:
        path = Path(self._device)
        if not path.exists():
            here = ", ".join(sorted(str(other) for other in Path("/dev").glob("video*")))
            fix = f"Take one that is here: {here}." if here else "Connect one: there is none here."
            raise SourceError(f"There is no camera {self._shown}.", fix)
        native_path(path, SourceError)
        if not os.access(path, os.R_OK | os.W_OK):
            raise SourceError(
                f"The camera {self._shown} may not be used by this account.",
                "Join its group with: sudo usermod -aG video $USER, then log in again.",
            )


def _is_other_device(device: str) -> bool:
    try:
        return os.major(Path(device).stat().st_rdev) in NO_CAMERAS
    except OSError:  # it is gone
        return False


def _kernel_time(capture: Any, after_ns: int, now_ns: int) -> int:
    """When the kernel got the frame just read; now, where that is not told or cannot be.

    V4L2 stamps buffers on the clock of ``time.monotonic_ns``, and OpenCV shows the stamp with its microseconds.
    Some drivers have a clock of their own: what lies before the last frame or in the future is none of ours.

    Args:
        capture: OpenCV's.
        after_ns: When the last frame was captured.
        now_ns: This moment.
    """
    told = float(capture.get(cv2().CAP_PROP_POS_MSEC)) if sys.platform.startswith("linux") else 0.0
    told_ns = round(told * NS_PER_MS) if math.isfinite(told) else 0
    return told_ns if after_ns < told_ns <= now_ns else now_ns
