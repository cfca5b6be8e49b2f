"""What a build considers: each backend and precision, and what the engine of each would be bound to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fcn_edge.artifacts.calibration_table import CalibrationTable
from fcn_edge.artifacts.device import DeviceInfo, ManifestValue
from fcn_edge.artifacts.models import Model, resolved_model
from fcn_edge.artifacts.spec import checked_size
from fcn_edge.backends import registry
from fcn_edge.backends.base import Backend
from fcn_edge.backends.options import BuildOptions
from fcn_edge.builder.identity import EngineIdentity
from fcn_edge.builder.options import BuildRequest
from fcn_edge.errors import GuardError, MachineError, ModelError, UsageError

__all__ = ["ENGINES", "Candidate", "buildable_model", "candidates_of", "default_path"]

ENGINES = Path("engines")
"""Where engines go when no path is given, below the current directory."""


@dataclass(frozen=True)
class Candidate:
    """One way to run a model that a build considers.

    Attributes:
        backend: What compiles and runs it.
        identity: What its engine is bound to.
        runs: It can run on this machine, and not only be built.
        gpu: Index of the GPU that it is built on and runs on; 0 for CPU backends.
        threads: Threads that a CPU backend runs it with; the physical cores when None.
    """

    backend: Backend
    identity: EngineIdentity
    runs: bool
    gpu: int = 0
    threads: int | None = None

    @property
    def precision(self) -> str:
        """Precision of the candidate's engine."""
        return self.identity.precision

    @property
    def name(self) -> str:
        """Backend, precision, and what it takes at once if more than one frame, in one word."""
        batch = self.identity.batch
        return f"{self.backend.name}.{self.precision}" + (f".b{batch}" if batch > 1 else "")

    def in_fp16(self) -> Candidate:
        """The same in FP16."""
        spec = self.identity.spec.replace(precision="fp16", profile=None)
        return replace(self, identity=replace(self.identity, spec=spec, precision="fp16"))


def buildable_model(model: str | Path | Model, request: BuildRequest) -> Model:
    """The model to build, when it is one and the precision that was asked for can be made of it.

    Raises:
        UsageError: It is an engine, a typed graph of another precision, or one of several images at once.
        ModelError: It is missing or damaged.
        GuardError: It would be INT8 in name only, because the backend that was named has no INT8 convolutions.
    """
    found = resolved_model(model)
    if found.engine_manifest is not None:
        raise UsageError(
            f"{found.path} is an engine already; engines are built from shipped models and .onnx files.",
            f"It was built from {found.engine_manifest.model}.",
        )
    if found.graph.batch > 1:
        raise UsageError(
            f"{found.path} takes {found.graph.batch} images at once already; engines are built from graphs of one.",
            "Give the ONNX file that it was made from, and --batch.",
        )
    typed = found.spec.precision
    if typed != "fp32" and request.precision not in (typed, "auto"):
        raise UsageError(
            f"{found.shipped or found.path} is an {typed} graph; the precision {request.precision} was asked for.",
            "Give the fp32 ONNX file of fcn-edge export.",
        )
    if request.backend != "auto":
        _with_int8(found, request, (registry.backend(request.backend),))
    return found


def candidates_of(model: Model, request: BuildRequest, table: CalibrationTable | None) -> tuple[Candidate, ...]:
    """The ways to run a model that a build has to consider, the preferred backend first.

    Args:
        model: What to build.
        request: How.
        table: Its calibration table; None where there is none, and INT8 is then no candidate of ``auto``.

    Raises:
        UsageError: The fastest precision is to be found of a backend that cannot run here, a GPU was chosen for
            backends that use none, or a batch for those that take one frame at a time.
        MachineError: A backend that was named cannot build here, or none can.
        ModelError: The model is an INT8 graph that was made for other backends.
        GuardError: INT8 was asked for, and no backend here has INT8 convolutions.
    """
    if request.backend == "auto":
        chosen = _for_batch(request, registry.available_backends(request.device))
    else:
        _for_batch(request, (registry.backend(request.backend),))
        chosen = (_present(request),)
    chosen = _with_int8(model, request, chosen)
    if model.spec.precision == "int8":
        chosen = _made_for(model, chosen, request.device)
    gpus = {made.name: _gpu_of(made, request) for made in chosen}
    if not any(gpus.values()):
        BuildOptions(request.device).check_for_cpu(chosen[0].name)
    probes = {made.name: made.probe(gpus[made.name]) for made in chosen}
    if request.precision == "auto" and model.spec.precision == "fp32":
        for name, probe in probes.items():
            if not probe.available:
                raise UsageError(
                    f"The precision auto has to time its candidates, and this machine cannot run {name}."
                    + _elsewhere(request),
                    "Name a precision: --precision fp32, fp16 or int8.",
                )
    size = checked_size(request.size or model.spec.size, model.spec.geometry.size_multiple)
    options: dict[str, ManifestValue] = {
        "backend": request.backend,
        "precision": request.precision,
        "considered": [f"{name} {probe.version}" for name, probe in probes.items()],
        **request.options(),
    }
    candidates = []
    for made in chosen:
        probe = probes[made.name]
        device = probe.buildable[0]
        for precision in _precisions(model, request, None if made.no_int8 else table, device):
            bound = dict(options)
            if precision != "fp32" and table is not None:  # FP16 takes from it what it cannot hold
                bound["calibration"] = table.digest
            spec = model.spec
            if precision != spec.precision:
                profile = _profile_name(made.name, device) if precision == "int8" else None
                spec = spec.replace(precision=precision, profile=profile)
            identity = EngineIdentity(
                model.digest, spec, size, precision, made.name, probe.version, device, bound, request.batch
            )
            candidates.append(Candidate(made, identity, probe.available, gpus[made.name], request.threads))
    return tuple(candidates)


def default_path(model: Model, candidate: Candidate) -> Path:
    """Where an engine goes when no path is given: ``engines/<model>.<backend>.<precision>``, or that with ``.bN``."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", model.shipped or model.spec.name).strip("._") or "model"
    return ENGINES / f"{name}.{candidate.name}"


def _with_int8(model: Model, request: BuildRequest, backends: tuple[Backend, ...]) -> tuple[Backend, ...]:
    """Those of the backends that have INT8 convolutions, where the engine is to be INT8; else all.

    Raises:
        GuardError: There is none.
    """
    typed = model.spec.precision == "int8"
    if not typed and request.precision != "int8":
        return backends
    fitting = tuple(made for made in backends if not made.no_int8)
    if not fitting:
        name, reason = backends[0].name, backends[0].no_int8
        if typed:
            raise GuardError(
                f"{model.path} is an int8 graph, and {reason}.",
                "Build it with --backend tensorrt, or the fp32 model that it was made from with --precision fp16.",
            )
        raise GuardError(
            f"{name} can build this model as fp16 or fp32 only, and int8 was asked for: {reason}.",
            "Build it with --precision fp16, or with --precision auto, which may keep that.",
        )
    return fitting


def _made_for(model: Model, backends: Sequence[Backend], device: int) -> tuple[Backend, ...]:
    """Those of the backends that an INT8 graph gives right results in.

    Raises:
        ModelError: There is none.
    """
    profile = model.spec.profile
    wanted = {made.name: _profile_name(made.name, made.probe(device).buildable[0]) for made in backends}
    # a graph that avoids saturation is right everywhere
    fitting = tuple(made for made in backends if profile in (wanted[made.name], f"{wanted[made.name]}-7bit"))
    if not fitting:
        here = ", ".join(f"{name} wants {text}" for name, text in wanted.items())
        raise ModelError(
            f"{model.path} is an int8 graph with the quantization profile {profile}; here {here}.",
            "Build it from the fp32 model, or name the backend that it was made for.",
        )
    return fitting


def _precisions(
    model: Model, request: BuildRequest, table: CalibrationTable | None, device: DeviceInfo
) -> Sequence[str]:
    if model.spec.precision != "fp32":
        return (model.spec.precision,)
    if request.precision != "auto":
        return (request.precision,)
    # a processor gains nothing from FP16: it computes in float32 behind casts
    floats = ("fp32",) if device.kind == "cpu" else ("fp32", "fp16")
    return floats if table is None else (*floats, "int8")


def _profile_name(backend: str, device: DeviceInfo) -> str:
    from fcn_edge.quantization.profiles import profile_for

    return profile_for(backend, device.capability).name


def _gpu_of(made: Backend, request: BuildRequest) -> int:
    return request.device if registry.BACKENDS[made.name].device == "cuda" else 0


def _for_batch(request: BuildRequest, backends: Sequence[Backend]) -> tuple[Backend, ...]:
    """Those of the backends that take as many frames at once as asked for.

    Raises:
        UsageError: There is none.
    """
    fitting = tuple(made for made in backends if request.batch == 1 or made.batches)
    if not fitting:
        BuildOptions(request.device, request.batch).check_single(backends[0].name)
    return fitting


def _present(request: BuildRequest) -> Backend:
    made = registry.backend(request.backend)
    probe = made.probe(request.device)
    if not (probe.devices if request.device else probe.buildable):  # a GPU that was chosen has to be there
        raise MachineError(probe.problem + _elsewhere(request), probe.fix)
    return made


def _elsewhere(request: BuildRequest) -> str:
    """What to do with a recipe on a machine that it is not for, as a sentence behind another one."""
    if not request.recipe:
        return ""
    return (
        f" The recipe {request.recipe} is for machines that have it: elsewhere build without the recipe, or with "
        "another one (fcn-edge build --recipe '?' lists them)."
    )
