"""ONNX Runtime on an NVIDIA GPU: runs ``.onnx`` files as they are, between the kernels of ``ops``."""

from __future__ import annotations

import io
import logging
import platform
import re
import sys
import threading
from contextlib import ExitStack, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import override

from fcn_edge.artifacts.device import DeviceInfo
from fcn_edge.artifacts.onnx_graph import EXPORT_AGAIN, check_size, checked_graph
from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.backends.base import Built, Engine, Probe, Progress
from fcn_edge.backends.cuda.device import Device, open_device
from fcn_edge.backends.cuda.engine import CudaEngine
from fcn_edge.backends.cuda.frame_work import Network
from fcn_edge.backends.cuda.objects import Stream
from fcn_edge.backends.onnxruntime.library import NotOnGpuError, OnnxPlans, errors_of, inference_session, library
from fcn_edge.backends.options import BUILD_DEFAULTS, RUN_DEFAULTS, BuildOptions, RunOptions
from fcn_edge.errors import MachineError, ModelError
from fcn_edge.system.cpu import thread_count
from fcn_edge.system.cuda_wheels import onnxruntime_wheels_for_any

__all__ = ["OnnxRuntimeCuda"]

_log = logging.getLogger(__name__)

_PROVIDER = "CUDAExecutionProvider"
_INSTALL = onnxruntime_wheels_for_any(platform.machine(), sys.version_info[:2])

_RESIZES = (1, 25)
"""ONNX Runtime whose CUDA provider first has opset 19's Resize (microsoft/onnxruntime, pull request 27415)."""

_preloading = threading.Lock()

_DTYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
}


class OnnxRuntimeCuda(OnnxPlans):
    """ONNX Runtime with its CUDA provider."""

    name = "onnxruntime-cuda"
    # docs/OperatorKernels.md of ONNX Runtime: its CUDA provider has QuantizeLinear and DequantizeLinear, and neither
    # QLinearConv nor ConvInteger
    no_int8 = (
        "ONNX Runtime's CUDA provider has no INT8 convolution: it dequantizes weights and activations at every frame, "
        "and convolves in floats"
    )

    @override
    def probe(self, device: int = 0) -> Probe:
        version = ""
        try:
            found = _library()
            version = str(found.__version__)
            providers = tuple(found.get_available_providers())
            if _PROVIDER not in providers:
                raise MachineError(
                    f"This build of ONNX Runtime has no CUDA provider (it has {', '.join(providers)}).",
                    f"Replace it with: pip uninstall -y onnxruntime && {_INSTALL}",
                )
            with open_device(device) as gpu:
                return Probe(version, (gpu.facts.device,), providers=providers)
        except MachineError as error:
            return Probe(version, problem=error.message, fix=error.fix)

    @override
    def build(
        self,
        typed_onnx: Path,
        directory: Path,
        size: Size,
        options: BuildOptions = BUILD_DEFAULTS,
        progress: Progress | None = None,
    ) -> Built:
        options.check_single(self.name)
        return super().build(typed_onnx, directory, size, options, progress)

    @override
    def open_onnx(self, path: Path, spec: ModelSpec, size: Size, options: RunOptions = RUN_DEFAULTS) -> Engine:
        check_size(path, checked_graph(path), size)
        if spec.precision == "int8":
            _log.warning(
                "%s is an int8 graph, and %s. Build it with --backend tensorrt, or the fp32 model that it was made "
                "from with --precision fp16.",
                path,
                self.no_int8,
            )
        _preload(_library())
        return _Engine(path, spec, size, open_device(options.device), options)

    @override
    def incompatibility(self, built_for: DeviceInfo, precision: str, device: int = 0) -> str:
        return ""


class _Engine(CudaEngine):
    """An engine whose sessions load the file each for themselves: ONNX Runtime binds a session to one stream."""

    def __init__(self, path: Path, spec: ModelSpec, size: Size, device: Device, options: RunOptions) -> None:
        super().__init__(OnnxRuntimeCuda.name, spec, size, device, options)
        self._path = path
        self._threads = thread_count(options.threads)

    @override
    def make_network(self, stream: Stream) -> Network:
        return _Network(self._device, stream, self._path, self.spec, self.size, self._threads)

    @override
    def release(self) -> None:
        """Nothing outlives the sessions."""


class _Network:
    """An ONNX Runtime session bound to device memory and a stream."""

    def __init__(self, device: Device, stream: Stream, path: Path, spec: ModelSpec, size: Size, threads: int) -> None:
        self._path = path
        self._stream = stream.handle
        self._index = device.facts.index
        self._runner = _runner(path, stream, self._index, size, threads)
        output = self._runner.get_outputs()[0]
        self.output_shape, dtype = _expected(path, spec, size, output)
        self.output_dtype = np.dtype(dtype)
        self._binding: Any = None
        with ExitStack() as made:
            self.input_pointer = made.enter_context(device.device_buffer(size[0] * size[1] * 3)).pointer
            nbytes = int(np.prod(self.output_shape)) * self.output_dtype.itemsize
            self.output_pointer = made.enter_context(device.device_buffer(nbytes)).pointer
            batch = (1,) * (len(output.shape) - len(self.output_shape))
            with errors_of(path, gpu=True):
                self._bind((*size, 3), output.name, (*batch, *self.output_shape))
            self._made = made.pop_all()
        self._options = _library().RunOptions()
        # the session waits for the stream itself, after the decoder
        self._options.add_run_config_entry("disable_synchronize_execution_providers", "1")

    def _bind(self, input_shape: tuple[int, ...], output: str, output_shape: tuple[int, ...]) -> None:
        source = self._runner.get_inputs()[0].name
        self._binding = self._runner.io_binding()
        self._binding.bind_input(source, "cuda", self._index, np.uint8, input_shape, self.input_pointer)
        dtype, pointer = self.output_dtype.type, self.output_pointer
        self._binding.bind_output(output, "cuda", self._index, dtype, output_shape, pointer)

    def enqueue(self, stream: int) -> None:
        assert stream == self._stream
        with errors_of(self._path, gpu=True):
            self._runner.run_with_iobinding(self._binding, self._options)

    def capturable(self, stream: int) -> bool:  # noqa: ARG002
        return False  # it allocates while it runs

    def close(self) -> None:
        self._binding = None
        self._runner = None
        self._made.close()


def _preload(found: Any) -> None:
    """Load CUDA and cuDNN from their wheels, which ONNX Runtime does not look for by itself; once."""
    with _preloading:  # two threads that redirect would leave standard output redirected
        _preloaded(found)


@cache
def _preloaded(found: Any) -> None:
    if not hasattr(found, "preload_dlls"):  # before 1.21
        return
    with redirect_stdout(io.StringIO()) as told:  # JSON lines of results may go there
        found.preload_dlls()
    if told.getvalue():
        _log.info("ONNX Runtime looks for CUDA and cuDNN: %s", told.getvalue().strip())


def _runner(path: Path, stream: Stream, gpu: int, size: Size, threads: int) -> Any:
    # TF32 is on by default and keeps 10 bits of float32's 23
    options = {"device_id": str(gpu), "user_compute_stream": str(stream.handle), "use_tf32": "0"}
    providers = [(_PROVIDER, options)]
    try:
        runner = inference_session(path, size, threads, providers, gpu=True)
    except NotOnGpuError as error:
        # either its provider does not load, or that lacks an operator; only a session tells
        runner = inference_session(path, size, threads, providers, gpu=True, partly=True)
        if _PROVIDER in runner.get_providers():
            raise _without_kernel(path, runner) from error
    if _PROVIDER not in runner.get_providers():
        raise MachineError(
            "ONNX Runtime cannot use the GPU: its CUDA provider does not load.",
            f"It needs the CUDA and cuDNN that it was built for: {_INSTALL}",
        )
    return runner


def _without_kernel(path: Path, runner: Any) -> MachineError:
    """The error of a network of which the provider cannot run some operators, which run on the processor instead."""
    parts = runner.get_provider_graph_assignment_info() if hasattr(runner, "get_provider_graph_assignment_info") else ()
    lacking = {node.op_type for part in parts if part.ep_name != _PROVIDER for node in part.get_nodes()}
    operators = ", ".join(sorted(lacking)) or "some operators"
    version = str(_library().__version__)
    return MachineError(
        f"ONNX Runtime {version} runs {operators} of {path} on the processor and not on the GPU: it would copy back "
        "and forth at every frame.",
        f"{_newer(version)}, build the model with --backend tensorrt, or run it on the processor with "
        "--backend onnxruntime.",
    )


def _newer(version: str) -> str:
    """Which version to install in the place of one, which may be known to lack an operator of our own networks."""
    if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) >= _RESIZES:
        return "Install a newer onnxruntime-gpu"
    first = ".".join(map(str, _RESIZES))
    return (
        f"Install onnxruntime-gpu {first} or newer, which resizes scores on the GPU (FCN-8s, FCN-16s) and needs Python "
        "3.11"
    )


def _expected(path: Path, spec: ModelSpec, size: Size, output: Any) -> tuple[tuple[int, ...], type[np.generic]]:
    """Shape without the batch axis, and type, of an output that fits the spec."""
    shape: tuple[int, ...] = size
    if spec.head == "scores":
        shape = (len(spec.classes), *spec.grid_size(size))
    dtype = _DTYPES.get(output.type)
    classes = output.shape[-3] if spec.head == "scores" and len(output.shape) >= 3 else None
    fits = len(output.shape) in (len(shape), len(shape) + 1) and (dtype is np.uint8) == (spec.head == "labels")
    if dtype is None or not fits or (isinstance(classes, int) and classes != shape[0]):
        raise ModelError(
            f"{path} gives {spec.head} of shape {tuple(output.shape)} and type {output.type}; its spec ({spec.arch}, "
            f"{len(spec.classes)} classes) says {shape}.",
            EXPORT_AGAIN,
        )
    return shape, dtype


def _library() -> Any:
    return library("onnxruntime-gpu", "gpu", "Running a network on the GPU with ONNX Runtime")
