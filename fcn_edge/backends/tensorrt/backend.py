"""TensorRT and TensorRT-RTX behind the seam of the backends."""

from __future__ import annotations

from pathlib import Path

from typing_extensions import override

from fcn_edge.artifacts.device import DeviceInfo
from fcn_edge.artifacts.onnx_graph import check_size, checked_graph
from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.backends.base import Backend, Built, Engine, Probe, Progress
from fcn_edge.backends.cuda.device import open_device
from fcn_edge.backends.options import BUILD_DEFAULTS, RUN_DEFAULTS, BuildOptions, RunOptions
from fcn_edge.backends.tensorrt.compile.process import build_in_process
from fcn_edge.backends.tensorrt.compile.report import REPORT_FILE
from fcn_edge.backends.tensorrt.compile.request import Request
from fcn_edge.backends.tensorrt.diagnostics import last_diagnostic
from fcn_edge.backends.tensorrt.library import TITLES, compute_capabilities, full_name, library
from fcn_edge.backends.tensorrt.log import log_of
from fcn_edge.errors import MachineError, UsageError
from fcn_edge.text import quoted

__all__ = ["TensorRT", "TensorRTRTX"]

_PORTABLE = "NVIDIA RTX GPU"


class TensorRT(Backend):
    """TensorRT: builds and runs on the GPU that is here."""

    name = "tensorrt"
    plan_file = "model.plan"
    extra_files = (REPORT_FILE,)

    @override
    def probe(self, device: int = 0) -> Probe:
        try:
            trt = library(self.name)
        except MachineError as error:
            return Probe("", problem=error.message, fix=error.fix)
        version, known = str(trt.__version__), compute_capabilities(trt)
        targets = (DeviceInfo("cuda", _PORTABLE, "/".join(known)),) if known else ()
        try:
            with open_device(device) as gpu:
                here = gpu.facts.device
        except MachineError as error:
            return Probe(version, targets=targets, problem=error.message, fix=error.fix)
        if known and here.capability not in known:
            problem = f"{full_name(trt)} has no kernels for {here.title} ({here.capability})."
            return Probe(version, targets=targets, problem=problem, fix=f"It has some for {', '.join(known)}.")
        return Probe(version, (here,))

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
        probe = self.probe(options.device)
        if not probe.buildable:
            raise MachineError(probe.problem, probe.fix)
        graph = checked_graph(typed_onnx)
        check_size(typed_onnx, graph, size)
        request = Request(
            backend=self.name,
            onnx=typed_onnx,
            quantized=bool({"QuantizeLinear", "DequantizeLinear"} & graph.operators.keys()),
            directory=directory,
            plan=self.plan_file,
            size=size,
            device=probe.buildable[0],
            here=bool(probe.devices),
            gpu=options.device,
        )
        return build_in_process(request, progress)

    @override
    def open(self, directory: Path, spec: ModelSpec, size: Size, options: RunOptions = RUN_DEFAULTS) -> Engine:
        from fcn_edge.backends.tensorrt.runtime.engine import opened  # a build needs none of it

        trt = library(self.name)
        log = log_of(trt)
        return opened(
            directory / self.plan_file,
            trt,
            spec,
            size,
            open_device(options.device),
            options,
            backend=self.name,
            logger=log.logger,
            diagnostic=lambda: last_diagnostic(log.take()),
        )

    @override
    def open_onnx(self, path: Path, spec: ModelSpec, size: Size, options: RunOptions = RUN_DEFAULTS) -> Engine:
        raise UsageError(
            f"{TITLES[self.name]} runs built engines only, and {path} is a model.",
            f"Build one with: fcn-edge build {quoted(path)} --backend {self.name}",
        )

    @override
    def incompatibility(self, built_for: DeviceInfo, precision: str, device: int = 0) -> str:
        here = self.probe(device).devices
        if not here or built_for.is_same(here[0]):
            return ""
        kinds = built_for.capability.split("/")
        if here[0].capability not in kinds:
            return f"its kernels are for compute capability {', '.join(kinds)}, and {here[0].title} has " + (
                here[0].capability
            )
        return self._incompatibility_of_board(built_for, here[0])

    @override
    def slower_here(self, built_for: DeviceInfo, device: int = 0) -> str:
        here = self.probe(device).devices
        if not here or not built_for.differs_in_state(here[0]):
            return ""
        return f"its kernels were chosen by their speed with {built_for.state}, and this GPU has {here[0].state}"

    def _incompatibility_of_board(self, built_for: DeviceInfo, here: DeviceInfo) -> str:
        """Why a plan must not run on another board with the same compute capability."""
        return f"its kernels were chosen by their speed on {built_for.title}, and this is {here.title}"


class TensorRTRTX(TensorRT):
    """TensorRT-RTX: builds on any machine, and compiles the plan's kernels where it runs."""

    name = "tensorrt-rtx"

    @override
    def slower_here(self, built_for: DeviceInfo, device: int = 0) -> str:
        return ""

    @override
    def _incompatibility_of_board(self, built_for: DeviceInfo, here: DeviceInfo) -> str:
        return ""
