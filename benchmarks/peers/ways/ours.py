"""fcn_edge itself: one call a frame, frames overlapping in its pipeline, and its network alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import ClassVar

from typing_extensions import override

from benchmarks.peers.peer import Peer, StreamPeer, call_times
from benchmarks.peers.task import Image, Task
from benchmarks.streams.memory import Memory
from fcn_edge.backends.base import Job
from fcn_edge.runtime.pipeline import Pipeline
from fcn_edge.runtime.segmenter import Segmenter, load
from fcn_edge.system.cpu import thread_count
from fcn_edge.system.thread_pools import owned_thread_pools

__all__ = [
    "Int8",
    "OnnxRuntime",
    "OnnxRuntimeNetwork",
    "OnnxRuntimeStream",
    "OpenVino",
    "OpenVinoNetwork",
    "OpenVinoStream",
]


class _Ours(Peer):
    kind = "ours"
    includes = "fcn_edge.load(...)(frame).labels: resize, network, scores to the mask in the frame's own pixels"
    setting = "one thread per core; OpenCV and BLAS kept to one, as fcn-edge run does"
    backend: ClassVar[str]

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._opened = ExitStack()
        self._opened.enter_context(owned_thread_pools())
        self.segmenter = self._opened.enter_context(self.load())

    def load(self) -> Segmenter:
        """What runs the model."""
        return load(self.task.model, size=self.task.size, backend=self.backend, threads=self.task.threads)

    @property
    @override
    def threads(self) -> int:
        return thread_count(self.task.threads)

    @override
    def mask(self, frame: Image) -> Image:
        return self.segmenter(frame).labels

    @override
    def close(self) -> None:
        self._opened.close()


class OnnxRuntime(_Ours):
    """What ``load`` takes on a processor by itself."""

    name, title, backend = "ours-onnxruntime", "fcn_edge, ONNX Runtime", "onnxruntime"


class OpenVino(_Ours):
    """``load(..., backend="openvino")``."""

    name, title, backend = "ours-openvino", "fcn_edge, OpenVINO", "openvino"
    packages = ("openvino",)


class Int8(_Ours):
    """The engine that ``fcn-edge build --precision int8`` keeps: the fastest backend's here."""

    name, title, precision = "ours-int8", "fcn_edge, INT8 engine", "int8"
    includes = "segment(frame).labels with the engine of fcn-edge build --precision int8"

    @classmethod
    @override
    def prepare(cls, task: Task) -> str:
        from fcn_edge.builder.api import build

        place = task.folder / "int8"
        built = build(task.model, place, precision="int8", size=task.size, calibration=task.table, guard=False)
        return f"kept {built.manifest.backend}"

    @override
    def load(self) -> Segmenter:
        return load(self.task.folder / "int8", threads=self.task.threads)


class _Stream(_Ours, StreamPeer):
    includes = "fcn_edge's pipeline: resize, network and mask of different frames at the same time"

    @override
    def mask(self, frame: Image) -> Image:
        return StreamPeer.mask(self, frame)

    @override
    def masks(self, frames: Iterator[Image], count: int) -> Iterator[Image]:
        given = [frame for frame, _ in zip(frames, range(count), strict=False)]
        with (
            self.segmenter.session_for_stream() as session,
            Memory("street", given, count, None) as source,
            Pipeline.of_one(session, source, frames=count) as pipeline,
        ):
            for result in pipeline:
                yield result.segmentation.labels


class OnnxRuntimeStream(_Stream):
    """The pipeline on ONNX Runtime."""

    name, title, backend = "ours-onnxruntime-stream", "fcn_edge pipeline, ONNX Runtime", "onnxruntime"


class OpenVinoStream(_Stream):
    """The pipeline on OpenVINO."""

    name, title, backend = "ours-openvino-stream", "fcn_edge pipeline, OpenVINO", "openvino"
    packages = ("openvino",)


class _Network(_Ours):
    group = "network"
    includes = "the network alone, on inputs that are ready"

    @override
    def milliseconds(self, frames: Sequence[Image], count: int) -> list[float]:
        session = self.segmenter.session
        jobs = [session.preprocess(frame) for frame in frames]
        return call_times(lambda job: session.infer(Job(job.place, job.data)), jobs, count)


class OnnxRuntimeNetwork(_Network):
    """``Session.infer`` on ONNX Runtime."""

    name, title, backend = "ours-onnxruntime-network", "fcn_edge's network alone, ONNX Runtime", "onnxruntime"


class OpenVinoNetwork(_Network):
    """``Session.infer`` on OpenVINO."""

    name, title, backend = "ours-openvino-network", "fcn_edge's network alone, OpenVINO", "openvino"
    packages = ("openvino",)
