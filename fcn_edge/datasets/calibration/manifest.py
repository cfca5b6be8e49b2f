"""Manifests: the list of a calibration set's images as a file, without the images.

Names, hashes, class shares and how the images were chosen, as JSON with a digest of its own content. Whoever has the
data set can check that it is the same set, image by image.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from fcn_edge.artifacts.migrations import Document
from fcn_edge.artifacts.spec import Sha256, first_problem
from fcn_edge.datasets.calibration.sets import CalibrationImage, CalibrationSet
from fcn_edge.datasets.rendered import sample_of_address
from fcn_edge.errors import DatasetError, UsageError
from fcn_edge.io.documents import read_document, write_document

__all__ = ["ImageManifest", "image_manifest", "read_manifest", "write_manifest"]

FIX = "Take the manifest from where it came, or choose the images again."

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Image(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=1024)]
    sha256: Sha256
    class_shares: dict[str, Share] | None


class ImageManifest(Document):
    """Content of a manifest; the attributes of ``CalibrationSet`` under the same names."""

    MIGRATIONS = (dict,)  # schema 2 only says who wrote it

    kind: Literal["calibration images"] = "calibration images"
    name: str
    split: str
    rendered: bool
    chosen: str
    seed: int
    classes: tuple[str, ...] | None
    missing_classes: tuple[str, ...]
    notes: tuple[str, ...]
    images: Annotated[tuple[_Image, ...], Field(min_length=1)]

    @field_validator("images")
    @classmethod
    def _images_differ(cls, images: tuple[_Image, ...]) -> tuple[_Image, ...]:
        for what in ("name", "sha256"):
            seen: set[str] = set()
            for image in images:
                value = getattr(image, what)
                if value in seen:
                    raise ValueError(f"the {what} {value!r} stands there twice")
                seen.add(value)
        return images

    @model_validator(mode="after")
    def _parts_fit(self) -> ImageManifest:
        for image in self.images:
            (_check_address if self.rendered else _check_path)(image.name)
            if (image.class_shares is None) != (self.classes is None):
                raise ValueError(f"{image.name!r} has class shares and the set no classes, or the other way round")
            strange = set(image.class_shares or ()) - set(self.classes or ())
            if strange:
                raise ValueError(f"{image.name!r} shows {sorted(strange)[0]!r}, which is none of the classes")
        return self


def write_manifest(path: Path, images: CalibrationSet) -> None:
    """Write a set's manifest, whole or not at all.

    Raises:
        DatasetError: An image's name cannot stand in a manifest, such as one with a line break.
        UsageError: The directory does not exist or may not be written, or no manifest holds so many images.
        MachineError: The disk is full.
    """
    content = {
        "name": images.name,
        "split": images.split,
        "rendered": images.rendered,
        "chosen": images.chosen,
        "seed": images.seed,
        "classes": images.classes,
        "missing_classes": images.missing_classes,
        "notes": images.notes,
        "images": [
            {"name": image.name, "sha256": image.sha256, "class_shares": image.class_shares} for image in images.images
        ],
    }
    try:
        manifest = ImageManifest.model_validate(content)
    except ValidationError as error:
        raise DatasetError(f"No manifest can hold these images: {_said(error)}.", "Rename the file.") from error
    write_document(path, manifest.model_dump(mode="json"))


def read_manifest(
    path: Path, root: Path | None = None, progress: Callable[[int, int], None] | None = None
) -> CalibrationSet:
    """The set of a manifest, with every image compared with its hash.

    Args:
        path: The manifest.
        root: The directory that the images' names start from: the split or folder; the manifest's own when left out.
            Rendered images need none.
        progress: Called with images checked and images in all.

    Raises:
        DatasetError: The manifest is missing, damaged or by a newer fcn_edge, or an image is missing, unreadable or
            not the same.
    """
    manifest = image_manifest(path)
    root = path.parent if root is None else root
    images = tuple(
        CalibrationImage(image.name, None if manifest.rendered else root / image.name, image.sha256, image.class_shares)
        for image in manifest.images
    )
    for done, image in enumerate(images, 1):
        try:
            image.verify()
        except DatasetError as error:
            where = "" if manifest.rendered else f" Names start from {root}."
            raise DatasetError(f"{path} lists {image.name}: {error.message}", error.fix + where) from error
        if progress is not None:
            progress(done, len(images))
    return CalibrationSet(
        name=manifest.name,
        split=manifest.split,
        images=images,
        chosen=manifest.chosen,
        classes=manifest.classes,
        missing_classes=manifest.missing_classes,
        seed=manifest.seed,
        rendered=manifest.rendered,
        notes=manifest.notes,
    )


def image_manifest(path: Path) -> ImageManifest:
    """The content of a manifest, of any schema version up to this one; the images are not looked at.

    Raises:
        DatasetError: The manifest is missing or damaged, or a newer fcn_edge wrote it.
    """
    content = read_document(path, DatasetError, FIX)
    try:
        return ImageManifest.from_content(content, str(path), DatasetError)
    except ValidationError as error:
        raise DatasetError(f"{path} is no valid manifest of calibration images: {_said(error)}.", FIX) from error


def _said(error: ValidationError) -> str:
    """The first problem in one line, whatever keys it quotes."""
    return " ".join(first_problem(error).rstrip(".").split())


def _check_path(name: str) -> None:
    path = PurePosixPath(name)
    leaves = path.is_absolute() or ".." in path.parts or PureWindowsPath(name).drive
    if leaves or "\\" in name or not name.isprintable() or path.as_posix() != name:
        raise ValueError(f"{name!r} is no plain path below a directory, such as 'images/a.jpg'")


def _check_address(name: str) -> None:
    try:
        sample_of_address(name)
    except UsageError as error:
        raise ValueError(error.message) from error
