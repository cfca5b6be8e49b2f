"""The options of ``fcn-edge train`` to a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fcn_edge.errors import UsageError

if TYPE_CHECKING:
    from fcn_edge.training.recipe import Recipe, Stage

__all__ = ["DECODERS", "ENCODERS", "recipe_of_options", "stages_of"]

ENCODERS = ("vgg16", "resnet50", "mobilenet_v2")
DECODERS = ("fcn32s", "fcn16s", "fcn8s")
"""Coarsest first: the order of the paper's stages."""

LATER_STAGES = 0.5
"""Learning rate of the stages after the first, over that of the first."""

LARGEST_MICRO_BATCH = 4


def recipe_of_options(
    *,
    encoder: str,
    decoder: str,
    epochs: tuple[int, ...],
    stages: str,
    lr: float,
    batch: int,
    micro_batch: int | None,
    start: str | None,
    **settings: Any,
) -> Recipe:
    """The recipe that the options of the command ask for.

    Args:
        encoder: Name of the encoder.
        decoder: The finest decoder.
        epochs: Epochs of every stage, or of each.
        stages: ``staged`` or ``at-once``.
        lr: Peak learning rate of the first stage.
        batch: Images per optimizer step.
        micro_batch: Images per forward pass.
        start: Decoder of the checkpoint to go on from; None when there is none.
        settings: Other fields of the recipe.

    Raises:
        UsageError: They make no recipe.
    """
    from pydantic import ValidationError

    from fcn_edge.artifacts.spec import first_problem
    from fcn_edge.training.recipe import Recipe

    if micro_batch is None:
        micro_batch = next((n for n in range(LARGEST_MICRO_BATCH, 1, -1) if batch % n == 0), 1)
    try:
        return Recipe(
            encoder=encoder,
            stages=stages_of(decoder, stages, epochs, lr, start),
            batch=batch,
            micro_batch=micro_batch,
            **settings,
        )
    except ValidationError as error:
        raise UsageError(
            f"These options make no recipe: {first_problem(error)}.", "See fcn-edge train --help."
        ) from error


def stages_of(decoder: str, how: str, epochs: tuple[int, ...], lr: float, start: str | None) -> tuple[Stage, ...]:
    """The stages down to a decoder.

    Args:
        decoder: The finest decoder.
        how: ``staged`` or ``at-once``.
        epochs: Epochs of every stage, or of each; a single 0 only initializes the decoder.
        lr: Peak learning rate of the first stage of the whole staged training.
        start: Decoder of the checkpoint to go on from; None when there is none.

    Raises:
        UsageError: There are neither as many numbers of epochs as stages, nor one.
    """
    from fcn_edge.training.recipe import Stage

    wanted = DECODERS[: DECODERS.index(decoder) + 1]
    if epochs == (0,):
        groups: list[tuple[str, ...]] = [(decoder,)]
    elif how == "at-once":
        groups = [wanted]
    else:
        done = DECODERS.index(start) + 1 if start in wanted[:-1] else 0
        # a checkpoint of the same or of a finer decoder is trained further as it is
        groups = [(decoder,)] if start and not done else [(name,) for name in wanted[done:]]
    if len(epochs) not in (1, len(groups)):
        names = ", ".join("+".join(group) for group in groups)
        raise UsageError(
            f"{len(epochs)} numbers of epochs were given for {len(groups)} stage{'s' * (len(groups) > 1)}: {names}.",
            "Give --epochs one number for all, or one for each.",
        )
    each = epochs if len(epochs) == len(groups) else epochs * len(groups)
    made: list[Stage] = []
    for group, count in zip(groups, each, strict=True):
        # BatchNorm has adapted to the data in the coarser stage, this training's or the checkpoint's
        later = how == "staged" and (bool(made) or start in DECODERS[: DECODERS.index(group[0])])
        made.append(Stage(decoders=group, epochs=count, lr=lr * LATER_STAGES if later else lr, freeze_batchnorm=later))
    return tuple(made)
