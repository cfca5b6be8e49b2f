"""The label sets by name, and the one that a number of outputs speaks for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fcn_edge.artifacts.label_sets.ade20k import ADE20K
from fcn_edge.artifacts.label_sets.base import LabelSet, generated_palette
from fcn_edge.artifacts.label_sets.camvid import CAMVID
from fcn_edge.artifacts.label_sets.cityscapes import CITYSCAPES
from fcn_edge.artifacts.label_sets.coco_stuff import COCO_STUFF
from fcn_edge.artifacts.label_sets.pascal_context import PASCAL_CONTEXT, PASCAL_CONTEXT_59, PASCAL_CONTEXT_CAFFE
from fcn_edge.artifacts.label_sets.voc import VOC

__all__ = ["LABEL_SETS", "labels_for"]

LABEL_SETS: Mapping[str, LabelSet] = MappingProxyType(
    {
        "camvid": CAMVID,
        "cityscapes": CITYSCAPES,
        "voc": VOC,
        "pascal-context": PASCAL_CONTEXT,
        "pascal-context-59": PASCAL_CONTEXT_59,
        "pascal-context-caffe": PASCAL_CONTEXT_CAFFE,
        "ade20k": ADE20K,
        "coco-stuff": COCO_STUFF,
    }
)
"""The label sets by name."""


def labels_for(count: int, *likely: LabelSet) -> LabelSet:
    """The labels of a network with ``count`` outputs that brings no names.

    Args:
        count: Number of its classes, at most 255.
        likely: The sets that networks of its family are trained on, the likeliest first.

    Returns:
        The first of the likely sets with as many classes; else classes called ``class 0``, ``class 1`` and so on, with
        generated colors and void 255.
    """
    for labels in likely:
        if len(labels.classes) == count:
            return labels
    return LabelSet(
        f"{count} classes", tuple(f"class {index}" for index in range(count)), generated_palette(count), void=255
    )
