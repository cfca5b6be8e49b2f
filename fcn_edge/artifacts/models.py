"""MODEL on the command line and in ``load()``: a shipped name, an ONNX file or an engine directory.

A shipped model is a directory of the zoo: ``model.onnx`` and a ``manifest.json`` that says how it was trained and how
accurate it is, bound to the file by its hash.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

from pydantic import ConfigDict, Field, ValidationError

from fcn_edge.artifacts.engine_manifest import EngineManifest, read_manifest
from fcn_edge.artifacts.file_kinds import not_a_model
from fcn_edge.artifacts.migrations import Document, renamed
from fcn_edge.artifacts.onnx_graph import Graph, check_image, check_runnable, graph_of_onnx
from fcn_edge.artifacts.onnx_header import OnnxHeader, header_of_onnx, model_digest, opened_file
from fcn_edge.artifacts.onnx_seal import SEAL_KEY, check_seal
from fcn_edge.artifacts.quantization_record import QuantizationRecord, quantization_record_of
from fcn_edge.artifacts.records import AccuracyRecord
from fcn_edge.artifacts.spec import ModelSpec, Size, first_problem
from fcn_edge.errors import ModelError, UsageError
from fcn_edge.io.documents import read_document, write_document
from fcn_edge.io.files import sha256_of
from fcn_edge.io.lookups import lookup_errors
from fcn_edge.io.redaction import without_passwords

__all__ = [
    "Manifest",
    "Model",
    "manifest_for",
    "manifest_of",
    "resolved_model",
    "shipped_models",
    "write_manifest",
]

ZOO = Path(__file__).parents[1] / "zoo"
MODEL_FILE = "model.onnx"
MANIFEST_FILE = "manifest.json"
TABLE_FILE = "calibration.json"


@dataclass(frozen=True)
class Model:
    """A model on disk, opened once by ``resolved_model`` and handed on instead of its path.

    All that it tells of an ONNX file is of one file: header and graph are read when the model is opened, the rest when
    it is first asked for, and then never again. Where the file was changed or replaced in the meantime, that is a
    ``ModelError``, and no mixture of two models.

    Attributes:
        kind: ``onnx`` or ``engine``.
        path: The ONNX file or the engine directory.
        spec: What it is; of an engine it is read but not verified.
        shipped: Name in the zoo; None for other files.
        header: Header of an ONNX file.
        engine_manifest: Manifest of an engine; it is read but the engine is not verified.
    """

    kind: Literal["onnx", "engine"]
    path: Path
    spec: ModelSpec
    shipped: str | None = None
    header: OnnxHeader | None = field(default=None, repr=False, compare=False)
    engine_manifest: EngineManifest | None = field(default=None, repr=False, compare=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over graph, weights and opset, in hexadecimal; of an engine, that of the model it was built from.

        Raises:
            ModelError: The file is damaged, or was changed since it was opened.
        """
        if self.engine_manifest is not None:
            return self.engine_manifest.model_digest
        return model_digest(self.path, self._header().state)

    @cached_property
    def graph(self) -> Graph:
        """What the graph of an ONNX file takes, gives and holds.

        Raises:
            ModelError: The file is damaged, or was changed since it was opened.
            UsageError: It is an engine.
        """
        return graph_of_onnx(self.path, self._header().state)

    @cached_property
    def quantization_record(self) -> QuantizationRecord | None:
        """Where the ranges of an ONNX file's INT8 graph come from; None in a float graph.

        Raises:
            ModelError: What the file says of it makes no sense.
            UsageError: It is an engine.
        """
        return quantization_record_of(self._header())

    @property
    def table_path(self) -> Path | None:
        """Where the calibration table of a shipped model lies; None for other models, and where none ships."""
        path = self.path.with_name(TABLE_FILE)
        return path if self.shipped is not None and path.is_file() else None

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The ONNX file, open for reading.

        Raises:
            ModelError: It was removed or changed since the model was opened.
            UsageError: It is an engine.
        """
        with opened_file(self.path, self._header().state) as file:
            yield file

    def require_unchanged(self) -> None:
        """Check that the ONNX file is still the one that was opened.

        Raises:
            ModelError: It was removed or changed.
            UsageError: It is an engine.
        """
        with self.opened():
            pass

    def _header(self) -> OnnxHeader:
        if self.header is None:
            raise UsageError(
                f"{self.path} is an engine; an ONNX file was expected.", "Give the ONNX file it was built from."
            )
        return self.header


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
        recipe: How it was trained, as its spec says.
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


@lookup_errors(ModelError)
def resolved_model(model: str | Path | Model) -> Model:
    """Open the model that a text names.

    Args:
        model: A shipped name, the path of an ``.onnx`` file, or that of an engine directory. A model that is open
            already is given back.

    Raises:
        ModelError: It names nothing, or the file is damaged, was changed since it was written, or is not safe to run.
        SpecError: The model has no valid spec.
        EngineError: The engine directory is damaged.
    """
    if isinstance(model, Model):
        return model
    if str(model) in shipped_models():
        return _onnx_model(ZOO / str(model) / MODEL_FILE, shipped=str(model))
    path = Path(model)
    if path.is_dir():
        if (other := not_a_model(path, ModelError)) is not None:
            raise other
        manifest = read_manifest(path)
        return Model("engine", path, manifest.spec, engine_manifest=manifest)
    if path.is_file():
        return _onnx_model(path)
    raise ModelError(
        f"There is no model {without_passwords(str(model))!r}: a shipped name, an .onnx file or an engine "
        "directory was expected.",
        f"Shipped models: {', '.join(shipped_models()) or 'none'}.",
    )


def _onnx_model(path: Path, shipped: str | None = None) -> Model:
    """The model of a file that passed the door: its graph is one that may be run, and it is as it was written."""
    if shipped is not None:
        _shipped_manifest(path)
    header = header_of_onnx(path)
    model = Model("onnx", path, header.spec(), shipped, header)
    check_runnable(path, model.graph)
    check_image(path, model.graph, batches=True)
    if SEAL_KEY in header.metadata:
        check_seal(path, header.metadata, model.digest)
    return model


def manifest_of(model: Model) -> Manifest | None:
    """The manifest of a shipped model, checked against its file; None for other models.

    Raises:
        ModelError: The manifest is missing or damaged, or the model's file is not the one that it speaks of.
    """
    return None if model.shipped is None else _shipped_manifest(model.path)


def _shipped_manifest(model: Path) -> Manifest:
    fix = "Install fcn_edge again."
    path = model.with_name(MANIFEST_FILE)
    try:
        manifest = Manifest.from_content(read_document(path, ModelError, fix), str(path), ModelError)
    except ValidationError as error:
        raise ModelError(f"{path} is not valid: {first_problem(error)}.", fix) from error
    if manifest.model_sha256 != sha256_of(model):
        raise ModelError(f"{model} was changed or damaged: its SHA-256 is not that of {MANIFEST_FILE}.", fix)
    return manifest


def manifest_for(model: Model, accuracy: dict[str, AccuracyRecord], terms: str = "") -> Manifest:
    """The manifest of an ONNX file that is to ship: name, size and recipe are those of its spec.

    Args:
        model: The ONNX file.
        accuracy: Measured with it, by name of the data set and split.
        terms: What the weights may be used for.

    Raises:
        ModelError: The file is damaged, or was changed since it was opened.
    """
    spec = model.spec
    return Manifest(
        name=spec.name,
        model_sha256=sha256_of(model.path),
        model_digest=model.digest,
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
    write_document(path, manifest.model_dump(mode="json"))
