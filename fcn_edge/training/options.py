"""From what people say of a training, a decoder and some numbers, to the recipe that does it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from fcn_edge.artifacts.checkpoint import checkpoint_header
from fcn_edge.artifacts.spec import DECODER_STRIDES, ModelSpec, Size, first_problem
from fcn_edge.errors import CheckpointError, UsageError
from fcn_edge.training.fitting import fitting_size
from fcn_edge.training.recipe import Positive, Recipe, Settings, Stage, micro_batch_of, staged

__all__ = ["DECODERS", "TrainingOptions", "checked_options", "decoder_of_checkpoint"]

DECODERS = tuple(DECODER_STRIDES)
"""Coarsest first: the order of the paper's stages."""


class TrainingOptions(Settings):
    """A training in the words of its user.

    ``recipe`` makes the recipe::

        options = TrainingOptions(encoder="mobilenet_v2", decoder="fcn8s", epochs=(30, 15, 30), size=(384, 480))
        train(options.recipe(), "data/camvid", Path("camvid-fcn8s.safetensors"))

    Attributes:
        encoder: Name of the encoder.
        decoder: The finest decoder to train.
        epochs: Epochs of every stage, or of each; a single 0 only initializes the decoder.
        mode: ``staged`` trains fcn32s, then fcn16s from it, then fcn8s from that; ``at-once`` all of them on one
            encoder.
        lr: Peak learning rate of the encoder in the first stage of the whole staged training.
        micro_batch: Images per forward pass; the largest divisor of ``batch`` up to 4 when left out.
        size: ``(height, width)`` of the network's input, multiples of 32; when left out that of the checkpoint that it
            goes on from, or what fits the images (``training/fitting.py``).
        crop: ``(height, width)`` of the training crops; ``size`` when left out.
    """

    encoder: str
    decoder: Literal["fcn32s", "fcn16s", "fcn8s"]
    epochs: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (30,)
    mode: Literal["staged", "at-once"] = "staged"
    lr: Annotated[float, Field(gt=0)] = 8e-4
    micro_batch: Positive | None = None
    size: Size | None = None
    crop: Size | None = None

    def recipe(self, init: Path | None = None, *, images: Size = (360, 480)) -> Recipe:
        """The recipe of this training.

        Args:
            init: What it starts from, or one of several checkpoints whose mean it starts from. From a coarser decoder's
                checkpoint only the finer stages are trained.
            images: ``(height, width)`` that is typical of the images (``fitting.typical_size``), for a size that was
                left out.

        Raises:
            UsageError: There are neither as many numbers of epochs as stages, nor one; or the micro-batch does not
                divide the batch.
        """
        settings = {name: getattr(self, name) for name in Settings.model_fields}
        stages = self.stages(decoder_of_checkpoint(init))
        micro_batch = self.micro_batch or micro_batch_of(self.batch)
        try:
            size = self.size or _size_of_checkpoint(init) or fitting_size(images)
            return Recipe(
                encoder=self.encoder,
                stages=stages,
                micro_batch=micro_batch,
                size=size,
                crop=self.crop or size,
                **settings,
            )
        except ValidationError as error:
            raise _no_recipe(error) from error

    def stages(self, start: str | None = None) -> tuple[Stage, ...]:
        """The stages of this training.

        Args:
            start: Decoder of the checkpoint to go on from; None when there is none.

        Raises:
            UsageError: There are neither as many numbers of epochs as stages, nor one.
        """
        wanted = DECODERS[: DECODERS.index(self.decoder) + 1]
        if self.mode == "at-once" and self.epochs != (0,):
            (count,) = self._epochs_of(["+".join(wanted)])
            return (Stage(decoders=wanted, epochs=count, lr=self.lr),)
        names: Sequence[str] = (self.decoder,)
        if self.epochs != (0,) and (start is None or start in wanted[:-1]):
            # a checkpoint of the same or of a finer decoder is trained further as it is
            names = wanted[DECODERS.index(start) + 1 :] if start else wanted
        adapted = self.mode == "staged" and start in DECODERS[: DECODERS.index(names[0])]
        return staged(names, self._epochs_of(names), self.lr, adapted=adapted)

    def _epochs_of(self, stages: Sequence[str]) -> tuple[int, ...]:
        if len(self.epochs) not in (1, len(stages)):
            raise UsageError(
                f"{len(self.epochs)} numbers of epochs were given for {len(stages)} stage{'s' * (len(stages) > 1)}: "
                f"{', '.join(stages)}.",
                "Give one number of epochs for all stages, or one for each.",
            )
        return self.epochs if len(self.epochs) == len(stages) else self.epochs * len(stages)


def checked_options(**values: Any) -> TrainingOptions:
    """``TrainingOptions`` of values from outside.

    Raises:
        UsageError: They make no training.
    """
    try:
        return TrainingOptions(**values)
    except ValidationError as error:
        raise _no_recipe(error) from error


def decoder_of_checkpoint(init: Path | None) -> str | None:
    """The decoder of a checkpoint that fcn_edge wrote; None for weights of an encoder alone."""
    spec = _spec_of_checkpoint(init)
    return str(spec.decoder) if spec else None


def _size_of_checkpoint(init: Path | None) -> Size | None:
    spec = _spec_of_checkpoint(init)
    return spec.size if spec else None


def _spec_of_checkpoint(init: Path | None) -> ModelSpec | None:
    if init is None or init.suffix != ".safetensors":
        return None
    try:
        return checkpoint_header(init).spec
    except CheckpointError:
        return None


def _no_recipe(error: ValidationError) -> UsageError:
    return UsageError(f"These options make no recipe: {first_problem(error)}.", "Give it a value that it takes.")
