"""Engines of the shipped model, built and run on this machine's GPU, beside ONNX Runtime on its processor."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from fcn_edge.artifacts.calibration_table import write_table
from fcn_edge.artifacts.engine_manifest import EngineManifest
from fcn_edge.artifacts.models import resolved_model
from fcn_edge.backends import registry
from fcn_edge.backends.base import Engine, Session
from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.session import CudaSession
from fcn_edge.backends.opening import open_engine
from fcn_edge.backends.options import RunOptions
from fcn_edge.builder import BuildRequest, build_engine
from fcn_edge.datasets.calibration import calibration_set
from fcn_edge.errors import FcnEdgeError
from fcn_edge.evaluation.guard import RenderedGuard
from fcn_edge.evaluation.latency import speeds_of
from fcn_edge.runtime.segmenter import load
from gpu.references import MODEL
from gpu.subject import Row, Subject
from gpu.times import gpu_times

__all__ = ["BACKENDS", "check"]

BACKENDS = ("tensorrt", "tensorrt-rtx", "onnxruntime-cuda")
PRECISIONS = ("fp16", "int8")
CALIBRATION = "synthetic://street?seed=300&size=480x640"
CALIBRATION_IMAGES = 24


def check(subject: Subject) -> Iterator[Row]:
    """A row for each backend and precision: what was built and how it runs, or why it failed.

    A backend whose probe says that it cannot run here has one row, ``absent``; what goes wrong after it is ``failed``.
    """
    real, settings = subject.references.real, subject.settings
    with (
        load(MODEL, backend="onnxruntime", size=settings.size) as segmenter,
        tempfile.TemporaryDirectory() as directory,
    ):
        guard = RenderedGuard(real.frames, segmenter.session)
        for backend in BACKENDS:
            probe = registry.backend(backend).probe()
            if not probe.available:
                yield {"backend": backend, "absent": f"{backend}: {probe.problem} {probe.fix}".rstrip()}
                continue
            for precision in PRECISIONS[: 1 if registry.backend(backend).no_int8 else None]:
                row: Row = {"backend": backend, "precision": precision}
                try:
                    row |= _engine(subject, backend, precision, Path(directory), guard)
                except FcnEdgeError as error:  # the probe found all that it needs, so nothing of it is absent
                    row |= {"failed": f"{backend} {precision}: {error}", "agree": False}
                yield row


def _engine(subject: Subject, backend: str, precision: str, directory: Path, guard: RenderedGuard) -> Row:
    real, settings = subject.references.real, subject.settings
    table = _table(MODEL, directory) if precision == "int8" else None
    # judged here, on the same frames for every backend
    request = BuildRequest(backend, precision, size=settings.size, calibration=table, guard=False)
    built = build_engine(MODEL, request, output=directory / f"{backend}.{precision}")
    manifest = built.manifest
    with ExitStack() as stack:
        running: dict[str, Session] = {}
        failures = []
        for engine in _opened(built.engine, manifest, subject.open):
            session = stack.enter_context(stack.enter_context(engine).session())
            session.labels(real.frames[0])  # only a frame shows whether it becomes a graph
            as_graph, failure = _graph_of(session)
            running.setdefault("graph" if as_graph else "no graph", session)
            failures += [failure] if failure else []
        verdicts = {name: guard.judge(session) for name, session in running.items()}
        speeds = speeds_of(
            running,
            real.frames,
            source=real.source,
            devices=dict.fromkeys(running, manifest.device.name),
            seconds=settings.seconds,
        )
        times = {name: gpu_times(session, real.frames, settings.repeats) for name, session in running.items()}
    row = {
        "library": manifest.library,
        "device": manifest.device.name,
        "size": list(manifest.size),
        "build_seconds": manifest.build_seconds,
        "int8_share": manifest.int8_share,
        "notes": manifest.notes,
        "speed": {name: speed.model_dump(mode="json") for name, speed in speeds.items()},
        "gpu_ms": times,
        "masks": {name: verdict.sentence for name, verdict in verdicts.items()},
        "agree": True,
    }
    if failures:
        row |= _wrong(backend, precision, f"frames are not captured into a graph: {failures[0]}.")
    elif not all(verdict.holds for verdict in verdicts.values()):
        row |= _wrong(backend, precision, "; ".join(verdict.sentence for verdict in verdicts.values()))
    return row


def _wrong(backend: str, precision: str, what: str) -> Row:
    return {"failed": f"{backend} {precision}: {what}", "agree": False}


def _graph_of(session: Session) -> tuple[bool, str]:
    """Whether the last frame was a CUDA graph, and why it is none though it should be."""
    return (session.graphs, session.capture_failure) if isinstance(session, CudaSession) else (False, "")


def _opened(directory: Path, manifest: EngineManifest, open_device: Callable[[], Device]) -> Iterator[Engine]:
    """A new engine as people open it; TensorRT's, which can be captured, with graphs and without."""
    if not manifest.backend.startswith("tensorrt"):
        yield open_engine(directory)
        return
    # open_engine takes the library that comes first, which may have no graphs
    open_engine(directory).close()
    for graphs in (True, False):
        yield _plan(directory, manifest, open_device(), graphs)


def _plan(directory: Path, manifest: EngineManifest, device: Device, graphs: bool) -> Engine:
    """An engine of TensorRT on a device, which it owns; its files were verified before."""
    from fcn_edge.backends.tensorrt.library import library
    from fcn_edge.backends.tensorrt.log import log_of
    from fcn_edge.backends.tensorrt.runtime.engine import opened

    trt = library(manifest.backend)
    plan, logger = directory / manifest.plan_file, log_of(trt).logger
    return opened(
        plan,
        trt,
        manifest.spec,
        manifest.size,
        device,
        RunOptions(graphs=graphs),
        backend=manifest.backend,
        logger=logger,
    )


def _table(model: str, directory: Path) -> Path:
    """The model's own calibration table, or one of rendered scenes where it has none."""
    found = resolved_model(model)
    own = found.table_path
    if own is not None:
        return own
    made = directory / "calibration.json"
    if not made.exists():
        from fcn_edge.quantization.calibrate import calibration_table

        images = calibration_set(CALIBRATION, found.spec.classes, CALIBRATION_IMAGES)
        write_table(made, calibration_table(found, images))
    return made
