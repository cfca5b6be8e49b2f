"""OpenVINO by its own API, with everything in the graph that it can take in: preprocessing, upsampling, argmax."""

from __future__ import annotations

from typing import Any

import cv2
from typing_extensions import override

from benchmarks.peers.peer import Peer, enlarged
from benchmarks.peers.task import Image, Task

__all__ = ["OpenVinoDirect"]


class OpenVinoDirect(Peer):
    """What one gets from OpenVINO without any wrapper."""

    name, title = "openvino", "OpenVINO, everything in the graph"
    includes = "cv2.resize, normalization, upsampling and argmax in the graph, cv2.resize to the frame"
    setting = "latency hint, f32 (by itself it would compute in bf16 where the processor has it), tensors shared"
    packages = ("openvino",)

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        import openvino
        from openvino.preprocess import PrePostProcessor

        core = openvino.Core()
        around = PrePostProcessor(core.read_model(task.labels))
        given = around.input()
        given.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
        given.model().set_layout(openvino.Layout("NCHW"))
        steps = given.preprocess().convert_element_type(openvino.Type.f32)
        steps.mean(list(task.mean)).scale(list(task.scale))
        options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        if task.threads is not None:
            options["INFERENCE_NUM_THREADS"] = task.threads
            cv2.setNumThreads(task.threads)
        self._compiled = core.compile_model(around.build(), "CPU", options)
        self._request = self._compiled.create_infer_request()

    @property
    @override
    def threads(self) -> int:
        return int(self._compiled.get_property("INFERENCE_NUM_THREADS"))

    @override
    def mask(self, frame: Image) -> Image:
        image = cv2.resize(frame, self.task.size[::-1])[None]
        labels = self._request.infer({0: image}, share_inputs=True, share_outputs=True)[0]
        return enlarged(labels[0], frame)
