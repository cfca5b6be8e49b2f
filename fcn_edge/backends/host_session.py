"""Sessions whose frames the processor preprocesses and decodes: what every backend but a GPU's own builds on."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.artifacts.onnx_graph import EXPORT_AGAIN
from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.backends.base import Job, Session, Timing
from fcn_edge.backends.frame_buffer import FrameBuffer, host_frame
from fcn_edge.errors import FrameError, ModelError
from fcn_edge.ops.confidence import decode_with_confidence
from fcn_edge.ops.decode import decode
from fcn_edge.ops.geometry import placement
from fcn_edge.ops.nearest import nearest
from fcn_edge.ops.preprocess import checked_frame, network_input

__all__ = ["HostSession", "check_labels", "no_scores", "wrong_size"]


class HostSession(Session):
    """A session whose frames are preprocessed and decoded by the processor, with ``ops``.

    A subclass gives ``run_network``; the rest is here. ``infer`` computes the scores, so that nothing is left to wait
    for, and a frame that lies on a GPU is downloaded. A network that takes several frames at once computes as many
    whatever there is: of fewer, what lay in its input before is computed once more, and nobody reads the result.

    Args:
        spec: What the model is.
        size: ``(height, width)`` of the network's input.
        batch: Frames that the network takes at once.
    """

    def __init__(self, spec: ModelSpec, size: Size, batch: int = 1) -> None:
        self.spec = spec
        self.size = size
        self.batch = batch
        self.closed = False
        self._images: NDArray[np.uint8] | None = None
        self._shape: tuple[int, ...] = size
        if spec.head == "scores":
            self._shape = (len(spec.classes), *spec.grid_size(size))

    @abstractmethod
    def run_network(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """The graph's output for a ``(*size, 3)`` uint8 BGR image, or ``(batch, *size, 3)`` where it takes several.

        Returns:
            ``(C, h, w)`` float scores, or the ``(*size)`` uint8 mask of a model whose head is ``labels``; of several
            images with ``batch`` in front, in memory that the next call leaves alone.
        """

    def checked_output(self, output: NDArray[Any], source: Path) -> NDArray[Any]:
        """The graph's output, without the batch axis where it takes one image.

        Args:
            output: What the library gave.
            source: The file that the graph is from, for the message.

        Raises:
            ModelError: It has not the shape that the spec says, or holds no scores or labels.
        """
        expected = self._shape
        if self.batch > 1:
            expected = (self.batch, *self._shape)
        elif output.ndim == len(self._shape) + 1 and output.shape[0] == 1:
            output = output[0]
        if output.shape != expected:
            raise ModelError(
                f"{source} gave {self.spec.head} of shape {output.shape}; its spec ({self.spec.arch}, "
                f"{len(self.spec.classes)} classes) says {expected}.",
                EXPORT_AGAIN,
            )
        if self.spec.head == "labels":
            check_labels(output, self.spec)
        elif output.dtype.kind != "f":
            raise ModelError(
                f"{source} gave scores of type {output.dtype}; float32 or float16 were expected.",
                EXPORT_AGAIN,
            )
        return output

    @override
    def preprocess(self, frame: NDArray[np.uint8] | FrameBuffer) -> Job:
        self.check_open()
        started = time.perf_counter_ns()
        frame = checked_frame(host_frame(frame))
        place = placement((frame.shape[0], frame.shape[1]), self.size, self.spec.resize)
        image = network_input(frame, place, self.spec.fill_bgr)
        return Job(place, image, Timing(preprocess=time.perf_counter_ns() - started))

    @override
    def infer(self, job: Job) -> Job:
        self.check_inferable(job)
        self._infer([job])
        return job

    @override
    def infer_batch(self, jobs: Sequence[Job]) -> None:
        if self.batch == 1:
            super().infer_batch(jobs)
            return
        self.check_batch(jobs)
        for first in range(0, len(jobs), self.batch):
            self._infer(jobs[first : first + self.batch])

    @override
    def postprocess(self, job: Job) -> NDArray[np.uint8]:
        self.check_inferred(job)
        started = time.perf_counter_ns()
        if self.spec.head == "scores":
            mapping = job.place.mapping(self.spec.stride, self.spec.geometry)
            labels = decode(job.data, mapping, self.spec.void)
        else:
            labels = nearest(job.data, job.place.mapping(1), self.spec.void)
        job.timing.decode += time.perf_counter_ns() - started
        return labels

    @override
    def postprocess_with_confidence(
        self, job: Job, unknown_below: float | None = None
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        if self.spec.head != "scores":
            raise no_scores(self.spec)
        self.check_inferred(job)
        started = time.perf_counter_ns()
        mapping = job.place.mapping(self.spec.stride, self.spec.geometry)
        result = decode_with_confidence(job.data, mapping, self.spec.void, unknown_below)
        job.timing.decode += time.perf_counter_ns() - started
        return result

    @override
    def scores(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self.spec.head != "scores":
            raise no_scores(self.spec)
        self.check_open()
        image = checked_frame(image)
        if image.shape[:2] != self.size:
            raise wrong_size((image.shape[0], image.shape[1]), self.size)
        return np.asarray(self._outputs(self._network_input([image]))[0], np.float32)

    @override
    def close(self) -> None:
        self.closed = True
        self._images = None

    def _infer(self, jobs: Sequence[Job]) -> None:
        """Run the network once, for as many jobs as it takes or fewer."""
        started = time.perf_counter_ns()
        images = self._network_input([job.data for job in jobs])
        placed = time.perf_counter_ns()
        outputs = self._outputs(images)
        done = time.perf_counter_ns()
        for place, job in enumerate(jobs):
            job.data = outputs[place]
            job.inferred = True
            job.timing.preprocess += (placed - started) // len(jobs)
            job.timing.infer = (done - placed) // len(jobs)

    def _network_input(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """What the network takes: the image, or its one input with the images in the first places."""
        if self.batch == 1:
            return np.ascontiguousarray(images[0])
        if self._images is None:  # only sessions that infer need it
            self._images = np.zeros((self.batch, *self.size, 3), np.uint8)
        for place, image in enumerate(images):
            self._images[place] = image
        return self._images

    def _outputs(self, images: NDArray[np.uint8]) -> Sequence[NDArray[Any]] | NDArray[Any]:
        """What the network gives, by the place of the image."""
        output = self.run_network(images)
        return output if self.batch > 1 else (output,)


def check_labels(labels: NDArray[Any], spec: ModelSpec) -> None:
    """Check that what a network gave are ids of its classes.

    Args:
        labels: What it gave, of any shape.
        spec: Names the classes.

    Raises:
        ModelError: They are not uint8, or there is an id of no class.
    """
    count = len(spec.classes)
    if labels.dtype != np.uint8 or labels.max(initial=0) >= count:
        what = f"an id of {labels.max()}" if labels.dtype == np.uint8 else f"values of type {labels.dtype}"
        raise ModelError(
            f"{spec.name} gave {what} as labels; uint8 ids of its {count} classes were expected.",
            EXPORT_AGAIN,
        )


def no_scores(spec: ModelSpec) -> ModelError:
    """The error that says that a model ends in labels."""
    return ModelError(
        f"{spec.name} ends in labels: it gives neither scores nor confidence.",
        "Export the checkpoint again with fcn-edge export --head scores.",
    )


def wrong_size(given: Size, expected: Size) -> FrameError:
    """The error that says that an image is not of the network's size."""
    return FrameError(
        f"The image is {given[0]}x{given[1]}; the network takes {expected[0]}x{expected[1]} (height x width).",
        "Give the network's input to scores(), or any frame to labels().",
    )
