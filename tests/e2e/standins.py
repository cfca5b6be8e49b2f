"""What stands in for hardware that is not here when the commands of the documents run: a board, a camera, a screen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.artifacts.device import DeviceInfo
from fcn_edge.backends import registry
from fcn_edge.backends.base import Probe
from fcn_edge.backends.onnxruntime.cpu import OnnxRuntime

from ..servers.web import WebServer, multipart

FRAMES_SHOWN = 3


class BoardTensorRT(OnnxRuntime):
    """A Jetson's TensorRT: the typed ONNX that it would compile, run by ONNX Runtime on the processor."""

    name = "tensorrt"

    @override
    def probe(self, device: int = 0) -> Probe:
        return Probe("10.3.0", (DeviceInfo("cuda", "Orin", "8.7"),))

    @override
    def incompatibility(self, built_for: DeviceInfo, precision: str, device: int = 0) -> str:
        return ""


def plug_in_board(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this machine a board, whose TensorRT is the first of its backends."""
    entry = registry.BackendEntry(
        BoardTensorRT.__module__, BoardTensorRT.__name__, "tensorrt", "tensorrt", "cuda", "a stand-in"
    )
    table = {"tensorrt": entry, "onnxruntime": registry.BACKENDS["onnxruntime"]}
    monkeypatch.setattr(registry, "BACKENDS", MappingProxyType(table))


@contextmanager
def network_camera(picture: bytes) -> Iterator[str]:
    """The address of a server on this machine that gives one JPEG for ever, 50 times a second."""

    def pieces() -> Iterator[bytes]:
        while True:
            yield from multipart([picture])
            time.sleep(0.02)

    with WebServer() as web:
        web.files["/stream1"] = pieces
        web.kinds["/stream1"] = "multipart/x-mixed-replace; boundary=frame"
        yield web.url("/stream1")


def plug_in_camera(monkeypatch: pytest.MonkeyPatch, device: str, image: NDArray[np.uint8]) -> None:
    """Make OpenCV see a camera at a path; it gives one image for ever, and every other file is read as it is."""
    real = cv2.VideoCapture

    class Camera:
        def isOpened(self) -> bool:
            return True

        def get(self, key: int) -> float:
            return 30.0 if key == cv2.CAP_PROP_FPS else 0.0

        def set(self, key: int, value: float) -> bool:
            return True

        def grab(self) -> bool:
            return True

        def read(self) -> tuple[bool, Any]:
            time.sleep(1 / 100)  # the thread that reads would take the processor from all others
            return True, image.copy()

        retrieve = read

        def release(self) -> None:
            pass

    monkeypatch.setattr(cv2, "VideoCapture", lambda *of: Camera() if str(of[0]) == device else real(*of))


def plug_in_screen(monkeypatch: pytest.MonkeyPatch) -> list[NDArray[np.uint8]]:
    """Make this machine have a screen, whose window a person closes after some frames; returns what it shows."""
    shown: list[NDArray[np.uint8]] = []
    monkeypatch.setenv("DISPLAY", ":7")
    monkeypatch.setattr(cv2, "namedWindow", lambda *_: None, raising=False)
    monkeypatch.setattr(cv2, "imshow", lambda title, image: shown.append(image), raising=False)
    monkeypatch.setattr(cv2, "waitKey", lambda delay: 27 if len(shown) % FRAMES_SHOWN == 0 else -1, raising=False)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: 1.0, raising=False)
    monkeypatch.setattr(cv2, "destroyAllWindows", lambda: None, raising=False)
    return shown
