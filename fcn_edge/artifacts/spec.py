"""ModelSpec: everything a model says of itself.

It is written into the ONNX ``metadata_props`` at export and into every engine's ``engine.json``; no later command
needs a configuration file. Sizes are ``(height, width)``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from fcn_edge.artifacts.geometry import LONGEST_SIDE, SIZE_MULTIPLE, Geometry
from fcn_edge.artifacts.migrations import Document, renamed
from fcn_edge.artifacts.phrases import phrase_of
from fcn_edge.errors import SpecError, UsageError
from fcn_edge.io.outside import MalformedError, json_of
from fcn_edge.text import printable

__all__ = [
    "DECODER_STRIDES",
    "LONGEST_NAME",
    "MOST_IMAGES",
    "OWN_FAMILY",
    "ModelSpec",
    "Normalization",
    "Provenance",
    "Resize",
    "Sha256",
    "Size",
    "SizeText",
    "checked_size",
    "is_size",
    "size_from_text",
]

DECODER_STRIDES = {"fcn32s": 32, "fcn16s": 16, "fcn8s": 8}
"""Stride of the scores of each of our own decoders, in input pixels."""

OWN_FAMILY = "fcn_edge"
"""Family of the networks that this package trains."""

MOST_PIXELS = 1 << 27
"""Of a network's input: sixteen times the pixels of a 4K frame. More fills any board's memory at once."""

MOST_IMAGES = 1024
"""That a network takes at once."""

Size = tuple[int, int]
Byte = Annotated[int, Field(ge=0, le=255)]
Color = tuple[Byte, Byte, Byte]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 in hexadecimal, lower case."""
Triple = tuple[float, float, float]
LONGEST_NAME = 200
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False)


class Resize(_Part):
    """How a frame becomes the network's input.

    Attributes:
        policy: ``pad`` scales to fit, keeps the aspect and fills the rest; ``stretch`` scales each axis on its own;
            ``roi`` takes a region of the frame first and then pads.
        roi: top, left, bottom, right of the region as fractions of the frame; only with ``roi``.
        anchor: Where the scaled frame lies: in the ``corner`` at the top left, or in the ``center``, the odd pixel of
            the rest at the bottom and the right.
        fill: RGB color of the rest; the mean color when None.
    """

    policy: Literal["pad", "stretch", "roi"] = "pad"
    roi: tuple[Fraction, Fraction, Fraction, Fraction] | None = None
    anchor: Literal["corner", "center"] = "corner"
    fill: Color | None = None

    @model_serializer(mode="wrap")
    def _without_usual(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out where frames lie unless that is said: files from before it could be said stay as they are."""
        content: dict[str, Any] = handler(self)
        usual = {"anchor": "corner", "fill": None}
        return {key: value for key, value in content.items() if key not in usual or value != usual[key]}

    @model_validator(mode="after")
    def _roi_fits_policy(self) -> Resize:
        if (self.policy == "roi") != (self.roi is not None):
            raise ValueError("a region belongs to the resize policy 'roi', and only to it")
        if self.roi is not None:
            top, left, bottom, right = self.roi
            if not (top < bottom and left < right):
                raise ValueError("the region must be (top, left, bottom, right) with top < bottom and left < right")
        return self


class Normalization(_Part):
    """What the graph does to the image before the first convolution: ``(image - mean) / std``.

    Attributes:
        color_order: Order of the channels that the encoder was trained on; the input image is always BGR.
        mean: Per channel, in ``color_order``, on the 0 to 255 scale.
        std: Per channel, in ``color_order``, on the 0 to 255 scale.
    """

    color_order: Literal["rgb", "bgr"] = "rgb"
    mean: Triple = (123.675, 116.28, 103.53)
    std: Triple = (58.395, 57.12, 57.375)

    @model_validator(mode="after")
    def _std_is_positive(self) -> Normalization:
        if min(self.std) <= 0:
            raise ValueError("std must be positive")
        return self

    @property
    def mean_bgr(self) -> tuple[int, int, int]:
        """The mean color as a BGR pixel, what ``pad`` fills with unless another color is said."""
        mean = self.mean if self.color_order == "bgr" else self.mean[::-1]
        blue, green, red = (min(max(round(each), 0), 255) for each in mean)
        return blue, green, red


class Provenance(_Part):
    """Where a model comes from.

    Attributes:
        checkpoint_sha256: Hash of the checkpoint file it was exported from.
        trained_on: Names of the data sets.
        recipe: How it was trained, one training after the other: a line per stage, and one of settings. Lines that
            begin with ``1 of 3:`` are of networks whose mean the next training went on from.
        tools: Library versions by name.
    """

    checkpoint_sha256: str = ""
    trained_on: tuple[str, ...] = ()
    recipe: tuple[str, ...] = ()
    tools: dict[str, str] = Field(default_factory=dict)


def _to_schema_2(content: dict[str, Any]) -> dict[str, Any]:
    """American spelling; family, geometry, and where padded frames lie, which are new, are as in our own networks."""
    content = renamed(content, {"normalisation": "normalization"})
    return renamed(content, {"colour_order": "color_order"}, "normalization")


class ModelSpec(Document):
    """What a model is and how to feed it. Frozen; a change makes a new one with ``replace``.

    It describes anybody's FCN: names are free text, and what a program needs to know is in numbers. What our own
    encoders and decoders go with is checked where such a network is made (``nets/checkpoints.py``).

    Attributes:
        name: What the model is called.
        family: Where networks of this kind come from: ``fcn_edge`` for our own, such as ``torchvision`` for others.
        encoder: Name of the encoder; ``vgg16``, ``resnet50`` or ``mobilenet_v2`` in our own networks.
        decoder: Name of the decoder; ``fcn32s``, ``fcn16s`` or ``fcn8s`` in our own networks.
        stride: Input pixels per score cell.
        geometry: Where the cells of scores lie on the input.
        classes: Class names by id.
        palette: One RGB color per class.
        void: Label value that scoring ignores and that ``unknown`` pixels get; outside the class ids.
        size: Default network size ``(height, width)``, multiples of ``geometry.size_multiple``.
        resize: How frames are brought to that size.
        normalization: What the graph does with the image.
        head: ``scores``: the graph ends at class scores at ``stride``; ``labels``: at a full-size mask.
        precision: Precision of the graph: ``fp32``, ``fp16`` or ``int8``.
        profile: Quantization profile of an ``int8`` graph.
        provenance: Where it comes from.
    """

    MIGRATIONS = (_to_schema_2,)

    name: Name
    family: Name = OWN_FAMILY
    encoder: Name
    decoder: Name
    stride: Annotated[int, Field(ge=1, le=LONGEST_SIDE)]
    geometry: Geometry = Geometry()
    classes: Annotated[tuple[str, ...], Field(min_length=2, max_length=255)]
    palette: tuple[Color, ...]
    void: Byte = 255
    size: Size
    resize: Resize = Resize()
    normalization: Normalization = Normalization()
    head: Literal["scores", "labels"] = "scores"
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    profile: str | None = None
    provenance: Provenance = Provenance()

    @model_validator(mode="after")
    def _parts_fit_together(self) -> ModelSpec:
        if len(self.palette) != len(self.classes):
            raise ValueError(f"{len(self.classes)} classes need {len(self.classes)} colors, not {len(self.palette)}")
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("class names must differ")
        if self.void < len(self.classes):
            raise ValueError(f"void ({self.void}) must lie outside the class ids 0..{len(self.classes) - 1}")
        multiple = self.geometry.size_multiple
        if any(side < multiple or side % multiple for side in self.size):
            raise ValueError(f"size {self.size} must be multiples of {multiple}")
        if not is_size(self.size):
            raise ValueError(f"size {self.size} has more pixels than any network takes")
        if self.geometry.unit is not None and self.geometry.unit % self.stride:
            raise ValueError(f"the unit {self.geometry.unit} must be a multiple of the stride {self.stride}")
        rows, columns = self.grid_size(self.size)
        if min(rows, columns) < 1:
            raise ValueError(f"its geometry leaves no score cell at the size {self.size}")
        if not is_size((rows, columns)):
            raise ValueError(f"its geometry gives {rows}x{columns} score cells, more than any network")
        if (self.precision == "int8") != (self.profile is not None):
            raise ValueError("a quantization profile belongs to an int8 graph, and only to it")
        return self

    @property
    def arch(self) -> str:
        """Encoder and decoder in one word, such as ``mobilenet_v2-fcn8s``."""
        return f"{self.encoder}-{self.decoder}"

    @property
    def fill_bgr(self) -> tuple[int, int, int]:
        """The BGR pixel that the input holds beside the frame."""
        if self.resize.fill is None:
            return self.normalization.mean_bgr
        red, green, blue = self.resize.fill
        return blue, green, red

    def grid_size(self, size: Size) -> Size:
        """Rows and columns of scores for an input of ``(height, width)``."""
        return self.geometry.cells(size[0], self.stride), self.geometry.cells(size[1], self.stride)

    def to_json(self) -> str:
        """The spec as canonical JSON: sorted keys, no spaces."""
        import json

        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> ModelSpec:
        """The spec of a JSON text, of any schema version up to this one.

        Raises:
            SpecError: The text is not a valid spec, or a newer fcn_edge wrote it.
        """
        try:
            content = json_of(text)
        except MalformedError as error:
            raise SpecError(
                f"The model's spec is not valid: {error}.", "Export the model again with fcn-edge export."
            ) from error
        try:
            return cls.from_content(content, "The model's spec", SpecError)
        except ValidationError as error:
            raise SpecError(
                f"The model's spec is not valid: {first_problem(error)}.",
                "Export the model again with fcn-edge export.",
            ) from error

    def replace(self, **changes: Any) -> ModelSpec:
        """A copy with some fields changed, validated like a new one.

        Raises:
            SpecError: The changed spec is not valid.
        """
        try:
            return ModelSpec.model_validate({**self.model_dump(), **changes})
        except ValidationError as error:
            raise SpecError(f"The changed spec is not valid: {first_problem(error)}.") from error


def first_problem(error: ValidationError) -> str:
    """The first problem of a validation error as a phrase: where, and what."""
    problem = error.errors(include_url=False, include_input=False)[0]
    where = printable(".".join(map(str, problem["loc"])), 100)  # keys come from files too
    what = phrase_of(problem)
    return f"{where}: {what}" if where else what


def is_size(size: Size) -> bool:
    """Whether an image of ``(height, width)`` is not larger than any network's."""
    return max(size) <= LONGEST_SIDE and size[0] * size[1] <= MOST_PIXELS


def checked_size(size: Size, multiple: int = SIZE_MULTIPLE) -> Size:
    """The size itself when a network takes it.

    Args:
        size: ``(height, width)`` in pixels.
        multiple: What both must be multiples of: the ``geometry.size_multiple`` of a spec; of our own networks 32.

    Raises:
        UsageError: A side is not a positive multiple, or it is larger than any network's.
    """
    height, width = size
    if not is_size(size):
        raise UsageError(
            f"The size {height}x{width} has more pixels than any network takes.",
            f"Give {MOST_PIXELS // 10**6} million pixels at most, and {LONGEST_SIDE} along a side.",
        )
    if height < multiple or width < multiple or height % multiple or width % multiple:
        nearest = tuple(max(multiple, multiple * round(side / multiple)) for side in size)
        raise UsageError(
            f"The size {height}x{width} is not a multiple of {multiple} in height and width.",
            f"The nearest is {nearest[0]}x{nearest[1]} (height x width).",
        )
    return size


def size_from_text(text: str) -> Size:
    """``(height, width)`` of a text such as ``512x1024``; which multiples a network takes is its own affair.

    Raises:
        UsageError: The text is not HEIGHTxWIDTH, or a side is zero.
    """
    height, cross, width = text.lower().partition("x")
    # more digits than any image has would be too many for int()
    if not (cross and height.isdecimal() and width.isdecimal() and len(text) < 20 and int(height) and int(width)):
        raise UsageError(f"'{printable(text, 80)}' is not a size.", "Give height x width in pixels, such as 512x1024.")
    return int(height), int(width)


def _size(value: Any) -> Any:
    try:
        return size_from_text(value) if isinstance(value, str) else value
    except UsageError as error:
        raise ValueError(error.message.rstrip(".")) from error


SizeText = Annotated[Size, BeforeValidator(_size)]
"""A size in a file that people write: ``512x1024``."""
