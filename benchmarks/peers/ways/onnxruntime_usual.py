"""ONNX Runtime as people use it: a graph with the upsampling in it, OpenCV and NumPy around it."""

from __future__ import annotations

import os

import cv2
import numpy as np
from typing_extensions import override

from benchmarks.peers.peer import Peer, enlarged, planes
from benchmarks.peers.task import Image, Task

__all__ = ["ArgMaxInGraph", "UpsamplingInGraph"]


class _OnnxRuntime(Peer):
    setting = "its own session options"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        if task.threads is not None:
            options.intra_op_num_threads = task.threads
            cv2.setNumThreads(task.threads)
        path = task.labels if isinstance(self, ArgMaxInGraph) else task.logits
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self._mean, self._scale = np.asarray(task.mean, np.float32), np.asarray(task.scale, np.float32)

    @property
    @override
    def threads(self) -> int:
        # it takes the physical cores and does not tell; those of this process when they are fewer
        from fcn_edge.system.cpu import available_cores

        return self.task.threads or min(available_cores(), len(os.sched_getaffinity(0)))


class UpsamplingInGraph(_OnnxRuntime):
    """What tutorials and exporters' examples do."""

    name, title = "onnxruntime", "ONNX Runtime, upsampling in the graph"
    includes = "cv2.resize, NumPy normalization, full-size logits from the graph, numpy.argmax, cv2.resize to the frame"

    @override
    def mask(self, frame: Image) -> Image:
        image = cv2.resize(frame, self.task.size[::-1]).astype(np.float32)
        normalized = (image - self._mean) / self._scale
        batch = np.ascontiguousarray(normalized.transpose(2, 0, 1)[np.newaxis])
        (logits,) = self._session.run(None, {self._input: batch})
        return enlarged(np.argmax(logits[0], axis=0).astype(np.uint8), frame)


class ArgMaxInGraph(_OnnxRuntime):
    """What one gets by making that as fast as the library allows."""

    name, title = "onnxruntime-argmax", "ONNX Runtime, upsampling and argmax in the graph"
    includes = "cv2.dnn.blobFromImage, uint8 labels from the graph, cv2.resize to the frame"

    @override
    def mask(self, frame: Image) -> Image:
        (labels,) = self._session.run(None, {self._input: planes(frame, self.task)})
        return enlarged(labels[0], frame)
