"""The one place that imports ONNX Runtime, and what its two backends share."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from typing_extensions import override

from fcn_edge.artifacts.onnx_graph import EXPORT_AGAIN, Graph, check_batch, check_size, checked_graph
from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.backends.base import Backend, Built, Engine, Progress
from fcn_edge.backends.cuda.errors import cuda_error
from fcn_edge.backends.options import BUILD_DEFAULTS, RUN_DEFAULTS, BuildOptions, RunOptions
from fcn_edge.errors import MachineError, MissingExtraError, ModelError
from fcn_edge.io.machine import machine_fault
from fcn_edge.io.native_paths import native_path

__all__ = ["NotOnGpuError", "OnnxPlans", "errors_of", "inference_session", "library"]

_DISABLED_OPTIMIZERS = ("WeightBiasQuantization",)
"""Optimizers that would change what a graph computes: this one quantizes the weights of a float layer between two
quantized ones, with one scale for all channels, which cost a MobileNetV2 FCN-8s 8 points of mIoU."""

_TIMED_SPINNING = (1, 27)
"""ONNX Runtime from which on the time of spinning can be set (microsoft/onnxruntime, pull request 27916)."""

_LOG_ERRORS, _LOG_FATAL = 3, 4
"""What ONNX Runtime prints to standard error. It raises all that it would print, in our own words; why a GPU cannot be
used at all it may print alone."""

_NO_MEMORY = re.compile(r"out.?of.?memory|Failed to allocate memory|bfc_arena", re.IGNORECASE)
_RUNNING = re.compile(r"^Non-zero status code returned while running (\w+) node\. Name:('.*?') Status Message: ")
_SIGNATURE = re.compile(
    r"/onnxruntime_src/\S+ (?:[\w:<>,*& ~]+\((?:[^()]|\([^()]*\))*\)(?: const)?(?: \[with [^\]]*\])? )?"
)
"""File, line and function of ONNX Runtime that noticed what is wrong."""
_PLACE = re.compile(r"(?:^|(?<=: ))\w+\.(?:cc|h):\d+ \w+ ")
"""File, line and function, where no path stands before them."""
_INNER = re.compile(r"\S*(?:onnxruntime_src|::)\S*")
"""Names of files and functions of ONNX Runtime."""

_ON_PROCESSOR = re.compile("assigned to the default CPU EP")
"""What ONNX Runtime says of a network that it would run on the processor in part, where that is not allowed."""

_GPU_FAILED = re.compile("CUDA error|CUDA failure|CUBLAS|CUDNN")
"""What ONNX Runtime says when the GPU fails at a model that is whole."""


@cache
def library(package: str = "onnxruntime", extra: str = "cpu", what: str = "Running a network on the processor") -> Any:
    """The module ``onnxruntime``, which comes in packages for different devices.

    Args:
        package: The package to name where there is none.
        extra: The extra of fcn_edge that brings it.
        what: What needs it, to begin the sentence.

    Raises:
        MissingExtraError: It is not installed.
        MachineError: It is installed and cannot be loaded.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        if error.name != "onnxruntime":
            raise
        raise MissingExtraError(package, extra, what) from error
    except ImportError as error:
        raise MachineError(
            f"ONNX Runtime is installed and cannot be loaded: {error}.",
            f"Install it again with: pip install --force-reinstall {package}",
        ) from error
    return onnxruntime


class NotOnGpuError(MachineError):
    """ONNX Runtime would run some of a network on the processor that is to run on the GPU."""


class OnnxPlans(Backend):
    """A backend whose plan is the ONNX file itself."""

    plan_file = "model.onnx"

    @override
    def build(
        self,
        typed_onnx: Path,
        directory: Path,
        size: Size,
        options: BuildOptions = BUILD_DEFAULTS,
        progress: Progress | None = None,
    ) -> Built:
        graph = checked_graph(typed_onnx, batches=self.batches)
        check_size(typed_onnx, graph, size)
        check_batch(typed_onnx, graph, options.batch)
        shutil.copyfile(typed_onnx, directory / self.plan_file)
        return Built((self.plan_file,))

    @override
    def open(self, directory: Path, spec: ModelSpec, size: Size, options: RunOptions = RUN_DEFAULTS) -> Engine:
        return self.open_onnx(directory / self.plan_file, spec, size, options)


def inference_session(
    path: Path,
    size: Size,
    threads: int,
    providers: Sequence[str | tuple[str, dict[str, str]]],
    *,
    gpu: bool = False,
    partly: bool = False,
    fused: bool = True,
) -> Any:
    """ONNX Runtime's session of a file.

    Args:
        path: The file.
        size: ``(height, width)`` of its input; open axes are fixed to it.
        threads: Threads of the processor.
        providers: What runs it, with options.
        gpu: They run it on the GPU.
        partly: What has no kernel there may run on the processor; the session also tells what that is, where the
            library can. Otherwise such a network is an error: it would be copied back and forth at every frame.
        fused: Let ONNX Runtime rewrite the graph for speed. Without it every node is computed as it is written, so that
            QuantizeLinear and DequantizeLinear surround arithmetic in float.

    Raises:
        ModelError: It is missing or damaged, does not take that size, or ONNX Runtime refuses it.
        NotOnGpuError: It would run on the GPU in part, or not at all.
        MachineError: The GPU or the machine has no memory left, or the GPU fails.
    """
    graph = checked_graph(path, batches=True)
    check_size(path, graph, size)
    options = _session_options(graph, size, threads)
    options.log_severity_level = _LOG_ERRORS if partly else _LOG_FATAL
    if gpu:
        entry = "session.record_ep_graph_assignment_info" if partly else "session.disable_cpu_ep_fallback"
        options.add_session_config_entry(entry, "1")
    if not fused:
        options.graph_optimization_level = library().GraphOptimizationLevel.ORT_DISABLE_ALL
    place = native_path(path, ModelError)
    with errors_of(path, gpu=gpu):
        # its fallback would print to standard output and try the same again
        return library().InferenceSession(
            place,
            options,
            providers=list(providers),
            enable_fallback=False,
            disabled_optimizers=list(_DISABLED_OPTIMIZERS),
        )


def _session_options(graph: Graph, size: Size, threads: int) -> Any:
    options = library().SessionOptions()
    options.intra_op_num_threads = threads
    for key, value in _spinning(str(library().__version__)).items():
        options.add_session_config_entry(f"session.intra_op.{key}", value)
    for axis, side in zip(graph.sides, size, strict=True):
        if isinstance(axis, str) and axis:
            options.add_free_dimension_override_by_name(axis, side)
    return options


def _spinning(version: str) -> dict[str, str]:
    """How long a thread that waits keeps its core busy before it sleeps.

    As long as ONNX Runtime likes, tens of milliseconds, takes a fifth of all cycles from the decoder, the next frame's
    capture and the output. Not at all makes a network of many small layers wait for its threads to wake up: YOLO26n-sem
    takes 36.3 in place of 33.6 ms on two cores. As long as the gaps between layers costs nobody anything: a pipeline
    has as many frames per second.
    """
    release = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if release < _TIMED_SPINNING:
        return {"allow_spinning": "0"}
    return {"allow_spinning": "1", "spin_duration_us": "100"}


@contextmanager
def errors_of(path: Path, *, gpu: bool = False) -> Iterator[None]:
    """Turn whatever ONNX Runtime raises inside the block into an error of one sentence.

    Its own exceptions have neither a common base class nor public names, and files with broken text in them make it
    raise UnicodeDecodeError; so only its calls may stand in the block.

    Args:
        path: The file that it runs.
        gpu: It runs it on the GPU.

    Raises:
        ModelError: It cannot run the file.
        NotOnGpuError: It would run some of it on the processor.
        MachineError: The GPU has no memory left, or it fails.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        if gpu and _ON_PROCESSOR.search(str(error)):
            raise NotOnGpuError(f"ONNX Runtime would run {path} on the processor in part.") from error
        if gpu and _NO_MEMORY.search(str(error)):
            raise cuda_error("ONNX Runtime", "CUDA_ERROR_OUT_OF_MEMORY") from error
        if gpu and _GPU_FAILED.search(str(error)):
            raise cuda_error("ONNX Runtime", _failure(error)) from error
        fault = machine_fault(error, path)
        if fault is not None:
            raise fault from error
        raise ModelError(f"ONNX Runtime cannot run {path}: {_reason(error)}.", EXPORT_AGAIN) from error


def _failure(error: Exception) -> str:
    """The part of an error's text that says how the GPU failed: without what was called, on which host and where."""
    found = re.search(r"\b(?:CUDA|CUBLAS|CUDNN)\w* (?:error|failure)\b.*?(?= ; |$)", str(error), re.MULTILINE)
    return (found[0] if found else _reason(error)).rstrip(".")


def _reason(error: Exception) -> str:
    """The part of an error's text that is for people: without codes, file names and C++ signatures."""
    if isinstance(error, UnicodeDecodeError):
        return "a name in it is damaged"
    _, found, text = str(error).rpartition("[ONNXRuntimeError] : ")
    if not (found and text):
        return f"{type(error).__name__}, {error}".rstrip(".")
    text = text.split(" : ", 2)[-1].splitlines()[0]
    text = re.sub(r"^Load model from .*? failed:", "", text)
    text = _RUNNING.sub(r"\1 \2: ", text)
    text = _PLACE.sub("", _SIGNATURE.sub("", text))
    # what the patterns do not know is left out with all behind it
    return _INNER.split(text)[0].strip().rstrip(".:") or "its graph does not fit together"
