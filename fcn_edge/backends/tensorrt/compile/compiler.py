"""From a request to a plan: one step after another, until one gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fcn_edge.artifacts.onnx_precisions import float32_islands
from fcn_edge.backends.base import Built, Progress
from fcn_edge.backends.tensorrt.compile.convolutions import (
    Convolution,
    convolutions_of,
    in_plan,
    int8_share,
    unknown_convolutions,
)
from fcn_edge.backends.tensorrt.compile.islands import keep_float32
from fcn_edge.backends.tensorrt.compile.memory import free_memory, limit_memory
from fcn_edge.backends.tensorrt.compile.network import network_of_onnx
from fcn_edge.backends.tensorrt.compile.progress import monitor_of
from fcn_edge.backends.tensorrt.compile.report import REPORT_FILE, figures_of, layers_of_plan, write_report
from fcn_edge.backends.tensorrt.compile.request import Request
from fcn_edge.backends.tensorrt.compile.timing_cache import keep_timings, timing_file, use_timings
from fcn_edge.backends.tensorrt.diagnostics import first_diagnostic, may_lack_memory, unbuildable
from fcn_edge.backends.tensorrt.library import compute_capabilities, full_name, typed_flags, weak_flags
from fcn_edge.backends.tensorrt.log import Log, Message, log_of
from fcn_edge.errors import DeviceError, GuardError, MachineError, ModelError

__all__ = ["build_plan"]


@dataclass(frozen=True)
class _Step:
    """A way to build.

    Attributes:
        name: For people.
        network_flags: Creation flags of the network.
        precisions: Names of the builder's flags that a weakly typed network needs.
    """

    name: str
    network_flags: int
    precisions: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Plan:
    content: Any
    convolutions: tuple[Convolution, ...]
    messages: list[Message]
    limited: bool = True


def build_plan(trt: Any, request: Request, progress: Progress) -> Built:
    """Build a plan and its report into the directory of a request.

    A graph with Q/DQ pairs that does not build strongly typed, or not in INT8, is tried once more weakly typed, with
    the builder allowed to use FP16 and INT8, where the library knows that: before TensorRT 10.12 strong typing lacks
    some layers.

    Args:
        trt: The library.
        request: What to build.
        progress: Told how it goes.

    Raises:
        ModelError: TensorRT cannot read or build the graph.
        GuardError: The graph is quantized, and the plan is known to do none of its convolutions in INT8.
        MachineError: Memory ran out, or the GPU is not here or not known.
    """
    log = log_of(trt)
    log.take()
    told: list[str] = []
    errors: list[ModelError | GuardError] = []
    for step in _steps(trt, request):
        outcome = _tried(trt, log, request, step, progress)
        if isinstance(outcome, Built):
            return replace(outcome, notes={"steps": [*told, f"{step.name}: built"], **outcome.notes})
        told.append(f"{step.name}: {outcome.message}")
        errors.append(outcome)
    last = errors[-1]
    raise type(last)(" ".join(told), last.fix) if len(told) > 1 else last


def _tried(trt: Any, log: Log, request: Request, step: _Step, progress: Progress) -> Built | ModelError | GuardError:
    try:
        return _finished(trt, log, request, _built(trt, log, request, step, progress))
    except (ModelError, GuardError) as error:
        return error


def _steps(trt: Any, request: Request) -> tuple[_Step, ...]:
    strong, weak = _Step("strongly typed", typed_flags(trt)), weak_flags(trt)
    if not request.quantized or weak is None:
        return (strong,)
    return (strong, _Step("weakly typed with FP16 and INT8", weak, ("FP16", "INT8")))


def _built(trt: Any, log: Log, request: Request, step: _Step, progress: Progress) -> _Plan:
    try:
        builder = trt.Builder(log.logger)
    except TypeError as error:  # what pybind11 makes of the null pointer that a library without a GPU gives
        raise MachineError(
            f"{full_name(trt)} cannot begin a build: {first_diagnostic(log.take())}.",
            "fcn-edge doctor checks the GPU and its driver.",
        ) from error
    progress("reading the graph", 0, 1)
    network = network_of_onnx(trt, builder, log, request.onnx, request.size, step.network_flags)
    convolutions = convolutions_of(trt, network.definition)
    islands = float32_islands(request.onnx) if step.precisions else frozenset()
    free = free_memory() if request.here else None
    for limited in (True, False):
        config = _config(trt, builder, request, step, progress)
        if islands:
            keep_float32(trt, network.definition, config, islands)
        limits = free is not None and limit_memory(trt, config, free.nbytes, kernels=limited)
        # a library that builds for devices that are not here measures no kernels
        timings = None if compute_capabilities(trt) else timing_file(trt.__version__, request.device)
        if timings is not None:
            use_timings(config, timings)
        content = builder.build_serialized_network(network.definition, config)
        messages = log.take()
        if content is not None:
            if timings is not None:
                keep_timings(config, timings)
            return _Plan(content, convolutions, messages, limited)
        # where the GPU shares the processor's memory, the build's own weights count against what kernels may take
        if not (limits and free is not None and free.shared and may_lack_memory(messages)):
            break
        progress("building again without a limit for kernels", 0, 1)
    raise unbuildable(trt, request.onnx, messages)


def _config(trt: Any, builder: Any, request: Request, step: _Step, progress: Progress) -> Any:
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    config.progress_monitor = monitor_of(trt, progress)
    if hasattr(trt.BuilderFlag, "TF32"):
        config.clear_flag(trt.BuilderFlag.TF32)  # on by default, and keeps 10 bits of float32's 23
    for flag in step.precisions:
        config.set_flag(getattr(trt.BuilderFlag, flag))
    if compute_capabilities(trt):
        _choose_devices(trt, config, request)
    return config


def _choose_devices(trt: Any, config: Any, request: Request) -> None:
    kinds = trt.ComputeCapability
    if request.here:
        chosen = [kinds.CURRENT]
    else:
        chosen = [getattr(kinds, f"SM{one.replace('.', '')}") for one in request.device.capability.split("/")]
    config.num_compute_capabilities = len(chosen)
    for number, kind in enumerate(chosen):
        if not config.set_compute_capability(kind, number):
            raise DeviceError(
                f"{full_name(trt)} does not build for {request.device.name} ({request.device.capability}).",
                "Build for it with --backend tensorrt.",
            )


def _finished(trt: Any, log: Log, request: Request, plan: _Plan) -> Built:
    layers = layers_of_plan(trt, log, plan.content, plan.messages)
    convolutions = in_plan(plan.convolutions, layers or ())
    if layers is not None:
        _require_int8(trt, request, convolutions)
    (request.directory / request.plan).write_bytes(plan.content)
    figures = figures_of(layers, convolutions, plan.messages)
    if not plan.limited:
        figures["memory_for_kernels"] = "not limited: with a limit none was found"
    write_report(request.directory / REPORT_FILE, full_name(trt), convolutions, layers or (), figures)
    files = (request.plan, REPORT_FILE)
    if not request.quantized:
        return Built(files, figures)
    if layers is None:
        return Built(files, {**figures, "int8_share_of": "the graph: the library does not tell what it made of it"})
    return Built(files, figures, int8_share(convolutions), unknown_convolutions(convolutions))


def _require_int8(trt: Any, request: Request, convolutions: Sequence[Convolution]) -> None:
    """Check that a plan is known to do some of its quantized convolutions in INT8.

    Raises:
        GuardError: It does none, or none that its layers name.
    """
    asked = [one for one in convolutions if one.quantized]
    if not asked or any(one.int8 for one in asked):
        return
    named = sum(one.int8 is not None for one in asked)
    raise GuardError(
        f"{request.onnx} is an int8 graph, and {full_name(trt)} made a plan of it that does none of its {len(asked)} "
        f"quantized convolutions in INT8{'' if named == len(asked) else f' (its layers name {named} of them)'}.",
        "Build it with --precision fp16, which is what such a plan costs at best.",
    )
