"""Whether an engine that is there is the one that a build would make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fcn_edge.artifacts.device import DeviceInfo, ManifestValue
from fcn_edge.artifacts.engine_manifest import EngineManifest, verify_engine
from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.builder.target import Target
from fcn_edge.errors import EngineError
from fcn_edge.version import __version__

__all__ = ["EngineIdentity", "identity_of", "why_stale"]


@dataclass(frozen=True)
class EngineIdentity:
    """What an engine is bound to; two builds of one identity are interchangeable.

    Attributes:
        model_digest: Digest of the graph and the weights.
        spec: What the model says of itself.
        size: ``(height, width)`` of the network's input.
        precision: Precision of the engine.
        backend: Name of the backend.
        library: Version of its library.
        device: What it is built for.
        options: What it is built with.
        batch: Frames that it takes at once.
    """

    model_digest: str
    spec: ModelSpec
    size: Size
    precision: str
    backend: str
    library: str
    device: DeviceInfo
    options: dict[str, ManifestValue]
    batch: int = 1


def identity_of(manifest: EngineManifest) -> EngineIdentity:
    """What an existing engine is bound to."""
    return EngineIdentity(
        model_digest=manifest.model_digest,
        spec=manifest.spec,
        size=manifest.size,
        precision=manifest.precision,
        backend=manifest.backend,
        library=manifest.library,
        device=manifest.device,
        options=manifest.options,
        batch=manifest.batch,
    )


def why_stale(target: Target, wanted: EngineIdentity) -> str:
    """Why an engine would have to be built, as a phrase; empty when the one that is there will do.

    Args:
        target: Where the engine lies, or would.
        wanted: What it is to be bound to.
    """
    manifest, problem = target.manifest, target.problem
    if manifest is not None:
        try:
            verify_engine(target.path, manifest)
        except EngineError as error:
            problem = error
    if problem is not None:
        return f"the one there is damaged: {problem.message.rstrip('.')}"
    if manifest is None:
        return "there was none"
    there = identity_of(manifest)
    if there.model_digest != wanted.model_digest:
        return "the model's graph or weights changed"
    for what, old, new in (
        ("backend", there.backend, wanted.backend),
        ("precision", there.precision, wanted.precision),
    ):
        if old != new:
            return f"the {what} changed from {old} to {new}"
    if there.spec != wanted.spec:
        return "the model's spec changed"
    for what, old, new in (
        ("size", _size_text(there.size), _size_text(wanted.size)),
        ("batch", str(there.batch), str(wanted.batch)),
        *_options(there.options, wanted.options),
        ("library", there.library, wanted.library),
    ):
        if old != new:
            return f"the {what} changed from {old} to {new}"
    # a board in another power mode is the same: a service would build again whenever the mode is changed
    if not there.device.is_same(wanted.device):
        return f"the device changed from {_device_text(there.device)} to {_device_text(wanted.device)}"
    made_by = manifest.tools.get("fcn_edge", "of an unknown version")
    # another version may quantize the same model otherwise
    return "" if made_by == __version__ else f"it was built by fcn_edge {made_by}"


def _options(there: dict[str, ManifestValue], wanted: dict[str, ManifestValue]) -> Iterator[tuple[str, str, str]]:
    for name in {**there, **wanted}:
        yield f"option {name}", _option_text(there.get(name)), _option_text(wanted.get(name))


def _option_text(value: ManifestValue) -> str:
    return ", ".join(value) if isinstance(value, list) else "nothing" if value is None else str(value)


def _device_text(device: DeviceInfo) -> str:
    return f"{device.title} ({device.capability})"


def _size_text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
