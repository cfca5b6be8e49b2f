"""The engine directory: a network built for one device, with a manifest that says for which.

    engine.json    this module's ``EngineManifest``, with a digest of its own content
    model.onnx     (or whatever the backend's plan is called) the plan, unmodified: other tools read it too

An engine is checked whole before a byte of it reaches a deserializer. The hashes prove it whole, not trustworthy: load
only engines that you built.
"""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from fcn_edge.artifacts.device import DeviceInfo, ManifestValue
from fcn_edge.artifacts.migrations import Document, renamed
from fcn_edge.artifacts.records import AccuracyRecord, Speed
from fcn_edge.artifacts.spec import MOST_IMAGES, Fraction, ModelSpec, Sha256, Size, first_problem, is_size
from fcn_edge.errors import EngineError
from fcn_edge.io.documents import read_document, write_document
from fcn_edge.io.files import sha256_of
from fcn_edge.io.outputs import ENGINE_FILE
from fcn_edge.text import quoted

__all__ = [
    "MANIFEST_FILE",
    "TABLE_FILE",
    "EngineManifest",
    "File",
    "file_of",
    "read_manifest",
    "rebuild_fix",
    "verify_engine",
    "write_manifest",
]

MANIFEST_FILE = ENGINE_FILE
TABLE_FILE = "calibration.json"

_COUNTED = re.compile(r"(.+) \((\d{1,4}) SM\)")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")


class File(BaseModel):
    """One file of an engine: its length in bytes and the SHA-256 of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: Annotated[int, Field(ge=0)]
    sha256: Sha256


def _to_schema_2(content: dict[str, Any]) -> dict[str, Any]:
    """``plan_file`` was ``plan``; of the notes, ``excluded_layers`` were ``floats``, and their groups likewise.

    The spec has a version of its own.
    """
    content = renamed(content, {"plan": "plan_file"})
    return renamed(content, {"floats": "excluded_layers", "float_groups": "excluded_groups"}, "notes")


class EngineManifest(Document):
    """Content of ``engine.json``.

    Attributes:
        model: What it was built from: a shipped name or the absolute path of an ONNX file.
        model_digest: ``onnx_header.model_digest`` of that.
        spec: What the model is.
        size: ``(height, width)`` that it was built for.
        backend: Name of the backend that runs it.
        precision: Precision of the engine.
        batch: Frames that it takes at once.
        plan_file: Name of the file that the backend's library opens.
        files: Every other file of the directory by name.
        library: Version of the backend's library; another one is refused at load.
        tools: Other versions, by name, that were there when it was built.
        device: What it was built for.
        build_seconds: How long that took.
        options: What it was built with; ``build --if-stale`` builds again when they differ.
        notes: What the backend says of the build: the steps that it took, what its library reports.
        int8_share: Share of the convolution MACs outside depthwise ones with INT8 operands; None in a float engine.
        calibration_digest: Digest of the calibration table that the INT8 ranges come from.
        calibration_images: SHA-256 of the images of that table, where it does not lie beside as ``calibration.json``.
        guard: What the engine's accuracy was compared with before it was kept, in a sentence; empty for none.
        speed: How fast it was on that device.
        accuracy: Measured with it.
    """

    MIGRATIONS = (_to_schema_2,)

    model: Annotated[str, Field(min_length=1)]
    model_digest: Sha256
    spec: ModelSpec
    size: Size
    backend: str
    precision: Literal["fp32", "fp16", "int8"]
    batch: Annotated[int, Field(ge=1, le=MOST_IMAGES)] = 1
    plan_file: str
    files: dict[str, File]
    library: str
    tools: dict[str, str] = Field(default_factory=dict)
    device: DeviceInfo
    build_seconds: Annotated[float, Field(ge=0)]
    options: dict[str, ManifestValue] = Field(default_factory=dict)
    notes: dict[str, ManifestValue] = Field(default_factory=dict)
    int8_share: Fraction | None = None
    calibration_digest: Sha256 | None = None
    calibration_images: tuple[Sha256, ...] = ()
    guard: str = ""
    speed: Speed | None = None
    accuracy: AccuracyRecord | None = None

    @field_validator("files")
    @classmethod
    def _names_are_plain(cls, files: dict[str, File]) -> dict[str, File]:
        for name in files:
            if not _PLAIN_NAME.fullmatch(name) or name == MANIFEST_FILE:
                raise ValueError(f"{name!r} is not the plain name of a file")
        return files

    @field_validator("device", mode="before")
    @classmethod
    def _count_is_not_in_the_name(cls, device: Any) -> Any:
        """GPUs were once called ``Orin (16 SM)``."""
        if not isinstance(device, dict) or device.get("kind") != "cuda" or "multiprocessors" in device:
            return device
        found = _COUNTED.fullmatch(str(device.get("name")))
        return {**device, "name": found[1], "multiprocessors": int(found[2])} if found else device

    @model_validator(mode="after")
    def _parts_fit_together(self) -> EngineManifest:
        if self.precision != self.spec.precision:
            raise ValueError(f"the plan is {self.precision} and its spec says {self.spec.precision}")
        if self.plan_file not in self.files:
            raise ValueError(f"the plan {self.plan_file!r} is not among the files")
        multiple = self.spec.geometry.size_multiple
        if any(side < multiple or side % multiple for side in self.size):
            raise ValueError(f"size {self.size} must be multiples of {multiple}")
        if not is_size(self.size):
            raise ValueError(f"size {self.size} has more pixels than any network takes")
        return self


def read_manifest(directory: Path) -> EngineManifest:
    """The manifest of an engine directory, of any schema version up to this one; the other files are not looked at.

    Raises:
        EngineError: There is none, it is damaged, or a newer fcn_edge wrote it.
    """
    path, fix = directory / MANIFEST_FILE, f"Build it again: fcn-edge build MODEL -o {quoted(directory)}"
    if not path.exists():  # a build leaves such a directory alone, so that it cannot be built again in its place
        raise EngineError(
            f"{directory} is not an engine: it has no {MANIFEST_FILE}.",
            "Give a shipped name, an .onnx file or an engine directory; fcn-edge build MODEL -o DIR makes one.",
        )
    content = read_document(path, EngineError, fix)
    try:
        return EngineManifest.from_content(content, str(path), EngineError)
    except ValidationError as error:
        raise EngineError(f"{path} is not valid: {first_problem(error)}.", fix) from error


def write_manifest(directory: Path, manifest: EngineManifest) -> None:
    """Write ``engine.json`` into a directory whose other files are there."""
    write_document(directory / MANIFEST_FILE, manifest.model_dump(mode="json"))


def file_of(path: Path) -> File:
    """Length and hash of a file."""
    return File(bytes=path.stat().st_size, sha256=sha256_of(path))


def rebuild_fix(manifest: EngineManifest, directory: Path, size: Size | None = None, device: int = 0) -> str:
    """What to do about an engine: the command that builds it again for this machine, behind what it leaves open.

    ``TABLE`` stands for a calibration table that no longer lies whole in the engine, and ``DIR`` for the labeled
    images, whose place the manifest does not tell.

    Args:
        manifest: Manifest of the engine.
        directory: Where it lies, and will.
        size: Another ``(height, width)`` to build it for.
        device: Index of the GPU to build it for.
    """
    height, width = size or manifest.size
    options, given, where = "", manifest.options, []
    if TABLE_FILE in manifest.files and Path(manifest.model).is_absolute():  # a shipped model brings its own
        table = quoted(directory / TABLE_FILE)
        if not _is_whole(directory / TABLE_FILE, manifest.files[TABLE_FILE]):
            table = "TABLE"
            where.append("TABLE is a copy of its calibration table")
        options += f" --calibration {table}"
    if given.get("evaluated_on"):
        options += " --eval DIR"
        where.append(f"DIR holds {given['evaluated_on']}")
    for option, name in (("--max-drop", "max_drop"), ("--max-class-drop", "max_class_drop")):
        if given.get(name) is not None:
            options += f" {option} {quoted(str(given[name]))}"
    if given.get("threads") is not None:
        options += f" --threads {quoted(str(given['threads']))}"
    if given.get("guard") is False:
        options += " --no-guard"
    if manifest.batch > 1:
        options += f" --batch {manifest.batch}"
    if device:
        options += f" --device {device}"
    said = f", where {' and '.join(where)}" if where else ""
    return (
        f"Build it again{said}: fcn-edge build {quoted(manifest.model)} --backend {quoted(manifest.backend)} "
        f"--precision {quoted(manifest.precision)} --size {height}x{width}{options} -o {quoted(directory)}"
    )


def verify_engine(directory: Path, manifest: EngineManifest) -> None:
    """Check that the directory holds the files that its manifest lists, unchanged, and no others.

    Raises:
        EngineError: A file is missing, extra, changed, or not a regular file.
    """
    try:
        flaw, first = _flaw(directory, manifest)
        if flaw:
            raise EngineError(flaw, f"{first} {rebuild_fix(manifest, directory)}".lstrip())
    except OSError as error:
        raise EngineError(f"{directory} cannot be read: {error.strerror}.", "Check its permissions.") from error


def _flaw(directory: Path, manifest: EngineManifest) -> tuple[str, str]:
    """Why a directory is not the engine of its manifest, and what to do before it is built again; empty when it is."""
    found = {path.name: path for path in directory.iterdir()}
    for name in manifest.files:
        if name not in found:
            return f"{directory} is not whole: {name} is missing.", ""
    for name, path in sorted(found.items()):
        if not stat.S_ISREG(path.lstat().st_mode):
            return f"{path} is not a regular file; an engine holds no links and no directories.", "Remove it."
        if name == MANIFEST_FILE:
            continue
        if name not in manifest.files:
            return f"{path} does not belong to the engine.", "Remove it, if it is not yours."
        if not _is_whole(path, manifest.files[name]):
            return f"{path} was changed or damaged: its SHA-256 is not that of {MANIFEST_FILE}.", ""
    return "", ""


def _is_whole(path: Path, file: File) -> bool:
    """Whether a regular file with that content lies there."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == file.bytes and sha256_of(path) == file.sha256
