"""ONNX Runtime on the processor: the backend that every machine has, and that runs ``.onnx`` files as they are."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.backends.base import Backend, Built, Device, Engine, Probe, Progress, Session
from fcn_edge.backends.cpu import cpu_name, instruction_set, int8_misfit, thread_count
from fcn_edge.backends.host import HostSession
from fcn_edge.errors import MachineError, MissingExtraError, ModelError, UsageError
from fcn_edge.graphfile import Graph, check_size, checked_graph
from fcn_edge.spec import ModelSpec, Size

__all__ = ["OnnxRuntime", "errors_of"]

_PROVIDERS = ("CPUExecutionProvider",)
_LOG_ERRORS = 3
_DISABLED = ("WeightBiasQuantization",)
"""Optimisers that would change what a graph computes: this one quantises the weights of a float layer between two
quantised ones, with one scale for all channels, which cost a MobileNetV2 FCN-8s 8 points of mIoU."""


class OnnxRuntime(Backend):
    """ONNX Runtime with its CPU provider. Its plan is the ONNX file itself."""

    name = "onnxruntime"
    plan = "model.onnx"

    @override
    def probe(self) -> Probe:
        try:
            library = _library()
        except MachineError as error:
            return Probe(version="", problem=error.message, fix=error.fix)
        providers = tuple(library.get_available_providers())
        return Probe(str(library.__version__), (Device("cpu", cpu_name(), instruction_set()),), providers=providers)

    @override
    def build(self, typed_onnx: Path, directory: Path, size: Size, progress: Progress | None = None) -> Built:
        check_size(typed_onnx, checked_graph(typed_onnx), size)
        shutil.copyfile(typed_onnx, directory / self.plan)
        return Built((self.plan,))

    @override
    def open(self, directory: Path, spec: ModelSpec, size: Size, threads: int | None = None) -> Engine:
        return self.open_onnx(directory / self.plan, spec, size, threads)

    @override
    def open_onnx(self, path: Path, spec: ModelSpec, size: Size, threads: int | None = None) -> Engine:
        threads = thread_count(threads)
        graph = checked_graph(path)
        check_size(path, graph, size)
        options = _options(graph, size, threads)
        with errors_of(path):
            # its fallback would print to standard output and try the same again
            runner = _library().InferenceSession(
                str(path),
                options,
                providers=list(_PROVIDERS),
                enable_fallback=False,
                disabled_optimizers=list(_DISABLED),
            )
        return _Engine(path, runner, spec, size)

    @override
    def misfit(self, built_for: Device, precision: str) -> str:
        return int8_misfit(built_for.capability, precision)


class _Engine(Engine):
    backend = OnnxRuntime.name

    def __init__(self, path: Path, runner: Any, spec: ModelSpec, size: Size) -> None:
        self.spec = spec
        self.size = size
        self._path = path
        self._runner = runner

    @override
    def session(self) -> Session:
        if self._runner is None:
            raise UsageError("The engine is closed.", "Load the model again.")
        return _Session(self._path, self._runner, self.spec, self.size)

    @override
    def close(self) -> None:
        self._runner = None


class _Session(HostSession):
    """A stream's view of an engine; ONNX Runtime lets several of them run one network at the same time."""

    def __init__(self, path: Path, runner: Any, spec: ModelSpec, size: Size) -> None:
        super().__init__(spec, size)
        self._path = path
        self._runner = runner
        self._input = runner.get_inputs()[0].name

    @override
    def run_network(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        with errors_of(self._path):
            output: NDArray[Any] = self._runner.run(None, {self._input: image})[0]
        return self.checked_output(output, self._path)

    @override
    def close(self) -> None:
        super().close()
        self._runner = None


def _options(graph: Graph, size: Size, threads: int) -> Any:
    options = _library().SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _LOG_ERRORS
    # threads that wait do not spin: the network takes as long (medians within noise on two cores), and the decoder,
    # the next frame's capture and the output get the cycles, a fifth of all with spinning
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    for axis, side in zip(graph.inputs[0].shape, size, strict=False):
        if isinstance(axis, str) and axis:
            options.add_free_dimension_override_by_name(axis, side)
    return options


@contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Turn whatever ONNX Runtime raises inside the block into a ``ModelError`` of one sentence.

    Its own exceptions have neither a common base class nor public names, and files with broken text in them make it
    raise UnicodeDecodeError; so only its calls may stand in the block.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        raise ModelError(
            f"ONNX Runtime cannot run {path}: {_reason(error)}.", "Export the checkpoint again with fcn-edge export."
        ) from error


def _reason(error: Exception) -> str:
    """The part of an error's text that is for people: without codes, file names and C++ signatures."""
    text = str(error).partition("[ONNXRuntimeError] : ")[2]
    if not text:
        return f"{type(error).__name__}, {error}".rstrip(".")
    text = text.split(" : ", 2)[-1].splitlines()[0]
    text = re.sub(r"^Load model from .*? failed:", "", text)
    return re.sub(r"^/onnxruntime_src/\S+ .*?\) (?=[^a-z&*,)])", "", text).strip().rstrip(".")


@cache
def _library() -> ModuleType:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        if error.name != "onnxruntime":
            raise
        raise MissingExtraError("onnxruntime", "cpu", "Running a network on the processor") from error
    except ImportError as error:
        raise MachineError(
            f"ONNX Runtime is installed and cannot be loaded: {error}.",
            "Install it again with: pip install --force-reinstall onnxruntime",
        ) from error
    return onnxruntime  # type: ignore[no-any-return]
