"""An engine directory made ready to run: everything is checked before its plan is read."""

from __future__ import annotations

import logging
from pathlib import Path

from fcn_edge.artifacts.engine_manifest import EngineManifest, read_manifest, rebuild_fix, verify_engine
from fcn_edge.backends import registry
from fcn_edge.backends.base import Backend, Engine
from fcn_edge.backends.options import RUN_DEFAULTS, RunOptions
from fcn_edge.errors import DeviceError, EngineError, MachineError
from fcn_edge.text import quoted

__all__ = ["open_engine"]

_log = logging.getLogger(__name__)


def open_engine(directory: Path, options: RunOptions = RUN_DEFAULTS, manifest: EngineManifest | None = None) -> Engine:
    """A built engine, ready to run; everything is checked before its plan is read.

    Args:
        directory: The engine.
        options: How it runs.
        manifest: Its manifest, where that has been read already; the files are checked against it.

    Raises:
        UsageError: The options are not for its backend.
        EngineError: It is damaged, was built with another version of the library or for another device.
        MachineError: The library, or the kind of device, is not here.
        ModelError: The library refuses the plan.
    """
    manifest = manifest or read_manifest(directory)
    verify_engine(directory, manifest)
    chosen = _fitting_backend(directory, manifest, options.device)
    engine = chosen.open(directory, manifest.spec, manifest.size, options)
    if engine.batch != manifest.batch:
        engine.close()
        raise EngineError(
            f"The plan of {directory} is for batches of {engine.batch}; its manifest says {manifest.batch}.",
            rebuild_fix(manifest, directory, device=options.device),
        )
    return engine


def _fitting_backend(directory: Path, manifest: EngineManifest, device: int) -> Backend:
    """The backend of an engine, when it is the one that it was built with and its device is here."""
    name = manifest.backend
    if name not in registry.BACKENDS:
        raise EngineError(
            f"{directory} is for the backend {name!r}, which this version of fcn_edge does not have.",
            f"It has: {', '.join(registry.BACKENDS)}.",
        )
    chosen = registry.backend(name)
    probe = chosen.probe(device)
    if not probe.version:
        raise MachineError(probe.problem, probe.fix)
    if manifest.library != probe.version:
        library = f"{registry.BACKENDS[name].library} {manifest.library}"
        raise EngineError(
            f"{directory} was built with {library}, and {probe.version} is installed.",
            rebuild_fix(manifest, directory, device=device),
        )
    if not probe.available:
        # a library that can build here and not run says why itself
        raise DeviceError(f"{directory} cannot run here: {_begun(probe.problem)}", probe.fix)
    kind = manifest.device.kind
    if all(here.kind != kind for here in probe.devices):
        raise DeviceError(
            f"{directory} was built for a {kind} device ({manifest.device.title}), and {name} finds none here.",
            "Run it where it was built, or build for this machine: "
            f"fcn-edge build {quoted(manifest.model)} -o {quoted(directory)}",
        )
    incompatibility = chosen.incompatibility(manifest.device, manifest.precision, device)
    if incompatibility:
        raise EngineError(
            f"{directory} was built for {manifest.device.title}: {incompatibility}.",
            rebuild_fix(manifest, directory, device=device),
        )
    slower = chosen.slower_here(manifest.device, device)
    if slower:
        fix = rebuild_fix(manifest, directory, device=device)
        _log.warning("%s may be slower than it could be: %s. For best speed: %s", directory, slower, _begun(fix))
    return chosen


def _begun(sentence: str) -> str:
    """A sentence as the second half of one: its first letter small, unless it begins with a name."""
    first, _, _ = sentence.partition(" ")
    return sentence if not first[1:].islower() else sentence[:1].lower() + sentence[1:]
