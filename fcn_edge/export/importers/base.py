"""What every importer of a family of checkpoints is given, gives, and is built from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from fcn_edge.artifacts.geometry import Geometry
from fcn_edge.artifacts.label_sets import LabelSet, labels_for
from fcn_edge.artifacts.spec import ModelSpec, Normalization, Size, checked_size
from fcn_edge.errors import CheckpointError, UsageError
from fcn_edge.export.network import TrainedNetwork

if TYPE_CHECKING:
    from fcn_edge.artifacts.weights import Weights

__all__ = ["ANY_SIZE", "Family", "ImportOptions", "imported_spec", "require_count", "unused_note"]

MOST_CLASSES = 255

ANY_SIZE = 1
"""``size_multiple`` of a network that takes images of every size."""


@dataclass(frozen=True)
class ImportOptions:
    """What the user says of a checkpoint; None where the checkpoint or its family is to say it.

    Attributes:
        arch: Which network it is, where a checkpoint fits several: a name that the family's message lists.
        decoder: The decoder that it is expected to have.
        size: Default network size ``(height, width)``.
        labels: Names, colors and void of the classes.
        mean: Per channel, in ``color_order``, on the 0 to 255 scale.
        std: Per channel, in ``color_order``, on the 0 to 255 scale.
        color_order: Order of the channels that the network was trained on.
        output_name: Tensor of an ONNX file that holds the class scores.
    """

    arch: str | None = None
    decoder: str | None = None
    size: Size | None = None
    labels: LabelSet | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    color_order: Literal["rgb", "bgr"] | None = None
    output_name: str | None = None

    def normalization(self, usual: Normalization) -> Normalization:
        """The family's usual normalization with what the user says otherwise; in another order, colors keep theirs."""
        if self.color_order not in (None, usual.color_order):
            usual = Normalization(mean=usual.mean[::-1], std=usual.std[::-1])
        given = {"mean": self.mean, "std": self.std, "color_order": self.color_order}
        return Normalization.model_validate(
            {**usual.model_dump(), **{key: value for key, value in given.items() if value is not None}}
        )


@dataclass(frozen=True)
class Family:
    """A family of checkpoints: networks of one source, told by their parameters' names.

    Attributes:
        name: Goes into the spec's ``family``.
        about: What it is, to end a sentence such as "The nearest is ...".
        signature: Names of parameters, prefixes taken off, that all checkpoints of the family have and no other does
            together.
        network: Makes the network of weights that have the signature.
    """

    name: str
    about: str
    signature: frozenset[str]
    network: Callable[[Weights, ImportOptions], TrainedNetwork]


def imported_spec(
    options: ImportOptions,
    *,
    name: str,
    family: str,
    encoder: str,
    decoder: str,
    stride: int,
    geometry: Geometry,
    classes: int,
    normalization: Normalization,
    size: Size,
    usual: Sequence[LabelSet] = (),
    **more: Any,
) -> ModelSpec:
    """The spec of an imported network.

    Args:
        options: What the user says of it.
        name: What the model is called unless the user says otherwise.
        family: Name of the family.
        encoder: Name of the encoder.
        decoder: Name of the decoder.
        stride: Input pixels per score cell.
        geometry: Where the cells lie.
        classes: How many classes the network scores.
        normalization: The family's usual one.
        size: The family's usual network size, ``(height, width)``.
        usual: Label sets that networks of the family are trained on; the one with as many classes gives the names.
            Where there is none, classes are called by their numbers.
        more: Other fields of the spec.

    Raises:
        UsageError: The user's label set has another number of classes, or the network does not take the user's size.
        CheckpointError: There is one class only, or there are more than 255.
    """
    if not 2 <= classes <= MOST_CLASSES:
        raise CheckpointError(
            f"The network scores {classes} class{'es' * (classes > 1)}; 2 to {MOST_CLASSES} were expected.",
            "A network with one output needs a second, constant one for the background: export it to ONNX so."
            if classes < 2
            else f"A mask holds one byte a pixel: train the network on {MOST_CLASSES} classes or fewer.",
        )
    labels = options.labels
    if labels is not None:
        require_count(labels, classes)
    labels = labels or labels_for(classes, *usual)
    return ModelSpec.model_validate(
        {
            "name": name,
            "family": family,
            "encoder": encoder,
            "decoder": decoder,
            "stride": stride,
            "geometry": geometry,
            "classes": labels.classes,
            "palette": labels.palette,
            "void": labels.void,
            "size": checked_size(options.size or size, geometry.size_multiple),
            "normalization": options.normalization(normalization),
            **more,
        }
    )


def unused_note(labels: LabelSet, classes: int) -> tuple[str, ...]:
    """What to say of a label set that has fewer names than a network scores classes; nothing where it has not."""
    named = len(labels.classes)
    if named >= classes:
        return ()
    which = f"unused {named}" + (f" to unused {classes - 1}" if named < classes - 1 else "")
    return (f"It scores {classes} classes and {named} have names: the others are called {which}.",)


def require_count(labels: LabelSet, classes: int) -> None:
    """Check that there is a name for each class.

    Raises:
        UsageError: There is not.
    """
    if len(labels.classes) != classes:
        raise UsageError(
            f"{labels.name} has {len(labels.classes)} classes; the checkpoint has {classes}.",
            "Give as many names as the checkpoint has classes.",
        )
