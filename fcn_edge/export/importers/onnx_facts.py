"""What is known of a network that is an ONNX file, beside what its graph shows."""

from __future__ import annotations

from dataclasses import dataclass

from fcn_edge.artifacts.label_sets import LabelSet, generated_palette
from fcn_edge.artifacts.names import shown
from fcn_edge.artifacts.spec import Normalization, Resize, Size

__all__ = ["OnnxFacts", "label_set"]

VOID = 255
MOST_CLASSES = 256
"""One more than an export takes: it says so then."""

PAD = Resize()


@dataclass(frozen=True)
class OnnxFacts:
    """What a family of ONNX files says of a network.

    Attributes:
        name: What the model is called unless the user says otherwise.
        family: Name of the family.
        encoder: Name of the encoder.
        decoder: Name of the decoder.
        normalization: What it was trained with; None where nobody says so.
        size: Its usual ``(height, width)``, where the graph takes any.
        multiple: What height and width are multiples of.
        resize: How frames are brought to its size.
        labels: Label sets that it may have been trained on.
        spare: Whether it has scores that no class was trained for, behind those of the classes that have names.
        nameless: What to say where nobody names its classes.
        notes: What its user should know, one sentence each.
    """

    name: str
    family: str
    encoder: str
    decoder: str
    normalization: Normalization | None = None
    size: Size = (512, 1024)
    multiple: int = 1
    resize: Resize = PAD
    labels: tuple[LabelSet, ...] = ()
    spare: bool = False
    nameless: str = ""
    notes: tuple[str, ...] = ()


def label_set(
    name: str,
    classes: tuple[str, ...],
    known: tuple[LabelSet, ...] = (),
    palette: tuple[tuple[int, int, int], ...] | None = None,
) -> LabelSet:
    """The label set of classes that a file names.

    Args:
        name: What it is called.
        classes: Class names by id, as the file writes them; equal ones get a number.
        known: Sets whose colors it gets when all names are theirs.
        palette: Its own colors, where it has some.
    """
    names: dict[str, None] = {}
    for text in classes[:MOST_CLASSES]:
        plain = shown(text.strip()) or "class"
        free, number = plain, 2
        while free in names:
            free, number = f"{plain} {number}", number + 1
        names[free] = None
    lower = [each.lower() for each in names]
    same = next((each for each in known if [one.lower() for one in each.classes] == lower), None)
    if palette is None or len(palette) != len(names):
        palette = generated_palette(len(names)) if same is None else same.palette
    return LabelSet(name, tuple(names), palette, VOID)
