"""What a label set is, and colors for classes that bring none."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["Color", "LabelSet", "generated_palette", "labels_of_table", "lengthened"]

Color = tuple[int, int, int]


@dataclass(frozen=True)
class LabelSet:
    """Names and colors of a set of classes.

    Attributes:
        name: What the set is called on the command line.
        classes: Class names; a class id is the position in this tuple.
        palette: One RGB color (0 to 255) a class, as published; some publishers give a color to two classes.
        void: Label value that is ignored in training and scoring; never a class id.
    """

    name: str
    classes: tuple[str, ...]
    palette: tuple[Color, ...]
    void: int


def labels_of_table(name: str, void: int, table: str) -> LabelSet:
    """A label set of a table with a line a class, ``R G B class name``, in the order of the class ids."""
    rows = [line.split(maxsplit=3) for line in table.strip().splitlines()]
    palette = tuple((int(red), int(green), int(blue)) for red, green, blue, _ in rows)
    return LabelSet(name, tuple(row[3] for row in rows), palette, void)


def generated_palette(classes: int) -> tuple[Color, ...]:
    """RGB colors for ``classes`` classes that bring none of their own: PASCAL VOC's color map, 256 distinct colors."""
    return tuple(_voc_color(index) for index in range(classes))


def lengthened(labels: LabelSet, count: int) -> LabelSet:
    """A label set of at least ``count`` classes: those without a name are called ``unused 5`` and so on by their id.

    For networks that always have as many scores, however many classes they were trained on. The new classes have the
    colors of PASCAL VOC's color map; a void that was the id of one becomes 255.
    """
    if len(labels.classes) >= count:
        return labels
    names = dict.fromkeys(labels.classes)
    number = len(names)
    while len(names) < count:
        names[f"unused {number}"] = None
        number += 1
    palette = (*labels.palette, *generated_palette(256)[len(labels.palette) : count])
    return replace(labels, classes=tuple(names), palette=palette, void=labels.void if labels.void >= count else 255)


def _voc_color(index: int) -> Color:
    """Color ``index`` of PASCAL VOC's color map: the id's bits dealt out to R, G and B, highest first."""
    red = green = blue = 0
    rest = index
    for shift in range(7, -1, -1):
        red |= (rest & 1) << shift
        green |= (rest >> 1 & 1) << shift
        blue |= (rest >> 2 & 1) << shift
        rest >>= 3
    return red, green, blue
