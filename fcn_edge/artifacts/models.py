"""MODEL on the command line and in ``load()``: a shipped name, an ONNX file or an engine directory.

A shipped model is a directory of the zoo: ``model.onnx`` and a ``manifest.json`` that says how it was trained and how
accurate it is, bound to the file by its hash.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from fcn_edge.artifacts.migrations import Document, renamed
from fcn_edge.artifacts.onnx_header import model_digest, spec_of_onnx
from fcn_edge.artifacts.records import AccuracyRecord
from fcn_edge.artifacts.spec import ModelSpec, Size, first_problem
from fcn_edge.errors import ModelError
from fcn_edge.io.documents import document_text, read_document
from fcn_edge.io.files import replacing, sha256_of

__all__ = [
    "Manifest",
    "Model",
    "manifest_for",
    "manifest_of",
    "resolved_model",
    "shipped_models",
    "table_path",
    "write_manifest",
]

ZOO = Path(__file__).parents[1] / "zoo"
MODEL_FILE = "model.onnx"
MANIFEST_FILE = "manifest.json"
TABLE_FILE = "calibration.json"


@dataclass(frozen=True)
class Model:
    """A model found on disk.

    Attributes:
        kind: ``onnx`` or ``engine``.
        path: The ONNX file or the engine directory.
        spec: What it is; of an engine it is read but not verified.
        shipped: Name in the zoo; None for other files.
    """

    kind: Literal["onnx", "engine"]
    path: Path
    spec: ModelSpec
    shipped: str | None = None


def _to_schema_2(content: dict[str, Any]) -> dict[str, Any]:
    """American spelling."""
    return renamed(content, {"licence": "license"})


class Manifest(Document):
    """Content of a shipped model's ``manifest.json``. Keys that this version does not know are left alone.

    Attributes:
        name: Name in the zoo.
        model_sha256: Hash of ``model.onnx``.
        model_digest: Digest of its graph and weights.
        size: ``(height, width)`` that it is meant to run at.
        accuracy: Measured by ``evaluate``, by name of the data set and split.
        recipe: How it was trained, one line per stage.
        trained_on: Names of the data sets.
        license: What the weights may be used for.
    """

    model_config = ConfigDict(extra="allow")

    MIGRATIONS = (_to_schema_2,)

    name: Annotated[str, Field(min_length=1)]
    model_sha256: str
    model_digest: str
    size: Size
    accuracy: dict[str, AccuracyRecord] = Field(default_factory=dict)
    recipe: tuple[str, ...] = ()
    trained_on: tuple[str, ...] = ()
    license: str = ""


def shipped_models() -> tuple[str, ...]:
    """Names of the models that ship, sorted."""
    return tuple(sorted(path.parent.name for path in ZOO.glob(f"*/{MODEL_FILE}")))


def resolved_model(text: str | Path) -> Model:
    """The model that a text names.

    Args:
        text: A shipped name, the path of an ``.onnx`` file, or that of an engine directory.

    Raises:
        ModelError: It names nothing, or the file is damaged.
        SpecError: The model has no valid spec.
        EngineError: The engine directory is damaged.
    """
    if str(text) in shipped_models():
        path = ZOO / str(text) / MODEL_FILE
        return Model("onnx", path, spec_of_onnx(path), shipped=str(text))
    path = Path(text)
    if path.is_dir():
        from fcn_edge.artifacts.engine_manifest import read_manifest

        return Model("engine", path, read_manifest(path).spec)
    if path.is_file():
        return Model("onnx", path, spec_of_onnx(path))
    raise ModelError(
        f"There is no model {str(text)!r}: a shipped name, an .onnx file or an engine directory was expected.",
        f"Shipped models: {', '.join(shipped_models()) or 'none'}.",
    )


def table_path(model: Model) -> Path | None:
    """Where the calibration table of a shipped model lies; None for other models, and where none ships."""
    path = model.path.with_name(TABLE_FILE)
    return path if model.shipped is not None and path.is_file() else None


def manifest_of(model: Model) -> Manifest | None:
    """The manifest of a shipped model, checked against its file; None for other models.

    Raises:
        ModelError: The manifest is missing or damaged, or the model's file is not the one that it speaks of.
    """
    if model.shipped is None:
        return None
    fix = "Install fcn_edge again."
    path = model.path.with_name(MANIFEST_FILE)
    try:
        manifest = Manifest.from_content(read_document(path, ModelError, fix), str(path), ModelError)
    except ValidationError as error:
        raise ModelError(f"{path} is not valid: {first_problem(error)}.", fix) from error
    if manifest.model_sha256 != sha256_of(model.path):
        raise ModelError(f"{model.path} was changed or damaged: its SHA-256 is not that of {MANIFEST_FILE}.", fix)
    return manifest


def manifest_for(path: Path, accuracy: dict[str, AccuracyRecord], terms: str = "") -> Manifest:
    """The manifest of an ONNX file that is to ship: name, size and recipe are those of its spec.

    Args:
        path: The ONNX file.
        accuracy: Measured with it, by name of the data set and split.
        terms: What the weights may be used for.

    Raises:
        ModelError: The file is missing or damaged.
        SpecError: It has no valid spec.
    """
    spec = spec_of_onnx(path)
    return Manifest(
        name=spec.name,
        model_sha256=sha256_of(path),
        model_digest=model_digest(path),
        size=spec.size,
        accuracy=accuracy,
        recipe=spec.provenance.recipe,
        trained_on=spec.provenance.trained_on,
        license=terms,
    )


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write a manifest with a digest of its own content, whole or not at all.

    Raises:
        UsageError: The directory does not exist or may not be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(document_text(manifest.model_dump(mode="json")), encoding="utf-8")
