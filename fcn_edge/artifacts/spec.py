"""ModelSpec: everything a model says of itself.

It is written into the ONNX ``metadata_props`` at export and into every engine's ``engine.json``; no later command
needs a configuration file. Sizes are ``(height, width)``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fcn_edge.errors import SpecError, UsageError

__all__ = [
    "DECODER_STRIDES",
    "SIZE_MULTIPLE",
    "ModelSpec",
    "Normalisation",
    "Provenance",
    "Resize",
    "Sha256",
    "Size",
    "checked_size",
    "size_from_text",
]

SIZE_MULTIPLE = 32
"""Network heights and widths are multiples of the coarsest stride."""

DECODER_STRIDES = {"fcn32s": 32, "fcn16s": 16, "fcn8s": 8}
"""Stride of each decoder's scores, in input pixels."""

Size = tuple[int, int]
Byte = Annotated[int, Field(ge=0, le=255)]
Color = tuple[Byte, Byte, Byte]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 in hexadecimal, lower case."""
Triple = tuple[float, float, float]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False)


class Resize(_Part):
    """How a frame becomes the network's input.

    Attributes:
        policy: ``pad`` scales to fit, keeps the aspect and fills right and bottom with the mean color; ``stretch``
            scales each axis on its own; ``roi`` takes a region of the frame first and then pads.
        roi: top, left, bottom, right of the region as fractions of the frame; only with ``roi``.
    """

    policy: Literal["pad", "stretch", "roi"] = "pad"
    roi: tuple[Fraction, Fraction, Fraction, Fraction] | None = None

    @model_validator(mode="after")
    def _roi_fits_policy(self) -> Resize:
        if (self.policy == "roi") != (self.roi is not None):
            raise ValueError("a region belongs to the resize policy 'roi', and only to it")
        if self.roi is not None:
            top, left, bottom, right = self.roi
            if not (top < bottom and left < right):
                raise ValueError("the region must be (top, left, bottom, right) with top < bottom and left < right")
        return self


class Normalisation(_Part):
    """What the graph does to the image before the first convolution: ``(image - mean) / std``.

    Attributes:
        colour_order: Order of the channels that the encoder was trained on; the input image is always BGR.
        mean: Per channel, in ``colour_order``, on the 0 to 255 scale.
        std: Per channel, in ``colour_order``, on the 0 to 255 scale.
    """

    colour_order: Literal["rgb", "bgr"] = "rgb"
    mean: Triple = (123.675, 116.28, 103.53)
    std: Triple = (58.395, 57.12, 57.375)

    @model_validator(mode="after")
    def _std_is_positive(self) -> Normalisation:
        if min(self.std) <= 0:
            raise ValueError("std must be positive")
        return self

    @property
    def mean_bgr(self) -> tuple[int, int, int]:
        """The mean color as a BGR pixel, what ``pad`` fills with."""
        mean = self.mean if self.colour_order == "bgr" else self.mean[::-1]
        return round(mean[0]), round(mean[1]), round(mean[2])


class Provenance(_Part):
    """Where a model comes from.

    Attributes:
        checkpoint_sha256: Hash of the checkpoint file it was exported from.
        trained_on: Names of the data sets.
        recipe: The training recipe, one line per stage.
        tools: Library versions by name.
    """

    checkpoint_sha256: str = ""
    trained_on: tuple[str, ...] = ()
    recipe: tuple[str, ...] = ()
    tools: dict[str, str] = Field(default_factory=dict)


class ModelSpec(_Part):
    """What a model is and how to feed it. Frozen; a change makes a new one with ``replace``.

    Attributes:
        name: What the model is called.
        encoder: ``vgg16``, ``resnet50``, ``mobilenet_v2``; other names for imported networks.
        decoder: ``fcn32s``, ``fcn16s`` or ``fcn8s``.
        stride: Input pixels per score cell.
        classes: Class names by id.
        palette: One RGB color per class.
        void: Label value that scoring ignores and that ``unknown`` pixels get; outside the class ids.
        size: Default network size ``(height, width)``, multiples of 32.
        resize: How frames are brought to that size.
        normalisation: What the graph does with the image.
        head: ``scores``: the graph ends at class scores at ``stride``; ``labels``: at a full-size mask.
        precision: Precision of the graph: ``fp32``, ``fp16`` or ``int8``.
        profile: Quantization profile of an ``int8`` graph.
        provenance: Where it comes from.
    """

    schema_version: Literal[1] = 1
    name: Annotated[str, Field(min_length=1, max_length=200)]
    encoder: Annotated[str, Field(min_length=1)]
    decoder: Literal["fcn32s", "fcn16s", "fcn8s"]
    stride: Literal[8, 16, 32]
    classes: Annotated[tuple[str, ...], Field(min_length=2, max_length=255)]
    palette: tuple[Color, ...]
    void: Byte = 255
    size: Size
    resize: Resize = Resize()
    normalisation: Normalisation = Normalisation()
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
        if self.stride != DECODER_STRIDES[self.decoder]:
            raise ValueError(f"{self.decoder} has stride {DECODER_STRIDES[self.decoder]}, not {self.stride}")
        if any(side < SIZE_MULTIPLE or side % SIZE_MULTIPLE for side in self.size):
            raise ValueError(f"size {self.size} must be multiples of {SIZE_MULTIPLE}")
        if (self.precision == "int8") != (self.profile is not None):
            raise ValueError("a quantization profile belongs to an int8 graph, and only to it")
        return self

    @property
    def arch(self) -> str:
        """Encoder and decoder in one word, such as ``mobilenet_v2-fcn8s``."""
        return f"{self.encoder}-{self.decoder}"

    def to_json(self) -> str:
        """The spec as canonical JSON: sorted keys, no spaces."""
        import json

        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> ModelSpec:
        """The spec of a JSON text.

        Raises:
            SpecError: The text is not a valid spec.
        """
        try:
            return cls.model_validate_json(text)
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
    # keys come from files too: one may be long, or hold line breaks
    where = "".join(letter if letter.isprintable() else "?" for letter in ".".join(map(str, problem["loc"])))[:100]
    what = problem["msg"].removeprefix("Value error, ")
    return f"{where}: {what}" if where else what


def checked_size(size: Size) -> Size:
    """The size itself when the network takes it.

    Args:
        size: ``(height, width)`` in pixels.

    Raises:
        UsageError: A side is not a positive multiple of 32.
    """
    height, width = size
    if height < SIZE_MULTIPLE or width < SIZE_MULTIPLE or height % SIZE_MULTIPLE or width % SIZE_MULTIPLE:
        nearest = tuple(max(SIZE_MULTIPLE, SIZE_MULTIPLE * round(side / SIZE_MULTIPLE)) for side in size)
        raise UsageError(
            f"The size {height}x{width} is not a multiple of {SIZE_MULTIPLE} in height and width.",
            f"The nearest is {nearest[0]}x{nearest[1]} (height x width).",
        )
    return size


def size_from_text(text: str) -> Size:
    """``(height, width)`` of a text such as ``512x1024``.

    Raises:
        UsageError: The text is not HEIGHTxWIDTH, or a side is not a positive multiple of 32.
    """
    height, cross, width = text.lower().partition("x")
    # more digits than any image has would be too many for int()
    if not (cross and height.isdecimal() and width.isdecimal() and len(text) < 20):
        raise UsageError(f"{text!r} is not a size.", "Give height x width in pixels, such as 512x1024.")
    return checked_size((int(height), int(width)))
