"""ONNX Runtime on the processor: the backend that every machine has, and that runs ``.onnx`` files as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.artifacts.device import DeviceInfo
from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.backends.base import Built, Engine, Probe, Progress, Session
from fcn_edge.backends.host_session import HostSession
from fcn_edge.backends.onnxruntime.library import OnnxPlans, errors_of, inference_session, library
from fcn_edge.backends.options import BUILD_DEFAULTS, RUN_DEFAULTS, BuildOptions, RunOptions
from fcn_edge.errors import MachineError, UsageError
from fcn_edge.system.cpu import cpu_name, instruction_set, int8_misfit, thread_count

__all__ = ["OnnxRuntime", "open_unfused"]

_PROVIDERS = ("CPUExecutionProvider",)


class OnnxRuntime(OnnxPlans):
    """ONNX Runtime with its CPU provider."""

    name = "onnxruntime"
    batches = True

    @override
    def probe(self, device: int = 0) -> Probe:
        try:
            found = library()
        except MachineError as error:
            return Probe(version="", problem=error.message, fix=error.fix)
        providers = tuple(found.get_available_providers())
        return Probe(str(found.__version__), (DeviceInfo("cpu", cpu_name(), instruction_set()),), providers=providers)

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
        return super().build(typed_onnx, directory, size, options, progress)

    @override
    def open_onnx(self, path: Path, spec: ModelSpec, size: Size, options: RunOptions = RUN_DEFAULTS) -> Engine:
        options.check_for_cpu(self.name)
        runner = inference_session(path, size, thread_count(options.threads), _PROVIDERS)
        return _Engine(path, runner, spec, size)

    @override
    def incompatibility(self, built_for: DeviceInfo, precision: str, device: int = 0) -> str:
        return int8_misfit(built_for.capability, precision)


def open_unfused(path: Path, spec: ModelSpec, size: Size, options: RunOptions = RUN_DEFAULTS) -> Engine:
    """An ONNX file, computed node by node as it is written: what judges graphs independently of this processor.

    ONNX Runtime usually fuses Q/DQ and the layer between them into integer arithmetic, which x86 processors without
    VNNI do in 16 bits that saturate. Here Q/DQ round and everything else computes in float, several times as slowly.

    Args:
        path: The file.
        spec: Its spec.
        size: ``(height, width)`` of the network's input.
        options: How to run it.

    Raises:
        ModelError: The file is missing or damaged, does not take that size, or ONNX Runtime refuses it.
        MissingExtraError: ONNX Runtime is not installed.
    """
    return _Engine(
        path, inference_session(path, size, thread_count(options.threads), _PROVIDERS, fused=False), spec, size
    )


class _Engine(Engine):
    backend = OnnxRuntime.name

    def __init__(self, path: Path, runner: Any, spec: ModelSpec, size: Size) -> None:
        self.spec = spec
        self.size = size
        self._path = path
        self._runner = runner
        shape = runner.get_inputs()[0].shape
        self.batch = shape[0] if len(shape) == 4 else 1

    @override
    def session(self) -> Session:
        if self._runner is None:
            raise UsageError("The engine is closed.", "Load the model again.")
        return _Session(self._path, self._runner, self.spec, self.size, self.batch)

    @override
    def close(self) -> None:
        self._runner = None


class _Session(HostSession):
    """A stream's view of an engine; ONNX Runtime lets several of them run one network at the same time."""

    def __init__(self, path: Path, runner: Any, spec: ModelSpec, size: Size, batch: int) -> None:
        super().__init__(spec, size, batch)
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
