"""The ways to get from a video to masks that ``run_speed.py`` compares, each timed the same way."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.backends.base import Job, Session
from fcn_edge.ops.geometry import Placement, placement
from fcn_edge.ops.preprocess import network_input
from fcn_edge.runtime.pipeline import Pipeline
from fcn_edge.runtime.sinks import Overlays
from fcn_edge.runtime.sources import open_source
from fcn_edge.system.thread_pools import owned_thread_pools

__all__ = ["Bare", "Contender", "Run", "TorchEager", "UsualWay", "usual_graph"]

Image = NDArray[np.uint8]
PREPROCESSED = 8
"""Inputs that the bare network goes round."""


class Contender(ABC):
    """One way; ``seconds`` times it over the first frames of the video."""

    name: str

    @abstractmethod
    def seconds(self, frames: int) -> float:
        """Seconds a frame over ``frames`` frames."""


class Bare(Contender):
    """The session of ``Run`` alone, on inputs that are ready: what no pipeline can beat by overlapping."""

    name = "bare"

    def __init__(self, session: Session, video: Path) -> None:
        self._session = session
        with open_source(video) as source:
            frames = [frame.image for frame, _ in zip(source, range(PREPROCESSED), strict=False)]
        self._jobs = [session.preprocess(frame) for frame in frames]

    @override
    def seconds(self, frames: int) -> float:
        with owned_thread_pools():
            started = time.perf_counter()
            for index in range(frames):
                job = self._jobs[index % len(self._jobs)]
                self._session.infer(Job(job.place, job.data))
            return (time.perf_counter() - started) / frames


class Run(Contender):
    """What ``fcn-edge run`` does, to ``null:`` or with overlays drawn.

    Args:
        session: Runs the network.
        video: The frames.
        overlay: Draw the overlay of each frame.
    """

    def __init__(self, session: Session, video: Path, *, overlay: bool) -> None:
        self.name = "run with overlays" if overlay else "run"
        self._session = session
        self._video = video
        self._overlays = Overlays() if overlay else None

    @override
    def seconds(self, frames: int) -> float:
        with (
            owned_thread_pools(),
            open_source(self._video) as source,
            Pipeline.of_one(self._session, source, frames=frames) as pipeline,
        ):
            for result in pipeline:
                if self._overlays is not None:
                    self._overlays(result)
        return pipeline.statistics.seconds / pipeline.statistics.frames


class OneByOne(Contender):
    """A loop as people write it: read, resize, network, argmax, palette, blend; thread pools as they come.

    Args:
        spec: What the model is.
        size: ``(height, width)`` of the network's input.
        video: The frames.
    """

    def __init__(self, spec: ModelSpec, size: Size, video: Path) -> None:
        self._spec = spec
        self._size = size
        self._video = video
        self._palette = np.zeros((256, 3), np.uint8)
        self._palette[: len(spec.palette)] = np.asarray(spec.palette, np.uint8)[:, ::-1]

    @abstractmethod
    def full_labels(self, image: Image) -> Image:
        """The mask of a network input, at the input's size."""

    def labels(self, frame: Image) -> Image:
        """The mask in the frame's pixels."""
        place: Placement = placement((frame.shape[0], frame.shape[1]), self._size, self._spec.resize)
        image = network_input(frame, place, self._spec.normalization.mean_bgr)
        height, width = place.content_size
        content = self.full_labels(image)[:height, :width]
        mask: Image = cv2.resize(content, frame.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        return mask

    @override
    def seconds(self, frames: int) -> float:
        capture = cv2.VideoCapture(str(self._video))
        started = time.perf_counter()
        for _ in range(frames):
            there, frame = capture.read()
            assert there
            cv2.addWeighted(frame, 0.5, self._palette[self.labels(frame)], 0.5, 0)
        elapsed = time.perf_counter() - started
        capture.release()
        return elapsed / frames


class UsualWay(OneByOne):
    """Logits at full resolution from the graph, NumPy's argmax, the palette.

    Args:
        graph: What ``usual_graph`` wrote.
        spec: What the model is.
        size: ``(height, width)`` of the network's input.
        video: The frames.
    """

    name = "usual way"

    def __init__(self, graph: Path, spec: ModelSpec, size: Size, video: Path) -> None:
        super().__init__(spec, size, video)
        import onnxruntime

        self._runner = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
        self._input = self._runner.get_inputs()[0].name

    @override
    def full_labels(self, image: Image) -> Image:
        (logits,) = self._runner.run(None, {self._input: image})
        return np.argmax(logits[0], axis=0).astype(np.uint8)


class TorchEager(OneByOne):
    """The checkpoint in PyTorch as it is, upsampled there, argmax there.

    Args:
        checkpoint: Checkpoint of the same model.
        size: ``(height, width)`` of the network's input.
        video: The frames.
    """

    name = "torch eager"

    def __init__(self, checkpoint: Path, size: Size, video: Path) -> None:
        from fcn_edge.nets.checkpoints import load_checkpoint
        from fcn_edge.nets.normalize import Normalize

        net, spec = load_checkpoint(checkpoint)
        super().__init__(spec, size, video)
        self._net = net
        self._normalize = Normalize(spec.normalization)

    @override
    def full_labels(self, image: Image) -> Image:
        import torch
        from torch.nn.functional import interpolate

        with torch.inference_mode():
            scores = self._net(self._normalize(torch.from_numpy(image)[None]))[self._spec.decoder]
            logits = interpolate(scores, scale_factor=self._spec.stride, mode="bilinear", align_corners=False)
            labels: Image = logits[0].argmax(0).to(torch.uint8).numpy()
        return labels


def usual_graph(model: Path, spec: ModelSpec, output: Path) -> None:
    """Write the model with its scores upsampled to the input's size inside the graph: (1, classes, H, W) logits."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    proto: Any = onnx.load(model)
    graph = proto.graph
    scores = graph.output[0]
    name, rank = scores.name, len(scores.type.tensor_type.shape.dim)
    constants = {"usual_scales": np.array([1, 1, spec.stride, spec.stride], np.float32)}
    if rank == 3:
        constants["usual_axes"] = np.zeros(1, np.int64)
        graph.node.append(helper.make_node("Unsqueeze", [name, "usual_axes"], ["usual_batch"]))
        name = "usual_batch"
    graph.node.append(
        helper.make_node(
            "Resize",
            [name, "", "usual_scales"],
            ["logits"],
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )
    )
    graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in constants.items())
    shape = [1, len(spec.classes), "full_height", "full_width"]
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape))
    onnx.save(proto, output)
