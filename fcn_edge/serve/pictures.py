"""Single pictures of the sources: snapshots, masks, and the stream of JPEGs for browsers without Media Source."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fcn_edge.io.opencv import cv2
from fcn_edge.runtime.events import Event
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.signal import SignalWatch, no_signal_picture
from fcn_edge.runtime.sinks import Overlays

__all__ = ["Picture", "SourcePictures"]

JPEG_QUALITY = 85

Kind = Literal["overlay", "camera", "mask"]


@dataclass(frozen=True, eq=False)
class Picture:
    """An encoded picture.

    Attributes:
        data: JPEG, or PNG of a mask.
        number: Grows with each picture; the same one is not worth sending again.
    """

    data: bytes
    number: int


class SourcePictures:
    """The newest result of one source as pictures, which are encoded when somebody asks, once for all who do.

    Args:
        overlays: Draws the overlay, as for all sinks of the run.

    Attributes:
        closed: The source is gone, and no picture of it comes any more.
    """

    def __init__(self, overlays: Overlays) -> None:
        self.closed = False
        self._overlays = overlays
        self._signal = SignalWatch()
        self._lock = threading.Lock()
        self._encoding = {kind: threading.Lock() for kind in ("overlay", "camera", "mask")}
        self._newest: Result | None = None
        self._number = 0
        self._encoded: dict[str, tuple[object, Picture]] = {}

    def put(self, result: Result) -> None:
        """Keep a result; takes no time."""
        self._signal.came(result)
        with self._lock:
            self._newest = result
            self._number += 1

    def heard(self, event: Event) -> None:
        """Take notice of an event of the source."""
        self._signal.heard(event)

    def close(self) -> None:
        """Say to those who wait for pictures that there are no more."""
        self.closed = True

    @property
    def number(self) -> int:
        """Number of the newest picture."""
        away_ns = self._signal.away_since_unix_ns
        return self._number if away_ns is None else self._number + int(time.time() - away_ns / 1e9)

    def picture(self, kind: Kind) -> Picture | None:
        """The newest result as a picture; None before the first one.

        While the camera is away, the overlay and the camera's picture say so.

        Args:
            kind: ``overlay`` and ``camera`` are JPEG; ``mask`` is an 8-bit gray PNG of class ids.
        """
        with self._lock:
            result, number = self._newest, self.number
        if result is None:
            return None
        away_ns = None if kind == "mask" else self._signal.away_since_unix_ns
        key = (number, away_ns)
        with self._encoding[kind]:
            known = self._encoded.get(kind)
            if known is not None and known[0] == key:
                return known[1]
            picture = Picture(self._data(kind, result, away_ns), number)
            self._encoded[kind] = key, picture
            return picture

    def _data(self, kind: Kind, result: Result, away_ns: int | None) -> bytes:
        if kind == "mask":
            return _encoded(".png", result.labels)
        frame = result.segmentation.frame
        if away_ns is not None:
            return _encoded(".jpg", no_signal_picture(frame, (frame.shape[0], frame.shape[1]), away_ns))
        return _encoded(".jpg", frame if kind == "camera" else self._overlays(result))


def _encoded(suffix: str, image: NDArray[np.uint8]) -> bytes:
    parameters = [cv2().IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if suffix == ".jpg" else []
    data: bytes = cv2().imencode(suffix, image, parameters)[1].tobytes()
    return data
