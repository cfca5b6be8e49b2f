"""The child process in which GStreamer runs, seen from outside."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.runtime.gstreamer_child import GStreamerChild
from fcn_edge.runtime.sources.gstreamer_records import FRAME, HEADER, MAGIC, NO_TIME, UNTOLD

__all__ = ["WORKER", "GStreamerProcess", "WorkerFrame"]

WORKER = Path(__file__).with_name("gstreamer_worker.py")
LARGEST_SIDE = 1 << 15
LONGEST_MESSAGE = 1 << 16


@dataclass(frozen=True, eq=False)
class WorkerFrame:
    """A frame of the child.

    Attributes:
        image: ``(H, W, 3)`` uint8 BGR.
        index: Its number among all that arrived, from 0.
        keyframes: How many keyframes there were up to it; None where nobody counts them.
        running_ns: Time in the pipeline; None where it has no time stamp.
        captured_ns: ``time.monotonic_ns()`` at which it arrived; one clock for all processes.
        captured_unix_ns: Unix time of the same moment.
        camera_time_ns: Unix time at the capture by the camera's clock; None where it does not tell.
    """

    image: NDArray[np.uint8]
    index: int
    keyframes: int | None
    running_ns: int | None
    captured_ns: int
    captured_unix_ns: int
    camera_time_ns: int | None


class GStreamerProcess(GStreamerChild):
    """A running child; ``read`` in one thread, ``end`` in any.

    Args:
        python: The interpreter, which has ``gi``.
        description: The pipeline. It goes through the child's standard input: arguments are seen by everybody.
        worker: The program that the interpreter runs.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(self, python: str, description: Mapping[str, Any], worker: Path = WORKER) -> None:
        super().__init__(python, worker)
        self._pipe = os.fdopen(self._output, "rb", buffering=0)
        with suppress(OSError):  # it has ended already, which the pipe tells
            self._input.write(json.dumps(description).encode() + b"\n")

    def read(self) -> WorkerFrame | dict[str, Any] | None:
        """The next frame or message, waiting for it; None when the child has ended.

        Raises:
            ValueError: What came is no record of the child's.
        """
        header = bytearray(HEADER.size)
        if not self._fill(memoryview(header)):
            return None
        magic, kind, width, height, stride, size, index, keyframes, running, captured, unix, camera = HEADER.unpack(
            header
        )
        if magic != MAGIC:
            raise ValueError("no record")
        if kind != FRAME:
            return self._message(size)
        if not (0 < width <= LARGEST_SIDE >= height > 0 and 3 * width <= stride and size >= stride * (height - 1)):
            raise ValueError("no frame")
        rows = np.empty(max(size, stride * height), np.uint8)
        if not self._fill(rows.data[:size]):
            return None
        image = rows[: stride * height].reshape(height, stride)[:, : 3 * width].reshape(height, width, 3)
        return WorkerFrame(
            np.ascontiguousarray(image),
            index,
            None if keyframes == UNTOLD else keyframes,
            None if running == NO_TIME else running,
            captured,
            unix,
            None if camera == NO_TIME else camera,
        )

    def close(self) -> None:
        """Give the pipe back; nobody may be reading."""
        self._pipe.close()

    def _message(self, size: int) -> dict[str, Any] | None:
        if size > LONGEST_MESSAGE:
            raise ValueError("no message")
        data = bytearray(size)
        if not self._fill(memoryview(data)):
            return None
        message = json.loads(data)
        if not isinstance(message, dict):
            raise ValueError("no message")
        return message

    def _fill(self, view: memoryview) -> bool:
        """Read until a view is full; False at the end of the pipe."""
        while view:
            count = self._pipe.readinto(view)
            if not count:
                return False
            view = view[count:]
        return True
