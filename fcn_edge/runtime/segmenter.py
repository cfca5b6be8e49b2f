"""``load``: a model made ready to take frames."""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.engine_manifest import EngineManifest, rebuild_fix
from fcn_edge.artifacts.models import Model, resolved_model
from fcn_edge.artifacts.spec import ModelSpec, Size, checked_size
from fcn_edge.backends import registry
from fcn_edge.backends.base import Engine, Session
from fcn_edge.backends.cuda.arrays import GpuFrame, on_device
from fcn_edge.backends.frame_buffer import FrameBuffer
from fcn_edge.backends.opening import open_engine
from fcn_edge.backends.options import PreprocessOn, RunOptions
from fcn_edge.errors import MachineError, UsageError
from fcn_edge.io.closeable import Closeable
from fcn_edge.runtime.idle_gpu import idle_gpu
from fcn_edge.runtime.segmentation import Segmentation
from fcn_edge.text import quoted

__all__ = ["Segmenter", "load"]

_log = logging.getLogger(__name__)


class Segmenter(Closeable):
    """A model that takes frames: ``result = segment(frame)``. Close it when done; a ``with`` block does.

    One thread at a time may call it. For several streams, or a pipeline, take a session for each with
    ``session_for_stream``: they share the one engine.

    Args:
        engine: A network made ready; the segmenter owns and closes it.

    Attributes:
        engine: The engine.
        session: The session that calls go through.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.session = engine.session()
        self._sessions = [self.session]
        self._lock = threading.Lock()
        self._closed = False

    @property
    def spec(self) -> ModelSpec:
        """What the model is."""
        return self.engine.spec

    @property
    def size(self) -> Size:
        """``(height, width)`` of the network's input; frames may have any size."""
        return self.engine.size

    @property
    def backend(self) -> str:
        """Name of the backend that runs the network."""
        return self.engine.backend

    def __call__(
        self, frame: NDArray[np.uint8] | FrameBuffer, *, confidence: bool = False, unknown_below: float | None = None
    ) -> Segmentation:
        """The mask of a frame.

        Args:
            frame: ``(H, W, 3)`` uint8 BGR, of any size: an array, a ``FrameBuffer``, or an array on a GPU that offers
                DLPack or ``__cuda_array_interface__``; a CPU backend downloads that.
            confidence: Give the probability of each pixel's label too. It costs many times as much as the mask.
            unknown_below: Pixels whose label is less probable than this (0 to 1) become the spec's void.

        Raises:
            FrameError: It is no such frame.
            UsageError: ``unknown_below`` is not in 0 to 1, or the segmenter is closed.
            ModelError: The network gives NaN or infinity, or confidence was asked of a model that ends in labels.
        """
        if on_device(frame) and not isinstance(frame, FrameBuffer):
            frame = GpuFrame(frame)
        job = self.session.infer(self.session.preprocess(frame))
        if confidence or unknown_below is not None:
            labels, probabilities = self.session.postprocess_with_confidence(job, unknown_below)
            return Segmentation(frame, labels, self.spec, job.timing, probabilities)
        return Segmentation(frame, self.session.postprocess(job), self.spec, job.timing)

    def warm_up(self, frame_size: Size | None = None) -> None:
        """Run once on an even frame, so that the first real one takes no longer than the others.

        Args:
            frame_size: ``(height, width)`` of the frames to come; the network's own size when left out.

        Raises:
            ModelError: The network does not give what its spec says.
        """
        self.session.warm_up(frame_size)

    def session_for_stream(self) -> Session:
        """A new session on the same engine, for a stream of its own; it is closed with the segmenter at the latest.

        Any thread may ask. Sessions that were closed are forgotten.

        Raises:
            UsageError: The segmenter is closed.
        """
        with self._lock:  # the session is made inside it: ``close`` would miss one that is made meanwhile
            if self._closed:
                raise UsageError("The segmenter is closed.", "Load the model again.")
            session = self.engine.session()
            self._sessions = [other for other in self._sessions if not other.closed] + [session]
        return session

    def close(self) -> None:
        """Close the sessions and the engine; nothing of them can be used afterwards."""
        with self._lock:
            self._closed = True
            sessions, self._sessions = self._sessions, []
        for session in sessions:
            session.close()
        self.engine.close()

    def __repr__(self) -> str:
        height, width = self.size
        return f"Segmenter({self.spec.name}, {height}x{width}, {self.backend})"


def load(
    model: str | Path | Model,
    *,
    size: Size | None = None,
    backend: str = "auto",
    threads: int | None = None,
    device: int = 0,
    graphs: bool = True,
    preprocess_on: PreprocessOn = "auto",
) -> Segmenter:
    """Make a model ready to take frames. It has run once when this returns.

    What runs it, and where, is logged at level INFO by the logger ``fcn_edge.runtime.segmenter``, and at
    WARNING that an NVIDIA GPU stays idle, where the backend was not named. The process's own thread pools are left
    alone; ``fcn_edge.system.thread_pools.owned_thread_pools`` says when to hold them.

    Args:
        model: A shipped name, an ``.onnx`` file or an engine directory; or such a model that is open already.
        size: ``(height, width)`` of the network's input, in the multiples that it takes; the model's own when left
            out. An engine has the one it was built for.
        backend: What runs an ``.onnx`` file: ``auto`` or a name of ``fcn_edge.backends.BACKENDS``.
        threads: Threads of a CPU backend; the physical cores that the process may use when left out.
        device: Index of the GPU that a GPU backend uses, from 0, as CUDA counts them.
        graphs: A GPU backend captures the work of a frame into a CUDA graph where it can.
        preprocess_on: Where a GPU backend brings frames of the host to the network's size: ``device``, which ``auto``
            means too, or ``host``, which gives the very pixels of CPU backends.

    Raises:
        UsageError: An argument makes no sense, or does not fit the engine.
        ArtifactError: The model is missing, damaged, or an engine made for something else.
        MachineError: The backend's library or device is not here.
    """
    options = RunOptions(threads, device, graphs, preprocess_on)
    found = resolved_model(model)
    if size is not None:
        size = checked_size(size, found.spec.geometry.size_multiple)
    manifest = found.engine_manifest
    if manifest is None:
        engine = _direct(found, size, backend, options)
    else:
        engine = _built(found.path, manifest, size, backend, options)
    with ExitStack() as opened:
        opened.callback(engine.close)
        segmenter = Segmenter(engine)
        opened.callback(segmenter.close)
        segmenter.warm_up()
        opened.pop_all()
    _log_place(segmenter, device)
    on_cpu = registry.BACKENDS[segmenter.backend].device == "cpu"
    idle = idle_gpu(found, segmenter.size, backend) if on_cpu else ""
    if idle:
        _log.warning(idle)
    elif manifest is None and backend == "auto":  # one advice at a time
        _log_alternatives(found, segmenter)
    return segmenter


def _built(directory: Path, manifest: EngineManifest, size: Size | None, backend: str, options: RunOptions) -> Engine:
    if backend not in ("auto", manifest.backend):
        raise UsageError(
            f"{directory} was built for the backend {manifest.backend}, not {backend}.",
            f"Leave the backend out, or build: fcn-edge build {quoted(manifest.model)} --backend {quoted(backend)}",
        )
    if size not in (None, manifest.size):
        fix = rebuild_fix(manifest, directory, size, options.device)
        raise UsageError(
            f"{directory} was built for {manifest.size[0]}x{manifest.size[1]} (height x width) and no other size.",
            f"Leave the size out, or {fix[:1].lower()}{fix[1:]}",
        )
    return open_engine(directory, options, manifest)


def _direct(model: Model, size: Size | None, name: str, options: RunOptions) -> Engine:
    chosen = registry.preferred_backend(options.device) if name == "auto" else registry.backend(name)
    probe = chosen.probe(options.device)
    if not probe.available:
        raise MachineError(probe.problem, probe.fix)
    return chosen.open_onnx(model.path, model.spec, size or model.spec.size, options)


def _log_place(segmenter: Segmenter, device: int) -> None:
    height, width = segmenter.size
    probe = registry.backend(segmenter.backend).probe(device)
    where = probe.devices[0].title if probe.devices else "this machine"
    through = segmenter.engine.reached_through
    runs = segmenter.spec.name, where, segmenter.backend, probe.version, height, width
    _log.info("%s runs on %s with %s %s at %dx%d%s", *runs, through and f", through {through}")


def _log_alternatives(model: Model, segmenter: Segmenter) -> None:
    """Which backend is fastest depends on the processor: a build times them all."""
    here = registry.BACKENDS[segmenter.backend]
    others = [
        name
        for name, entry in registry.BACKENDS.items()
        if entry.device == here.device == "cpu" and name != segmenter.backend and find_spec(entry.library) is not None
    ]
    if others:
        named = quoted(model.shipped or model.path)
        _log.info(
            "%s may be faster here. To time both and keep the faster: fcn-edge build %s", " or ".join(others), named
        )
