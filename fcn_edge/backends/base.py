"""The seam between everything above and the libraries that run networks.

A ``Backend`` is such a library: it says what this machine can do, builds and opens. An ``Engine`` is a network made
ready on a device; a ``Session`` is one stream's view of it. A frame passes a session in three steps, so that a
pipeline can run them in different threads:

    preprocess   takes the frame over; it is the caller's again afterwards
    infer        enqueues the network's work and does not wait for it; on a processor, enqueuing is computing
    postprocess  waits for that work, the only step that does, and gives the mask

Several frames may be between the steps at once, each in its own ``Job``; each step is called from one thread at a time.

An engine may be built to take several frames at once. Its sessions infer any one of them alone, and up to ``batch`` of
them, their own and those of other sessions of the engine, with ``infer_batch``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.device import DeviceInfo, ManifestValue
from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.backends.frame_buffer import FrameBuffer
from fcn_edge.backends.job import GpuTimes, Job, Timing
from fcn_edge.backends.options import BUILD_DEFAULTS, RUN_DEFAULTS, BuildOptions, RunOptions
from fcn_edge.errors import UsageError
from fcn_edge.io.closeable import Closeable

__all__ = ["Backend", "Built", "Engine", "GpuTimes", "Job", "Probe", "Progress", "Session", "Timing"]


Progress = Callable[[str, int, int], None]
"""Told how a build goes: what it does, steps done, steps in all."""


@dataclass(frozen=True)
class Probe:
    """What a backend can do on this machine.

    Attributes:
        version: Version of its library; empty when that is not installed.
        devices: What it can run on here, best first; empty when it cannot run.
        targets: What it can build for here although it cannot run it, best first.
        providers: The library's own names of what it runs on.
        problem: One sentence when it cannot run; empty when it can.
        fix: What fixes that.
    """

    version: str
    devices: tuple[DeviceInfo, ...] = ()
    targets: tuple[DeviceInfo, ...] = ()
    providers: tuple[str, ...] = ()
    problem: str = ""
    fix: str = ""

    @property
    def available(self) -> bool:
        """The backend can run here."""
        return not self.problem

    @property
    def buildable(self) -> tuple[DeviceInfo, ...]:
        """What the backend can build for here, best first."""
        return self.devices + self.targets


@dataclass(frozen=True)
class Built:
    """What a backend's build left in an engine directory.

    Attributes:
        files: Names of the files that it wrote, the plan among them.
        notes: What the manifest should say of the build, by name: the steps that it took, what the library reports.
        int8_share: Share of the convolution MACs outside depthwise ones whose operands are INT8 in the plan, 0 to 1;
            None where the library does not tell, and the graph's own share holds.
    """

    files: tuple[str, ...]
    notes: dict[str, ManifestValue] = field(default_factory=dict)
    int8_share: float | None = None


class Session(Closeable):
    """One stream's view of an engine. Close it when done; a ``with`` block does.

    Attributes:
        spec: What the model is.
        size: ``(height, width)`` of the network's input.
        depth: Jobs between ``infer`` and ``postprocess`` that keep the device busy: 1 where ``infer`` computes, more
            where it enqueues. More jobs than that are taken, too, each with memory of its own; they only wait longer.
        batch: Frames that the network takes at once. Fewer take as long as so many.
        expects_confidence: Set it before ``preprocess`` of frames whose confidence will be asked for. A GPU then brings
            their scores along, which it has to make anew for a frame behind which others were inferred already.
        closed: ``close`` was called.
    """

    spec: ModelSpec
    size: Size
    expects_confidence: bool = False
    depth: int = 1
    batch: int = 1
    closed: bool = False

    def warm_up(self, frame_size: Size | None = None) -> None:
        """Run once on an even frame, so that the first real one takes as long as the others.

        Args:
            frame_size: ``(height, width)`` of the frames to come; the network's own where nobody knows.

        Raises:
            ModelError: The network does not give what its spec says.
        """
        self.labels(np.full((*(frame_size or self.size), 3), self.spec.fill_bgr, np.uint8))

    @abstractmethod
    def preprocess(self, frame: NDArray[np.uint8] | FrameBuffer) -> Job:
        """Take over a ``(H, W, 3)`` uint8 BGR frame, which is the caller's again when this returns.

        Args:
            frame: In host memory, or a ``FrameBuffer``; a session on the processor downloads that.

        Raises:
            FrameError: It is no such frame.
            UsageError: The session is closed.
        """

    @abstractmethod
    def infer(self, job: Job) -> Job:
        """Enqueue the network's work on a preprocessed frame; returns the same job.

        It waits for no work of the device. A session on the processor has computed the scores when it returns.

        Raises:
            UsageError: The job was inferred before, or the session is closed.
            MachineError: The device fails.
        """

    def infer_batch(self, jobs: Sequence[Job]) -> None:
        """Do what ``infer`` does with several preprocessed frames: up to ``batch`` of them at once, in order.

        Args:
            jobs: Any number of them; where ``batch`` is more than 1, those of other sessions of this engine too. Each
                is postprocessed by the session that preprocessed it.

        Raises:
            UsageError: A job was inferred before or is there twice, or the session is closed; none is inferred then.
            MachineError: The device fails.
        """
        self.check_batch(jobs)
        for job in jobs:
            self.infer(job)

    @abstractmethod
    def postprocess(self, job: Job) -> NDArray[np.uint8]:
        """Wait for an inferred frame; its ``(H, W)`` uint8 mask, in the frame's own pixels.

        It may be called again for the same job, also as ``postprocess_with_confidence``.

        Raises:
            UsageError: The job was not inferred, or the session is closed.
            ModelError: The scores hold NaN or infinity.
            MachineError: The device fails.
        """

    @abstractmethod
    def postprocess_with_confidence(
        self, job: Job, unknown_below: float | None = None
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The mask of an inferred frame, and how sure the network is of each pixel.

        Args:
            job: What ``infer`` returned.
            unknown_below: Pixels of less confidence than this (0 to 1) get the spec's void.

        Returns:
            ``(H, W)`` uint8 mask and ``(H, W)`` float32 confidence, 0 to 1.

        Raises:
            UsageError: The job was not inferred, or the session is closed.
            ModelError: The scores hold NaN or infinity, or the model ends in labels.
            MachineError: The device fails.
        """

    def wait(self, job: Job) -> None:
        """Wait until the device is done with an inferred job, as ``postprocess`` does by itself.

        For who must not take the next frame before, because it would grow old behind this one. A session on the
        processor is done when ``infer`` returns.

        Raises:
            UsageError: The session is closed.
            MachineError: The device fails.
        """

    @abstractmethod
    def scores(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Class scores ``(C, h, w)`` float32 at the decoder's stride, of a ``(*size, 3)`` uint8 BGR image.

        Raises:
            ModelError: The model ends in labels and gives no scores.
        """

    def labels(self, frame: NDArray[np.uint8] | FrameBuffer) -> NDArray[np.uint8]:
        """The ``(H, W)`` uint8 mask of a ``(H, W, 3)`` uint8 BGR frame: all three steps.

        Raises:
            FrameError: It is no such frame.
            ModelError: The scores hold NaN or infinity.
        """
        return self.postprocess(self.infer(self.preprocess(frame)))

    def labels_batch(self, frames: Sequence[NDArray[np.uint8] | FrameBuffer]) -> list[NDArray[np.uint8]]:
        """The masks of several frames, each as ``labels`` gives it; up to ``batch`` of them at once.

        Raises:
            FrameError: One is no such frame.
            ModelError: The scores hold NaN or infinity.
        """
        if self.batch == 1:
            return [self.labels(frame) for frame in frames]
        jobs = [self.preprocess(frame) for frame in frames]
        self.infer_batch(jobs)
        return [self.postprocess(job) for job in jobs]

    @abstractmethod
    def close(self) -> None:
        """Give back what the session holds; it cannot be used afterwards.

        Work that is enqueued is waited for; jobs that were not postprocessed are lost.
        """

    def check_open(self) -> None:
        """Say that the session is closed.

        Raises:
            UsageError: It is.
        """
        if self.closed:
            raise UsageError("The session is closed.", "Take a new one from the engine, or load the model again.")

    def check_inferable(self, job: Job) -> None:
        """Say why ``infer`` does not take a job.

        Raises:
            UsageError: The job was inferred before, or the session is closed.
        """
        self.check_open()
        if job.inferred:
            raise _inferred_already()

    def check_batch(self, jobs: Sequence[Job]) -> None:
        """Say why ``infer_batch`` does not take jobs.

        Raises:
            UsageError: One was inferred before or is there twice, or the session is closed.
        """
        self.check_open()
        if any(job.inferred for job in jobs) or len({id(job) for job in jobs}) < len(jobs):
            raise _inferred_already()

    def check_inferred(self, job: Job) -> None:
        """Say why ``postprocess`` does not take a job.

        Raises:
            UsageError: The job was not inferred, or the session is closed.
        """
        self.check_open()
        if not job.inferred:
            raise UsageError("The job was not inferred yet.", "Give it to infer() before postprocess().")


class Engine(Closeable):
    """A network made ready on a device. Several sessions may use it; close it after them.

    Attributes:
        spec: What the model is.
        size: ``(height, width)`` of the network's input.
        backend: Name of the backend.
        batch: Frames that the network takes at once.
        reached_through: The library that reaches the GPU, and what it lacks, as a phrase; empty on a processor.
    """

    spec: ModelSpec
    size: Size
    backend: str
    reached_through: str = ""
    batch: int = 1

    @abstractmethod
    def session(self) -> Session:
        """A new session on this engine."""

    @abstractmethod
    def close(self) -> None:
        """Give back what the engine holds; its sessions must be closed before."""


class Backend(ABC):
    """A library that runs networks: what it can do here, and engines built and opened with it.

    Attributes:
        name: Its key in the table ``BACKENDS``.
        plan_file: Name of the file in an engine directory that the library opens.
        extra_files: Names of the other files that its build leaves there.
        batches: Its engines may take several frames at once.
    """

    name: str
    plan_file: str
    extra_files: tuple[str, ...] = ()
    batches: bool = False

    @abstractmethod
    def probe(self, device: int = 0) -> Probe:
        """What the backend can do on this machine; raises nothing when its library is absent.

        Args:
            device: Index of the GPU that is asked about; a CPU backend's answer does not depend on it.
        """

    @abstractmethod
    def build(
        self,
        typed_onnx: Path,
        directory: Path,
        size: Size,
        options: BuildOptions = BUILD_DEFAULTS,
        progress: Progress | None = None,
    ) -> Built:
        """Compile a model into an engine directory.

        Args:
            typed_onnx: A model whose graph holds its precision.
            directory: Exists and is empty.
            size: ``(height, width)`` of the network's input.
            options: How it is compiled.
            progress: Told how it goes.

        Raises:
            UsageError: The options are not for this backend.
            ModelError: The backend cannot run this graph.
            MachineError: The library or the device is not here.
        """

    @abstractmethod
    def open(self, directory: Path, spec: ModelSpec, size: Size, options: RunOptions = RUN_DEFAULTS) -> Engine:
        """The engine of a directory that ``build`` filled. What it holds must have been verified before.

        Args:
            directory: Holds ``plan_file`` and the other files.
            spec: What the model is.
            size: ``(height, width)`` that it was built for.
            options: How it runs.

        Raises:
            UsageError: The options are not for this backend.
            ModelError: The library refuses the files, or they do not fit the spec.
            MachineError: The library or the device is not here.
        """

    @abstractmethod
    def open_onnx(self, path: Path, spec: ModelSpec, size: Size, options: RunOptions = RUN_DEFAULTS) -> Engine:
        """An engine straight from an ONNX file, for libraries that need no build.

        Raises:
            UsageError: The library runs built engines only, or the options are not for this backend.
            ModelError: The library refuses the file, or it does not fit the spec.
            MachineError: The library or the device is not here.
        """

    @abstractmethod
    def incompatibility(self, built_for: DeviceInfo, precision: str, device: int = 0) -> str:
        """Why a plan built for a device must not run here, as a phrase; empty when it may.

        Args:
            built_for: Device of the kind that this machine has.
            precision: Precision of the plan.
            device: Index of the GPU that is to run it.
        """


def _inferred_already() -> UsageError:
    return UsageError("The job was inferred already.", "Give each frame to preprocess() for a job of its own.")
