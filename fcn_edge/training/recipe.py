"""What a training run does, in one frozen object that is saved with its results, and the rules of good ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import Self

from fcn_edge.artifacts.spec import DECODER_STRIDES, Size, checked_size

__all__ = ["LARGEST_MICRO_BATCH", "LATER_STAGES", "Recipe", "Settings", "Stage", "micro_batch_of", "staged"]

Positive = Annotated[int, Field(ge=1)]

Scale = Annotated[float, Field(ge=1 / 16, le=16)]
"""Beyond these a crop is a few pixels of an image, or an image is a few pixels; far beyond, resizing never ends."""

LARGEST_SEED = 2**32 - 1

LATER_STAGES = 0.5
"""Learning rate of the stages that go on from a coarser one, over that of the first."""

LARGEST_MICRO_BATCH = 4
"""Images per forward pass, at most, where nobody said how many."""


class Stage(BaseModel):
    """One stage of training.

    Attributes:
        decoders: Decoders trained in this stage, on one encoder.
        epochs: Passes over the training images.
        lr: Peak learning rate of the encoder.
        freeze_batchnorm: Keep the BatchNorm statistics that the stage starts with; faster, and enough once a coarser
            stage has adapted them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    decoders: Annotated[tuple[str, ...], Field(min_length=1)]
    epochs: Annotated[int, Field(ge=0)]
    lr: Annotated[float, Field(gt=0)]
    freeze_batchnorm: bool = False

    @property
    def name(self) -> str:
        """The decoders of the stage in one word."""
        return "+".join(self.decoders)


class Settings(BaseModel):
    """What all stages of a training share.

    Attributes:
        batch: Images per optimizer step.
        scales: Smallest and largest random scale, over that at which an image just fits into ``size``.
        color: Strength of the color augmentation, 0 to 1.
        balance: Share of the crops that are laid around a pixel of a class, drawn among those of the image, each alike.
        mix: Share of the crops onto which half of the classes of another crop are pasted (``training/mixing.py``).
        schedule: ``one-cycle`` (warm-up, cosine) or ``poly`` (power 0.9).
        head_lr_factor: Learning rate of the score layers over that of the encoder.
        freeze: Blocks of the encoder, from the image on, that keep their first weights and BatchNorm statistics; the
            shipped encoders have five, each of which halves the grid. Early blocks take the most time and learn the
            least.
        weight_decay: Weight decay of AdamW, on weights with more than one dimension.
        class_weight_offset: ``c`` of the class weights ``1 / ln(c + share)`` (Paszke et al. 2016, ENet); a large value
            makes them alike.
        dice: Weight of the Dice loss beside the cross-entropy, whose own is 1. Both are taken at one level: the Dice
            loss is multiplied by the mean class weight of the training pixels.
        hardest: Share of the pixels, those with the largest loss, that the cross-entropy is taken over.
        prior_correction: How far the class weights are taken back from the scores of what is validated and kept, 0 to 1
            (``training/prior.py``).
        teacher_weight: Share of the teachers in the loss, where there are any; the labels have the rest
            (``training/teachers.py``). Both are taken at one level, as with ``dice``.
        temperature: What scores of teachers and network are divided by before they are held against each other.
        ema_decay: Largest decay per step of the averaged weights that are validated and kept; it rises with the steps
            (``training/averaging.py``).
        bfloat16: Compute the convolutions in bfloat16 (``training/mixed_precision.py``).
        rendered: Rendered street scenes per epoch, over the number of real images.
        validate_every: Epochs between validations; the last epoch of a stage is always validated.
        settle: Most epochs that a stage goes on after its schedule, at the schedule's last learning rate and validated
            one by one, while val still rises; 0 ends a stage with its schedule.
        patience: Validations without a rise of val that end a settling stage.
        seed: Seed of initialization, order and augmentation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    batch: Positive = 8
    scales: tuple[Scale, Scale] = (0.5, 2.0)
    color: Annotated[float, Field(ge=0, le=1)] = 0.4
    balance: Annotated[float, Field(ge=0, le=1)] = 0.0
    mix: Annotated[float, Field(ge=0, le=1)] = 0.0
    schedule: Literal["one-cycle", "poly"] = "one-cycle"
    head_lr_factor: Annotated[float, Field(gt=0)] = 5.0
    freeze: Annotated[int, Field(ge=0, le=5)] = 0
    weight_decay: Annotated[float, Field(ge=0)] = 0.02
    class_weight_offset: Annotated[float, Field(gt=1)] = 1.05
    dice: Annotated[float, Field(ge=0)] = 0.0
    hardest: Annotated[float, Field(gt=0, le=1)] = 1.0
    prior_correction: Annotated[float, Field(ge=0, le=1)] = 0.5
    teacher_weight: Annotated[float, Field(ge=0, le=1)] = 0.5
    temperature: Annotated[float, Field(gt=0)] = 2.0
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.995
    bfloat16: bool = False
    rendered: Annotated[float, Field(ge=0)] = 0.0
    validate_every: Positive = 1
    settle: Annotated[int, Field(ge=0)] = 0
    patience: Positive = 3
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)] = 0

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        if self.scales[0] > self.scales[1]:
            raise ValueError("scales must be (smallest, largest)")
        return self


class Recipe(Settings):
    """A training recipe.

    Attributes:
        encoder: Name of the encoder.
        stages: In order; each starts from the result of the one before (Long et al. 2015, section 4.3).
        micro_batch: Images per forward pass; gradients of ``batch / micro_batch`` passes are added up. Small ones fit
            the processor's cache.
        size: ``(height, width)`` of the network's input in validation, and default size of the model.
        crop: ``(height, width)`` of the training crops.
    """

    encoder: str
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    micro_batch: Positive = LARGEST_MICRO_BATCH
    size: Size = (384, 480)
    crop: Size = (384, 480)

    @model_validator(mode="after")
    def _parts_fit(self) -> Recipe:
        if checked_size(self.crop) == (32, 32):
            raise ValueError("crop must be larger than 32x32, of which the coarsest map is a single cell")
        checked_size(self.size)
        if self.batch % self.micro_batch:
            raise ValueError(f"batch ({self.batch}) must be a multiple of micro_batch ({self.micro_batch})")
        unknown = [name for stage in self.stages for name in stage.decoders if name not in DECODER_STRIDES]
        if unknown:
            raise ValueError(f"there is no decoder {unknown[0]!r}; choose from {', '.join(DECODER_STRIDES)}")
        return self


def micro_batch_of(batch: int) -> int:
    """The largest divisor of a batch that is no larger than ``LARGEST_MICRO_BATCH``."""
    return next((n for n in range(LARGEST_MICRO_BATCH, 1, -1) if batch % n == 0), 1)


def staged(decoders: Sequence[str], epochs: Sequence[int], lr: float, *, adapted: bool) -> tuple[Stage, ...]:
    """One stage a decoder, each going on from the one before.

    The first stage adapts the encoder and its BatchNorm statistics to the data, at the full learning rate; those that
    go on from a coarser decoder keep the statistics and take ``LATER_STAGES`` of the rate.

    Args:
        decoders: The decoders, coarsest first.
        epochs: Epochs of each.
        lr: Peak learning rate of a training's first stage.
        adapted: The first of ``decoders`` goes on from a coarser one already.
    """
    return tuple(
        Stage(
            decoders=(decoder,),
            epochs=count,
            lr=lr * LATER_STAGES if number or adapted else lr,
            freeze_batchnorm=bool(number or adapted),
        )
        for number, (decoder, count) in enumerate(zip(decoders, epochs, strict=True))
    )
