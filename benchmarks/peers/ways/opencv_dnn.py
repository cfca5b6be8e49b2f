"""OpenCV's own module for networks."""

from __future__ import annotations

from typing import ClassVar

import cv2
import numpy as np
from typing_extensions import override

from benchmarks.peers.peer import Peer, enlarged, planes
from benchmarks.peers.task import Image, Task

__all__ = ["OpenCvDnn", "OpenCvDnnClassic"]


class OpenCvDnn(Peer):
    """``cv2.dnn`` as its examples use it."""

    name, title, kind = "opencv-dnn", "OpenCV DNN", "toolkit"
    includes = "blobFromImage, forward() to full-size logits, numpy.argmax, cv2.resize to the frame"
    setting = "readNetFromONNX with the engine that it takes by itself"
    engine: ClassVar[str] = "ENGINE_AUTO"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        if task.threads is not None:
            cv2.setNumThreads(task.threads)
        if hasattr(cv2.dnn, self.engine):  # since OpenCV 4.11
            self._net = cv2.dnn.readNetFromONNX(str(task.logits), getattr(cv2.dnn, self.engine))
        else:
            self._net = cv2.dnn.readNetFromONNX(str(task.logits))

    @property
    @override
    def threads(self) -> int:
        return int(cv2.getNumThreads())

    @override
    def mask(self, frame: Image) -> Image:
        self._net.setInput(planes(frame, self.task))
        logits = self._net.forward()
        return enlarged(np.argmax(logits[0], axis=0).astype(np.uint8), frame)


class OpenCvDnnClassic(OpenCvDnn):
    """The engine of OpenCV 4, which OpenCV 5 still has."""

    name, title, engine = "opencv-dnn-classic", "OpenCV DNN, classic engine", "ENGINE_CLASSIC"
    setting = "ENGINE_CLASSIC, that of OpenCV 4"
