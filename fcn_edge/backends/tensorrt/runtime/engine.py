"""Engines of TensorRT and TensorRT-RTX on the GPU: a plan made ready, and sessions that run it.

Uses what TensorRT 8.6 to 11 and TensorRT-RTX have in common: tensors by name, addresses set once, and
``execute_async_v3`` on a stream of the session's own.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from typing_extensions import override

from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.backends.base import Engine
from fcn_edge.backends.contents import content_of
from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.engine import CudaEngine
from fcn_edge.backends.cuda.frame_work import Network
from fcn_edge.backends.cuda.objects import Stream
from fcn_edge.backends.cuda.session import CudaSession
from fcn_edge.backends.options import RUN_DEFAULTS, RunOptions
from fcn_edge.backends.tensorrt.diagnostics import out_of_memory
from fcn_edge.backends.tensorrt.runtime.contexts import Contexts
from fcn_edge.errors import DeviceError, EngineError, MachineError, ModelError

__all__ = ["opened"]

_REBUILD = "Build it again on this machine with fcn-edge build."
_FREE_MEMORY = "Close other programs that use the GPU, or build for a smaller --size."

_DTYPES: dict[str, type[np.generic]] = {"FLOAT": np.float32, "HALF": np.float16, "UINT8": np.uint8}
"""NumPy types by the names of TensorRT's; others are no engine of fcn_edge."""

_NO_MEMORY = "INSUFFICIENT_GPU_MEMORY"
_REASONS = {
    "VERSION_MISMATCH": "it was built with another version of the library",
    "UNSUPPORTED_CC": "it was not built for this GPU",
    "OLD_CUDA_DRIVER": "the driver is too old for it",
    "OLD_CUDA_RUNTIME": "the CUDA runtime is too old for it",
    _NO_MEMORY: "the GPU has too little memory for it",
    "MALFORMED_ENGINE": "it is damaged",
}
"""Why TensorRT-RTX says that a plan is not valid, by the names of its bits."""


def opened(
    plan: Path,
    library: ModuleType,
    spec: ModelSpec,
    size: Size,
    device: Device,
    options: RunOptions = RUN_DEFAULTS,
    *,
    backend: str,
    logger: Any,
    diagnostic: Callable[[], str] = lambda: "",
) -> Engine:
    """The engine of a plan.

    Args:
        plan: File of a serialized engine, not empty and verified before: a plan is code.
        library: ``tensorrt`` or ``tensorrt_rtx``.
        spec: What the model is.
        size: ``(height, width)`` that it was built for.
        device: Runs it; the engine owns and closes it, also when this fails.
        options: How it runs.
        backend: Name of the backend that opens it.
        logger: The process's logger of the library, kept alive by the caller for ever.
        diagnostic: What the library logged last, in one sentence without its full stop; empty when nothing.

    Raises:
        EngineError: TensorRT-RTX says that the plan is not for this machine.
        ModelError: TensorRT refuses the plan, or it does not fit the spec.
        MachineError: The GPU has too little memory, or its driver fails.
    """
    with ExitStack() as undo:
        undo.callback(device.close)
        with device.current():
            runtime = library.Runtime(logger)
            # read, not mapped: a mapped plan that somebody cuts off meanwhile would end the process
            content = content_of(plan)
            _check_validity(plan, library, runtime, content)
            engine = runtime.deserialize_cuda_engine(content)
            del content
            if engine is None:
                raise _refused(plan, diagnostic())
            tensors = _Tensors(plan, library, engine, spec, size)
            contexts = Contexts(library, engine, plan, device.facts.device.capability, graphs=options.graphs)
        undo.pop_all()
    return _Engine(backend, spec, size, device, options, runtime, contexts, tensors, diagnostic)


def _refused(plan: Path, said: str) -> ModelError | MachineError:
    if out_of_memory(said):
        return MachineError(f"There is too little memory for {plan}: {said}.", _FREE_MEMORY)
    return ModelError(f"TensorRT refuses {plan}: {said or 'it does not say why'}.", _REBUILD)


def _check_validity(plan: Path, library: Any, runtime: Any, content: bytes) -> None:
    """Ask TensorRT-RTX, which tells before it reads the plan; TensorRT has no such question."""
    if not hasattr(runtime, "get_engine_validity"):
        return
    validity, bits = runtime.get_engine_validity(content)
    if validity == library.EngineValidity.INVALID:
        known = library.EngineInvalidityDiagnostics
        names = [name for name in _REASONS if int(bits) & int(getattr(known, name))]
        message = (
            f"{plan} cannot run here: {' and '.join(_REASONS[name] for name in names) or 'TensorRT-RTX refuses it'}."
        )
        raise MachineError(message, _FREE_MEMORY) if names == [_NO_MEMORY] else EngineError(message, _REBUILD)


class _Tensors:
    """The input and the output of an engine, checked against the spec.

    Attributes:
        input: Name of ``(*size, 3)`` uint8.
        output: Name of the scores or the labels.
        shape: Shape of the output without a batch axis.
        dtype: Dtype of the output.
    """

    def __init__(self, plan: Path, library: Any, engine: Any, spec: ModelSpec, size: Size) -> None:
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        inputs = [name for name in names if engine.get_tensor_mode(name) == library.TensorIOMode.INPUT]
        outputs = [name for name in names if name not in inputs]
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(f"{plan} has the tensors {', '.join(names)}; one input and one output were expected.")
        self.input, self.output = inputs[0], outputs[0]
        self.shape: tuple[int, ...] = size
        kinds: tuple[type[np.generic], ...] = (np.uint8,)
        if spec.head == "scores":
            self.shape = (len(spec.classes), *spec.grid_size(size))
            kinds = (np.float32, np.float16)
        for name, shape, allowed in ((self.input, (*size, 3), (np.uint8,)), (self.output, self.shape, kinds)):
            found, dtype = tuple(engine.get_tensor_shape(name)), _dtype_of(library, engine.get_tensor_dtype(name))
            if found not in (shape, (1, *shape)) or dtype not in allowed:
                wanted = " or ".join(kind.__name__ for kind in allowed)
                raise ModelError(
                    f"{plan} has {name} as {found} {engine.get_tensor_dtype(name)}; its spec ({spec.arch}, "
                    f"{len(spec.classes)} classes) says {shape} {wanted}.",
                    _REBUILD,
                )
        self.dtype = np.dtype(_dtype_of(library, engine.get_tensor_dtype(self.output)))


def _dtype_of(library: Any, kind: Any) -> type[np.generic] | None:
    return next((dtype for name, dtype in _DTYPES.items() if kind == getattr(library.DataType, name)), None)


class _Engine(CudaEngine):
    def __init__(
        self,
        backend: str,
        spec: ModelSpec,
        size: Size,
        device: Device,
        options: RunOptions,
        runtime: Any,
        contexts: Contexts,
        tensors: _Tensors,
        diagnostic: Callable[[], str],
    ) -> None:
        super().__init__(backend, spec, size, device, options)
        self._runtime = runtime
        self._contexts: Contexts | None = contexts
        self._tensors = tensors
        self._diagnostic = diagnostic

    @override
    def make_network(self, stream: Stream) -> Network:
        assert self._contexts is not None
        context = self._contexts.make()
        if context is None:
            raise MachineError(
                f"TensorRT cannot make a session: {self._diagnostic() or 'the GPU has too little memory for it'}.",
                _FREE_MEMORY,
            )
        return _Network(self._device, context, self._tensors, self.size, self._diagnostic)

    @override
    def session(self) -> CudaSession:
        session = super().session()
        if self._contexts is not None:
            self._contexts.keep()  # the session has run once
        return session

    @override
    def release(self) -> None:
        # the runtime must live as long as its engines
        self._contexts = None
        self._runtime = None


class _Network:
    """One execution context with its input and output in device memory of its own."""

    def __init__(
        self, device: Device, context: Any, tensors: _Tensors, size: Size, diagnostic: Callable[[], str]
    ) -> None:
        self.output_shape = tensors.shape
        self.output_dtype = tensors.dtype
        self._context = context
        self._diagnostic = diagnostic
        with ExitStack() as made:
            self.input_pointer = made.enter_context(device.device_buffer(size[0] * size[1] * 3)).pointer
            nbytes = int(np.prod(tensors.shape)) * tensors.dtype.itemsize
            self.output_pointer = made.enter_context(device.device_buffer(nbytes)).pointer
            for name, pointer in ((tensors.input, self.input_pointer), (tensors.output, self.output_pointer)):
                if not context.set_tensor_address(name, pointer):
                    raise self._failed("does not take the memory of a tensor")
            self._made = made.pop_all()

    def enqueue(self, stream: int) -> None:
        if not self._context.execute_async_v3(stream):
            raise self._failed("failed to run the network")

    def capturable(self, stream: int) -> bool:
        # only TensorRT-RTX, which compiles while it runs, has to be asked
        ask = getattr(self._context, "is_stream_capturable", None)
        return ask is None or bool(ask(stream))

    def close(self) -> None:
        self._context = None
        self._made.close()

    def _failed(self, what: str) -> DeviceError:
        said = self._diagnostic()
        return DeviceError(
            f"TensorRT {what}{': ' + said if said else ''}.",
            "Start the program again; fcn-edge doctor checks the GPU.",
        )
