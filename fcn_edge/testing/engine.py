"""An engine and a session without a network, for tests of programs that use fcn_edge.

    from fcn_edge import Segmenter
    from fcn_edge.testing.engine import FakeEngine

    segment = Segmenter(FakeEngine(scores=my_scores))       # an array, or a function of the image
    segment = Segmenter(FakeEngine(fail_at=3))              # the third frame fails, as a lost device would

Everything around the network is real: frames are checked, brought to the network's size, and decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.backends.base import Engine, Job, Session
from fcn_edge.backends.frame_buffer import FrameBuffer
from fcn_edge.backends.host_session import HostSession
from fcn_edge.errors import DeviceError, UsageError

__all__ = ["FakeEngine", "FakeSession", "Network", "brightness_scores", "fake_spec"]

Network = Callable[[NDArray[np.uint8]], NDArray[Any]]
"""Takes the ``(*size, 3)`` uint8 BGR input and gives what the graph would: scores, or labels."""


def fake_spec(**changes: Any) -> ModelSpec:
    """A valid spec: FCN-8s for the CamVid classes at 64x96, labeled as a fake, with some fields changed.

    Raises:
        SpecError: The changed spec is not valid.
    """
    labels = LABEL_SETS["camvid"]
    spec = ModelSpec(
        name="fake",
        encoder="fake",
        decoder="fcn8s",
        stride=8,
        classes=labels.classes,
        palette=labels.palette,
        void=labels.void,
        size=(64, 96),
    )
    return spec.replace(**changes)


def brightness_scores(spec: ModelSpec) -> Network:
    """A network whose class follows the brightness: class 0 where the image is black, the last where it is white."""

    def network(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        height, width = image.shape[0] // spec.stride, image.shape[1] // spec.stride
        cells = image.reshape(height, spec.stride, width, spec.stride, 3).mean(axis=(1, 3, 4))
        levels = np.linspace(0, 255, len(spec.classes))[:, None, None]
        scores: NDArray[np.float32] = -np.abs(cells - levels).astype(np.float32)
        return scores

    return network


class FakeSession(HostSession):
    """A session whose network is an array or a function.

    Args:
        spec: What the model is said to be; ``fake_spec()`` when left out.
        size: ``(height, width)`` of the network's input; the spec's when left out.
        scores: What the network gives: ``(C, h, w)`` float scores (a ``(*size)`` uint8 mask for a spec whose head is
            ``labels``), or a function that makes it from the input image; ``brightness_scores`` when left out.
        fail_at: Number of the frame, from 1, whose ``infer`` fails; it fails once.
        error: What it fails with; a DeviceError when left out.
        batch: Frames that the network takes at once; its array or function stays that of one.

    Attributes:
        calls: What was called, in order: ``preprocess``, ``infer``, ``postprocess``, ``scores``, ``close``; and
            ``infer N`` for N frames at once.
        closed: ``close`` was called.
    """

    def __init__(
        self,
        spec: ModelSpec | None = None,
        size: Size | None = None,
        scores: NDArray[Any] | Network | None = None,
        *,
        fail_at: int | None = None,
        error: Exception | None = None,
        batch: int = 1,
    ) -> None:
        spec = spec or fake_spec()
        super().__init__(spec, size or spec.size, batch)
        if scores is None and spec.head == "labels":
            raise UsageError("A fake of a model that ends in labels needs them.", "Give scores=, a mask or a function.")
        self.calls: list[str] = []
        self._scores = brightness_scores(spec) if scores is None else scores
        self._fail_at = fail_at
        self._error = error or DeviceError("The fake device was lost, as it was asked to be.")
        self._inferred = 0

    @override
    def run_network(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        return self._output(image) if self.batch == 1 else np.stack([self._output(each) for each in image])

    @override
    def preprocess(self, frame: NDArray[np.uint8] | FrameBuffer) -> Job:
        self.calls.append("preprocess")
        return super().preprocess(frame)

    @override
    def infer(self, job: Job) -> Job:
        self.calls.append("infer")
        self._fail_or_go_on(1)
        return super().infer(job)

    @override
    def infer_batch(self, jobs: Sequence[Job]) -> None:
        if self.batch > 1:
            self.calls.append(f"infer {len(jobs)}")
            self._fail_or_go_on(len(jobs))
        super().infer_batch(jobs)

    @override
    def postprocess(self, job: Job) -> NDArray[np.uint8]:
        self.calls.append("postprocess")
        return super().postprocess(job)

    @override
    def postprocess_with_confidence(
        self, job: Job, unknown_below: float | None = None
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        self.calls.append("postprocess")
        return super().postprocess_with_confidence(job, unknown_below)

    @override
    def scores(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.calls.append("scores")
        return super().scores(image)

    @override
    def close(self) -> None:
        self.calls.append("close")
        super().close()

    def _output(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        return self._scores(image) if callable(self._scores) else self._scores

    def _fail_or_go_on(self, frames: int) -> None:
        before, self._inferred = self._inferred, self._inferred + frames
        if self._fail_at is not None and before < self._fail_at <= self._inferred:
            raise self._error


class FakeEngine(Engine):
    """An engine whose sessions are ``FakeSession``, with the same arguments.

    Attributes:
        sessions: The sessions that it made, in order.
        closed: ``close`` was called.
    """

    backend = "fake"

    def __init__(
        self,
        spec: ModelSpec | None = None,
        size: Size | None = None,
        scores: NDArray[Any] | Network | None = None,
        *,
        fail_at: int | None = None,
        error: Exception | None = None,
        batch: int = 1,
    ) -> None:
        self.spec = spec or fake_spec()
        self.size = size or self.spec.size
        self.batch = batch
        self.sessions: list[FakeSession] = []
        self.closed = False
        self._scores = scores
        self._fail_at = fail_at
        self._error = error

    @override
    def session(self) -> Session:
        if self.closed:
            raise UsageError("The engine is closed.", "Load it again.")
        made = FakeSession(
            self.spec, self.size, self._scores, fail_at=self._fail_at, error=self._error, batch=self.batch
        )
        self.sessions.append(made)
        return made

    @override
    def close(self) -> None:
        self.closed = True
