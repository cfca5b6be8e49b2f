"""What is in a model, a checkpoint or an engine, read from headers alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fcn_edge.artifacts.checkpoint import checkpoint_header
from fcn_edge.artifacts.engine_manifest import EngineManifest, verify_engine
from fcn_edge.artifacts.models import Manifest, manifest_of, resolved_model
from fcn_edge.artifacts.onnx_graph import graph_of_onnx
from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.io.files import sha256_of

__all__ = ["Inspection", "inspection_of"]

CHECKPOINT_SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Inspection:
    """What is in an artifact.

    Attributes:
        path: The file that a backend, or torch, opens.
        kind: What it is.
        spec: What the model says of itself.
        size: ``(height, width)`` that it runs at: the one of an engine, the default of others.
        digest: Digest of graph and weights; of a checkpoint, the file's SHA-256.
        parameters: Number of weights; None where the file is the backend's own.
        file_bytes: Length of the file.
        details: What only this kind has, by name.
        manifest: Manifest of an engine or a shipped model.
    """

    path: Path
    kind: Literal["onnx", "engine", "checkpoint"]
    spec: ModelSpec
    size: Size
    digest: str
    parameters: int | None
    file_bytes: int
    details: dict[str, Any]
    manifest: Manifest | EngineManifest | None = None

    def to_json(self) -> dict[str, Any]:
        """The inspection as plain values; ``manifest`` only where there is one."""
        content: dict[str, Any] = {
            "path": str(self.path),
            "kind": self.kind,
            "spec": self.spec.model_dump(mode="json"),
            "size": list(self.size),
            "digest": self.digest,
            "parameters": self.parameters,
            "bytes": self.file_bytes,
            **self.details,
        }
        if self.manifest is not None:
            content["manifest"] = self.manifest.model_dump(mode="json")
        return content


def inspection_of(text: str) -> Inspection:
    """What is in the artifact that a text names.

    Args:
        text: A shipped name, or the path of an ``.onnx`` file, an engine directory or a ``.safetensors`` checkpoint.

    Raises:
        ArtifactError: It is missing or damaged.
    """
    if Path(text).suffix == CHECKPOINT_SUFFIX:
        return _of_checkpoint(Path(text))
    model = resolved_model(text)
    if model.engine_manifest is not None:
        return _of_engine(model.path, model.engine_manifest)
    graph = model.graph
    return Inspection(
        path=model.path,
        kind="onnx",
        spec=model.spec,
        size=model.spec.size,
        digest=model.digest,
        parameters=graph.parameters,
        file_bytes=model.path.stat().st_size,
        details={"opset": graph.opset, "operators": graph.operators, **_batch(graph.batch)},
        manifest=manifest_of(model),
    )


def _of_checkpoint(path: Path) -> Inspection:
    header = checkpoint_header(path)
    return Inspection(
        path=path,
        kind="checkpoint",
        spec=header.spec,
        size=header.spec.size,
        digest=sha256_of(path),
        parameters=header.parameters,
        file_bytes=path.stat().st_size,
        details={"tensors": header.types},
    )


def _of_engine(directory: Path, manifest: EngineManifest) -> Inspection:
    verify_engine(directory, manifest)
    plan = directory / manifest.plan_file
    device = manifest.device
    return Inspection(
        path=plan,
        kind="engine",
        spec=manifest.spec,
        size=manifest.size,
        digest=manifest.model_digest,
        parameters=graph_of_onnx(plan).parameters if plan.suffix == ".onnx" else None,
        file_bytes=plan.stat().st_size,
        details={
            "backend": f"{manifest.backend} {manifest.library}",
            "built_for": f"{device.title} ({', '.join(filter(None, (device.kind, device.capability, device.state)))})",
            "built_from": manifest.model,
            **_batch(manifest.batch),
            **_build_report(manifest),
        },
        manifest=manifest,
    )


def _batch(batch: int) -> dict[str, Any]:
    """How many frames it takes at once, where that is more than one."""
    return {"batch": batch} if batch > 1 else {}


def _build_report(manifest: EngineManifest) -> dict[str, Any]:
    """What the build said of the plan, by name; only what there is to say."""
    report: dict[str, Any] = {}
    if manifest.int8_share is not None:
        report["int8_share"] = manifest.int8_share
    if manifest.guard:
        report["guard"] = manifest.guard
    if manifest.notes:
        report["build_notes"] = dict(manifest.notes)
    return report
