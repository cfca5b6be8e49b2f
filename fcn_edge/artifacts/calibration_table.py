"""The calibration table: what a network's activations were on a set of images, and where each method clips them.

    table.json    this module's ``CalibrationTable``, with a digest of its own content

A table is bound to the model's digest and to its preprocessing, not to a size, and carries the hashes of the images
that it was made from: an engine built with it refuses to be scored on those.

Engines and INT8 graphs are bound to a table by its digest. So a table that was read from an older schema keeps the
content of its file, and is written as that, until something in it is changed: its digest stays what it was.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_serializer,
    field_validator,
    model_validator,
)

from fcn_edge.artifacts.migrations import Document, renamed
from fcn_edge.artifacts.spec import ModelSpec, Normalization, Resize, Sha256, Size, first_problem
from fcn_edge.errors import TableError
from fcn_edge.io.documents import content_digest, read_document, write_document

__all__ = [
    "METHODS",
    "TABLE_KEY",
    "CalibratedImage",
    "CalibrationTable",
    "Method",
    "QuantizationChoice",
    "TensorRange",
    "read_table",
    "write_table",
]

TABLE_KEY = "fcn_edge.calibration"
"""Metadata key under which an INT8 graph holds the digest of its table and the hashes of the images."""

FIX = "Make it again: fcn-edge calibrate MODEL --images DIR -o TABLE.json"

Name = Annotated[str, Field(min_length=1, max_length=500)]
Low = Annotated[float, Field(le=0)]
High = Annotated[float, Field(ge=0)]
Ends = tuple[Low, High]
Method = Literal["minmax", "percentile", "entropy", "mse"]
"""How activations are clipped (``quantization/thresholds.py``)."""
METHODS: tuple[Method, ...] = get_args(Method)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())


class CalibratedImage(_Part):
    """An image that the network was calibrated on: its name, and the SHA-256 of its file (rendered: of its pixels)."""

    name: Name
    sha256: Sha256


class TensorRange(_Part):
    """What one tensor was, and where to clip it.

    Attributes:
        low: Smallest value.
        high: Largest value.
        rms: Root of the mean square.
        zeros: Share of values that are exactly zero, 0 to 1.
        percentile: Ends for 256 levels, by percentile.
        entropy: Largest absolute value, by entropy.
        mse: Ends for 256 levels, by least squared error.
        mse_amax: Largest absolute value for 255 levels symmetric about zero, by least squared error.
        channel_means: Mean of each channel, of what convolutions take; empty for other tensors.
    """

    low: float
    high: float
    rms: Annotated[float, Field(ge=0)]
    zeros: Annotated[float, Field(ge=0, le=1)]
    percentile: Ends
    entropy: High
    mse: Ends
    mse_amax: High
    channel_means: tuple[float, ...] = ()

    def times(self, factor: float) -> TensorRange:
        """The range of the tensor times a factor > 0; a power of two leaves every number its digits."""
        return self.model_copy(
            update={
                "low": self.low * factor,
                "high": self.high * factor,
                "rms": self.rms * factor,
                "percentile": (self.percentile[0] * factor, self.percentile[1] * factor),
                "entropy": self.entropy * factor,
                "mse": (self.mse[0] * factor, self.mse[1] * factor),
                "mse_amax": self.mse_amax * factor,
                "channel_means": tuple(mean * factor for mean in self.channel_means),
            }
        )

    @model_validator(mode="after")
    def _ends_are_in_order(self) -> TensorRange:
        if self.low > self.high:
            raise ValueError(f"low ({self.low}) must not exceed high ({self.high})")
        return self

    @field_serializer("channel_means")
    def _in_one_line(self, values: tuple[float, ...]) -> str:
        # thousands of numbers a table: one line a tensor keeps it readable
        return " ".join(map(repr, values))

    @field_validator("channel_means", mode="before")
    @classmethod
    def _of_one_line(cls, values: Any) -> Any:
        return tuple(float(value) for value in values.split()) if isinstance(values, str) else values


class QuantizationChoice(_Part):
    """What was measured to be best for a quantization profile.

    Attributes:
        method: How activations are clipped.
        excluded_layers: Names of the layers that stay in floating point.
        selected_on: The images that it was measured on, for people.
    """

    method: Method
    excluded_layers: tuple[str, ...] = ()
    selected_on: str = ""


def _to_schema_2(content: dict[str, Any]) -> dict[str, Any]:
    """American spelling, and ``excluded_layers``, which were ``floats``."""
    content = renamed(content, {"normalisation": "normalization"})
    content = renamed(content, {"colour_order": "color_order"}, "normalization")
    return renamed(content, {"floats": "excluded_layers"}, "choices", "*")


class CalibrationTable(Document):
    """Content of a calibration table.

    Attributes:
        model: Name of the model.
        model_digest: ``onnx_header.model_digest`` of it.
        resize: Its resize policy.
        normalization: Its normalization.
        size: ``(height, width)`` that it was calibrated at; the table serves other sizes too.
        dataset: Name of the data set or folder, and of the split.
        rendered: The images were rendered.
        chosen: How the images were chosen, in a sentence.
        missing_classes: Classes of the model that no image shows; of images without labels of them nothing is known.
        images: What it was calibrated on.
        tensors: By name of the tensor in the graph.
        choices: By name of the quantization profile.
        tools: Library versions by name.
    """

    MIGRATIONS = (_to_schema_2,)

    model: Name
    model_digest: Sha256
    resize: Resize
    normalization: Normalization
    size: Size
    dataset: Name
    rendered: bool = False
    chosen: str
    missing_classes: tuple[str, ...] = ()
    images: Annotated[tuple[CalibratedImage, ...], Field(min_length=1)]
    tensors: Annotated[dict[Name, TensorRange], Field(min_length=1)]
    choices: dict[str, QuantizationChoice] = Field(default_factory=dict)
    tools: dict[str, str] = Field(default_factory=dict)

    _file: tuple[dict[str, Any], dict[str, Any]] | None = PrivateAttr(None)
    """What the file of the table holds, and what this version makes of it, where these differ."""

    @model_validator(mode="after")
    def _images_differ(self) -> CalibrationTable:
        if len({image.sha256 for image in self.images}) != len(self.images):
            raise ValueError("an image occurs twice")
        return self

    @field_validator("size")
    @classmethod
    def _size_is_one(cls, size: Size) -> Size:
        if min(size) < 1:
            raise ValueError(f"{size} must be positive")
        return size

    def content(self) -> dict[str, Any]:
        """What a file of the table holds: what the one that it was read from holds, unless it was changed since."""
        own = self.model_dump(mode="json")
        return self._file[0] if self._file is not None and self._file[1] == own else own

    @property
    def digest(self) -> str:
        """SHA-256 of the content, the one that seals the file; engines and INT8 graphs are bound to it."""
        return content_digest(self.content())

    @property
    def image_hashes(self) -> frozenset[str]:
        """Hashes of the images."""
        return frozenset(image.sha256 for image in self.images)

    def require_for(self, path: Path | str, digest: str, spec: ModelSpec) -> None:
        """Check that the table is for a model.

        Args:
            path: Path of the table, for the message.
            digest: ``model_digest`` of the model.
            spec: The model's.

        Raises:
            TableError: It is for another graph, other weights or another preprocessing.
        """
        if self.model_digest != digest:
            raise TableError(
                f"{path} is the calibration table of another model: it was made for {self.model} "
                f"({self.model_digest[:12]}), and this is {spec.name} ({digest[:12]}).",
                FIX,
            )
        for what, table, model in (
            ("resize policy", self.resize, spec.resize),
            ("normalization", self.normalization, spec.normalization),
        ):
            if table != model:
                raise TableError(f"{path} was made with another {what}: {table}; the model has {model}.", FIX)


def read_table(path: Path) -> CalibrationTable:
    """The calibration table of a file, of any schema version up to this one.

    Raises:
        TableError: The file is missing, damaged or no calibration table, or a newer fcn_edge wrote it.
    """
    content = read_document(path, TableError, FIX)
    try:
        table = CalibrationTable.from_content(content, str(path), TableError)
    except ValidationError as error:
        raise TableError(f"{path} is not a valid calibration table: {first_problem(error)}.", FIX) from error
    own = table.model_dump(mode="json")
    if content_digest(content) != content_digest(own):
        table._file = content, own
    return table


def write_table(path: Path, table: CalibrationTable) -> None:
    """Write a table with a digest of its own content, whole or not at all.

    Raises:
        UsageError: The directory does not exist or may not be written.
        MachineError: The disk is full.
    """
    write_document(path, table.content())
