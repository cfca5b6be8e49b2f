"""OpenVINO on the processor: engines for x86-64 and ARM, and ``.onnx`` files as they are."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.artifacts.device import DeviceInfo
from fcn_edge.artifacts.onnx_graph import check_batch, check_size, checked_graph
from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.backends.base import Backend, Built, Engine, Probe, Progress, Session
from fcn_edge.backends.contents import content_of
from fcn_edge.backends.host_session import HostSession
from fcn_edge.backends.openvino.library import core, library
from fcn_edge.backends.options import BUILD_DEFAULTS, RUN_DEFAULTS, BuildOptions, RunOptions
from fcn_edge.errors import MachineError, ModelError, UsageError
from fcn_edge.io.machine import machine_fault
from fcn_edge.system.cpu import cpu_name, instruction_set, int8_misfit, thread_count

__all__ = ["OpenVino"]

_DEVICE = "CPU"
_CHATTER = re.compile(
    r"Exception from |Check '.*' failed at |FrontEnd API failed |While validating |Loading input model"
    r"|Converting input model|Model wasn't fully converted|Summary:|-- \S+ with a message:|Shape inference input shapes"
    r"|Node \S+ of type "
)
"""How the lines of an error begin that speak of OpenVINO's sources and steps, not of what is wrong."""

_COUNTED = re.compile(r"[A-Z][A-Za-z]*_\d+")
"""Names that OpenVINO gives, such as ``Constant_151``."""


class OpenVino(Backend):
    """OpenVINO with its CPU plugin. Its engine is the graph at one size, in OpenVINO's own format."""

    name = "openvino"
    plan_file = "model.xml"
    extra_files = ("model.bin",)
    batches = True

    @override
    def probe(self, device: int = 0) -> Probe:
        try:
            version = str(library().__version__)
        except MachineError as error:
            return Probe(version="", problem=error.message, fix=error.fix)
        version = version.partition("-")[0]  # what follows are the build's number and branch
        return Probe(version, (DeviceInfo("cpu", cpu_name(), instruction_set()),), providers=(_DEVICE,))

    @override
    def build(
        self,
        typed_onnx: Path,
        directory: Path,
        size: Size,
        options: BuildOptions = BUILD_DEFAULTS,
        progress: Progress | None = None,
    ) -> Built:
        options.check_for_cpu(self.name)
        model = _model_of_onnx(typed_onnx, size, options.batch)
        _name_by_place(model)
        try:
            # as it is: by default every float would be rounded to FP16
            library().save_model(model, str(directory / self.plan_file), compress_to_fp16=False)
            self._read(directory)  # it does not always see that the disk is full
        except (RuntimeError, ModelError) as error:
            raise MachineError(
                f"OpenVINO could not write its engine to {directory}.",
                "Free some space, or give another place with -o.",
            ) from error
        return Built((self.plan_file, *self.extra_files))

    @override
    def open(self, directory: Path, spec: ModelSpec, size: Size, options: RunOptions = RUN_DEFAULTS) -> Engine:
        options.check_for_cpu(self.name)
        threads = thread_count(options.threads)
        return _engine(directory / self.plan_file, self._read(directory), spec, size, threads)

    @override
    def open_onnx(self, path: Path, spec: ModelSpec, size: Size, options: RunOptions = RUN_DEFAULTS) -> Engine:
        options.check_for_cpu(self.name)
        threads = thread_count(options.threads)
        return _engine(path, _model_of_onnx(path, size), spec, size, threads)

    def _read(self, directory: Path) -> Any:
        """The graph of an engine directory."""
        path = directory / self.plan_file
        graph, weights, reader = content_of(path), content_of(directory / self.extra_files[0]), core()
        with _errors_of(path):
            return reader.read_model(graph, weights)

    @override
    def incompatibility(self, built_for: DeviceInfo, precision: str, device: int = 0) -> str:
        return int8_misfit(built_for.capability, precision)


class _Engine(Engine):
    backend = OpenVino.name

    def __init__(self, path: Path, compiled: Any, spec: ModelSpec, size: Size, batch: int) -> None:
        self.spec = spec
        self.size = size
        self.batch = batch
        self._path = path
        self._compiled = compiled

    @override
    def session(self) -> Session:
        if self._compiled is None:
            raise UsageError("The engine is closed.", "Load the model again.")
        return _Session(self._path, self._compiled, self.spec, self.size, self.batch)

    @override
    def close(self) -> None:
        self._compiled = None


class _Session(HostSession):
    """A stream's view of an engine: a request of its own, which holds the network's buffers.

    Where frames of several sessions are inferred at once, one of them does it, and the others need no request.
    """

    def __init__(self, path: Path, compiled: Any, spec: ModelSpec, size: Size, batch: int) -> None:
        super().__init__(spec, size, batch)
        self._path = path
        self._compiled = compiled
        self._request: Any = None
        if batch == 1:
            self._make_request()

    @override
    def run_network(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        if self._request is None:
            self._make_request()
        with _errors_of(self._path):
            # the input is read in place; the output is a copy, since the next frame overwrites the request's own
            output: NDArray[Any] = self._request.infer({0: image}, share_inputs=True)[0]
        return self.checked_output(output, self._path)

    @override
    def close(self) -> None:
        super().close()
        self._request = self._compiled = None

    def _make_request(self) -> None:
        with _errors_of(self._path):
            self._request = self._compiled.create_infer_request()


def _model_of_onnx(path: Path, size: Size, batch: int | None = None) -> Any:
    """OpenVINO's graph of an ONNX file, at one size.

    Args:
        path: The file.
        size: ``(height, width)`` of its input.
        batch: Images that it must take at once; any number when left out.
    """
    graph = checked_graph(path, batches=True)
    check_size(path, graph, size)
    if batch is not None:
        check_batch(path, graph, batch)
    content, reader = content_of(path), core()
    with _errors_of(path):
        model = reader.read_model(content)
        model.reshape([*graph.inputs[0].shape[:-3], *size, 3])
    return model


def _name_by_place(model: Any) -> None:
    """Name by its place what OpenVINO named by a count that goes on from model to model of a process.

    So two builds of one model are the same bytes.
    """
    for place, node in enumerate(model.get_ordered_ops()):
        if _COUNTED.fullmatch(node.get_friendly_name()):
            node.set_friendly_name(f"{node.get_type_name()}_{place}")


def _engine(path: Path, model: Any, spec: ModelSpec, size: Size, threads: int) -> Engine:
    kinds, compiler = library().Type, core()
    with _errors_of(path):
        takes = [(value.get_element_type(), list(value.get_partial_shape())) for value in model.inputs]
        shape = takes[0][1] if takes else []
        batch = shape[0].get_length() if len(shape) == 4 and shape[0].is_static else 1
        expected = [*size, 3] if batch == 1 else [batch, *size, 3]
        if takes == [(kinds.u8, expected)] and len(model.outputs) == 1:
            compiled = compiler.compile_model(model, _DEVICE, _options(compiler, spec, threads))
            return _Engine(path, compiled, spec, size, batch)
    raise ModelError(
        f"{path} does not take one uint8 image of {size[0]}x{size[1]} (height x width) and give one output.",
        "Build it again with fcn-edge build.",
    )


def _options(compiler: Any, spec: ModelSpec, threads: int) -> dict[str, Any]:
    """How a network is compiled.

    Its workers sleep when they have nothing to do, so that the decoder, and ONNX Runtime's pool where that is loaded
    too, get the cores: on two cores, FCN-8s at 512x1024 on both libraries at once took as long as one after the other.
    """
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,  # sessions take turns, each frame with all threads: least delay, and as many frames a second
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": _arithmetic(compiler, spec),
        "ENABLE_CPU_PINNING": False,  # no faster, and it would hold on to cores that others use
    }


def _arithmetic(compiler: Any, spec: ModelSpec) -> str:
    """Type of the arithmetic outside INT8 operators.

    Left alone, OpenVINO takes bf16 or f16 where that is faster, whatever the graph says. (FCN-8s on a processor with
    bf16: scores off by 0.3, and one pixel in two hundred gets another class.)
    """
    half = spec.precision == "fp16" and platform.machine() == "aarch64"
    return "f16" if half and "FP16" in compiler.get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES") else "f32"


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    """Turn whatever OpenVINO raises inside the block into a ``ModelError`` of one sentence.

    It raises RuntimeError, classes of its frontends that are not public, and UnicodeDecodeError where a damaged name
    stands in the text; so only its calls may stand in the block.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        fault = machine_fault(error, path)
        if fault is not None:
            raise fault from error
        raise ModelError(
            f"OpenVINO cannot run {path}: {_reason(error)}.",
            "Build the engine again, or export the checkpoint again with fcn-edge export.",
        ) from error


def _reason(error: Exception) -> str:
    """The part of an error's text that is for people: one line, without source files and checks of C++."""
    if isinstance(error, UnicodeDecodeError):
        return "a name in it is damaged"
    if not isinstance(error, RuntimeError):
        return f"{type(error).__name__}, {error}".rstrip(".")
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not _CHATTER.match(line)]
    return said[0].lstrip("- ").rstrip(".!") if said else "it does not say why"
