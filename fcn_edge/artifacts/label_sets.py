"""Class names, palettes and void ids of the data sets that people train FCNs on.

Palettes are RGB triples of 0 to 255, in the order of the class ids. Sources: CamVid as published with SegNet,
Cityscapes' ``labels.py`` (the 19 evaluation classes), PASCAL VOC's development kit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["LABEL_SETS", "LabelSet", "generated_palette"]

Color = tuple[int, int, int]


@dataclass(frozen=True)
class LabelSet:
    """Names and colors of a set of classes.

    Attributes:
        name: What the set is called on the command line.
        classes: Class names; a class id is the position in this tuple.
        palette: One RGB color (0 to 255) a class.
        void: Label value that is ignored in training and scoring.
    """

    name: str
    classes: tuple[str, ...]
    palette: tuple[Color, ...]
    void: int


CAMVID = LabelSet(
    name="camvid",
    classes=(
        "sky",
        "building",
        "pole",
        "road",
        "pavement",
        "tree",
        "sign",
        "fence",
        "car",
        "pedestrian",
        "bicyclist",
    ),
    palette=(
        (128, 128, 128),
        (128, 0, 0),
        (192, 192, 128),
        (128, 64, 128),
        (60, 40, 222),
        (128, 128, 0),
        (192, 128, 128),
        (64, 64, 128),
        (64, 0, 128),
        (64, 64, 0),
        (0, 128, 192),
    ),
    void=11,
)

CITYSCAPES = LabelSet(
    name="cityscapes",
    classes=(
        "road",
        "sidewalk",
        "building",
        "wall",
        "fence",
        "pole",
        "traffic light",
        "traffic sign",
        "vegetation",
        "terrain",
        "sky",
        "person",
        "rider",
        "car",
        "truck",
        "bus",
        "train",
        "motorcycle",
        "bicycle",
    ),
    palette=(
        (128, 64, 128),
        (244, 35, 232),
        (70, 70, 70),
        (102, 102, 156),
        (190, 153, 153),
        (153, 153, 153),
        (250, 170, 30),
        (220, 220, 0),
        (107, 142, 35),
        (152, 251, 152),
        (70, 130, 180),
        (220, 20, 60),
        (255, 0, 0),
        (0, 0, 142),
        (0, 0, 70),
        (0, 60, 100),
        (0, 80, 100),
        (0, 0, 230),
        (119, 11, 32),
    ),
    void=255,
)


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


def generated_palette(classes: int) -> tuple[Color, ...]:
    """Distinct RGB colors for ``classes`` classes that bring none of their own (PASCAL VOC's color map)."""
    return tuple(_voc_color(index) for index in range(classes))


VOC = LabelSet(
    name="voc",
    classes=(
        "background",
        "aeroplane",
        "bicycle",
        "bird",
        "boat",
        "bottle",
        "bus",
        "car",
        "cat",
        "chair",
        "cow",
        "diningtable",
        "dog",
        "horse",
        "motorbike",
        "person",
        "pottedplant",
        "sheep",
        "sofa",
        "train",
        "tvmonitor",
    ),
    palette=generated_palette(21),
    void=255,
)

LABEL_SETS: Mapping[str, LabelSet] = MappingProxyType({s.name: s for s in (CAMVID, CITYSCAPES, VOC)})
"""The label sets by name."""
