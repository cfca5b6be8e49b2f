"""Overlays in a window."""

from __future__ import annotations

import os
import sys

from typing_extensions import override

from fcn_edge.errors import MachineError
from fcn_edge.io.opencv import cv2
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks.base import Sink, SinkContext

__all__ = ["DisplaySink"]

TITLE = "fcn-edge"
ESCAPE = 27


class DisplaySink(Sink):
    """A window with the overlays; Esc, q or closing it ends the stream. For the main thread only.

    Args:
        context: What the stream is.

    Raises:
        MachineError: There is no screen, or OpenCV was built without windows.
    """

    def __init__(self, context: SinkContext) -> None:
        self._overlay = context.overlay
        self._title = f"{TITLE}: {context.source}" if context.source else TITLE
        # asked first: OpenCV's Qt ends the whole process where there is no screen
        if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise MachineError(
                "There is no screen: neither DISPLAY nor WAYLAND_DISPLAY is set.",
                "Run it on the desktop, with ssh -X, or write a video: out.mp4.",
            )
        try:
            cv2().namedWindow(self._title, cv2().WINDOW_NORMAL)
        except cv2().error as error:
            raise MachineError(
                "OpenCV was built without windows (opencv-python-headless).",
                "Replace it: pip uninstall -y opencv-python-headless && pip install opencv-python. "
                "Or write a video: out.mp4.",
            ) from error

    @override
    def write(self, result: Result) -> None:
        cv2().imshow(self._title, self._overlay(result))
        key = cv2().waitKey(1) & 0xFF
        closed = cv2().getWindowProperty(self._title, cv2().WND_PROP_VISIBLE) < 1
        self.ended = self.ended or closed or key in (ESCAPE, ord("q"))

    @override
    def close(self) -> None:
        cv2().destroyAllWindows()
