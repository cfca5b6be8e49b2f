"""Colors and ids that published data sets use in their own label files.

``COLOR_CODES`` and ``ID_CODES`` give for each class of a label set the sources that it is made of; ``void`` lists
what is ignored. Sources: CamVid's ``label_colors.txt`` with SegNet's grouping of its 32 classes into 11,
Cityscapes' ``labels.py``, PASCAL VOC's development kit; for other ids than a set's own, the file of the label set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from fcn_edge.artifacts.label_sets import LABEL_SETS, Color

__all__ = ["COLOR_CODES", "ID_CODES", "VOID_NAME"]

VOID_NAME = "void"
"""Stands for the ignored pixels among class names, in these tables and in mapping files."""

_CAMVID_EXTRA: dict[str, tuple[Color, ...]] = {
    # wall, bridge, tunnel, archway
    "building": ((64, 192, 0), (0, 128, 64), (64, 0, 64), (192, 0, 128)),
    "pole": ((0, 0, 64),),  # traffic cone
    "road": ((128, 0, 192), (192, 0, 64)),  # lane marks, driven and not
    "pavement": ((0, 0, 192), (64, 192, 128), (128, 128, 192)),  # sidewalk, parking block, road shoulder
    "tree": ((192, 192, 0),),  # other vegetation
    "sign": ((128, 128, 64), (0, 64, 64)),  # text, traffic light
    # SUV and pick-up, truck and bus, train, other moving things
    "car": ((64, 128, 192), (192, 128, 192), (192, 64, 128), (128, 64, 64)),
    "pedestrian": ((192, 128, 64), (64, 0, 192), (64, 128, 64)),  # child, cart and pram, animal
    "bicyclist": ((192, 0, 192),),  # motorcycle and scooter
    VOID_NAME: ((0, 0, 0),),
}

_CITYSCAPES_EXTRA: dict[str, tuple[Color, ...]] = {
    # unlabeled, dynamic, ground, parking, rail track, guard rail, bridge, tunnel, caravan, trailer
    VOID_NAME: (
        (0, 0, 0),
        (111, 74, 0),
        (81, 0, 81),
        (250, 170, 160),
        (230, 150, 140),
        (180, 165, 180),
        (150, 100, 100),
        (150, 120, 90),
        (0, 0, 90),
        (0, 0, 110),
    ),
}

_VOC_EXTRA: dict[str, tuple[Color, ...]] = {VOID_NAME: ((224, 224, 192),)}


def _codes(name: str, extra: dict[str, tuple[Color, ...]]) -> Mapping[str, tuple[Color, ...]]:
    labels = LABEL_SETS[name]
    codes = {label: (color, *extra.get(label, ())) for label, color in zip(labels.classes, labels.palette, strict=True)}
    return MappingProxyType({**codes, VOID_NAME: extra[VOID_NAME]})


COLOR_CODES: Mapping[str, Mapping[str, tuple[Color, ...]]] = MappingProxyType(
    {
        "camvid": _codes("camvid", _CAMVID_EXTRA),
        "cityscapes": _codes("cityscapes", _CITYSCAPES_EXTRA),
        "voc": _codes("voc", _VOC_EXTRA),
    }
)
"""RGB colors by label set and class: both CamVid's 11 and its 32 original colors, Cityscapes, PASCAL VOC."""

_CITYSCAPES_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)

_COCO_STUFF_GAPS = (11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90)
"""Ids of the things that COCO names and labels in no image."""


def _ids(name: str, sources: Iterable[int], void: tuple[int, ...]) -> Mapping[str, tuple[int, ...]]:
    codes = {label: (source,) for label, source in zip(LABEL_SETS[name].classes, sources, strict=True)}
    return MappingProxyType({**codes, VOID_NAME: void})


ID_CODES: Mapping[str, Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {
        "cityscapes": _ids(
            "cityscapes", _CITYSCAPES_IDS, tuple(source for source in range(34) if source not in _CITYSCAPES_IDS)
        ),
        "pascal-context-59": _ids("pascal-context-59", range(1, 60), (0,)),
        "ade20k": _ids("ade20k", range(1, 151), (0,)),
        "coco-stuff": _ids("coco-stuff", (source for source in range(182) if source not in _COCO_STUFF_GAPS), (255,)),
    }
)
"""Source ids by label set and class: Cityscapes' ``*_labelIds.png``, PASCAL-Context and ADE20K with 0 for the
background or others, which is ignored, and the PNG files of COCO-Stuff 164k."""
