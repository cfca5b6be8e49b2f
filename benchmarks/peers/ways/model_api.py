"""OpenVINO Model API: the toolkit's wrapper for segmentation, called for each frame and through its pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from typing_extensions import override

from benchmarks.peers.peer import Peer, StreamPeer
from benchmarks.peers.task import Image, Task

__all__ = ["ModelApi", "ModelApiAsItComes", "ModelApiStream"]


class ModelApi(Peer):
    """``SegmentationModel``: preprocessing embedded in the graph, argmax and enlarging in NumPy and OpenCV."""

    name, title, kind = "model-api", "OpenVINO Model API", "toolkit"
    includes = "SegmentationModel(frame): resize and normalization in the graph, full-size logits, argmax, mask"
    setting = "f32, latency hint; no soft prediction, whose enlarging is not part of a mask"
    packages = ("openvino-model-api", "openvino")

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        from model_api.adapters import OpenvinoAdapter, create_core
        from model_api.models import SegmentationModel

        plugin = self.plugin()
        if task.threads is not None:
            plugin["INFERENCE_NUM_THREADS"] = task.threads
        adapter = OpenvinoAdapter(
            create_core(), str(task.logits), device="CPU", plugin_config=plugin, max_num_requests=self.requests()
        )
        configuration = {
            "mean_values": list(task.mean),
            "scale_values": list(task.scale),
            "return_soft_prediction": False,
        }
        self.model = SegmentationModel(adapter, configuration, preload=True)

    def plugin(self) -> dict[str, Any]:
        """Options of OpenVINO."""
        return {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}

    def requests(self) -> int:
        """How many frames may be in the network at once; 0 leaves it to OpenVINO."""
        return 1

    @property
    @override
    def threads(self) -> int:
        return int(self.model.inference_adapter.compiled_model.get_property("INFERENCE_NUM_THREADS"))

    @override
    def mask(self, frame: Image) -> Image:
        return np.asarray(self.model(frame), np.uint8)


class ModelApiAsItComes(ModelApi):
    """The same without a word on precision: OpenVINO then takes bf16 where the processor has it."""

    name, title, precision = "model-api-own", "OpenVINO Model API as it comes", "own"
    setting = "what create_model sets: one stream, precision left to OpenVINO"

    @override
    def plugin(self) -> dict[str, Any]:
        return {"NUM_STREAMS": "1"}


class ModelApiStream(StreamPeer, ModelApi):
    """Its ``AsyncPipeline``, fed as its example does: submit while a request is free, else take the next result."""

    name, title, group = "model-api-stream", "OpenVINO Model API, AsyncPipeline", "stream"
    includes = "AsyncPipeline of SegmentationModel: the same work, with several frames in the network"
    setting = "f32, throughput hint, as many requests as OpenVINO finds best"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        from model_api.pipelines import AsyncPipeline

        self._pipeline = AsyncPipeline(self.model)

    @override
    def plugin(self) -> dict[str, Any]:
        return {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "THROUGHPUT"}

    @override
    def requests(self) -> int:
        return 0

    @override
    def mask(self, frame: Image) -> Image:
        return StreamPeer.mask(self, frame)

    @override
    def masks(self, frames: Iterator[Image], count: int) -> Iterator[Image]:
        waiting = islice(frames, count)
        submitted = taken = 0
        while taken < count:
            result = self._pipeline.get_result(taken)
            if result:
                yield np.asarray(result[0], np.uint8)
                taken += 1
            elif submitted < count and self._pipeline.is_ready():
                self._pipeline.submit_data(next(waiting), submitted)
                submitted += 1
            elif submitted < count:
                self._pipeline.await_any()
            else:
                self._pipeline.await_all()
