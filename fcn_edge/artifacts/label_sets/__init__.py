"""Class names, palettes and void ids of the data sets that people train FCNs on: one file a set.

Palettes are RGB triples of 0 to 255, in the order of the class ids. Each file names its sources.
"""

from __future__ import annotations

from fcn_edge.artifacts.label_sets.ade20k import ADE20K
from fcn_edge.artifacts.label_sets.base import Color, LabelSet, generated_palette, lengthened
from fcn_edge.artifacts.label_sets.camvid import CAMVID
from fcn_edge.artifacts.label_sets.cityscapes import CITYSCAPES
from fcn_edge.artifacts.label_sets.coco_stuff import COCO_STUFF
from fcn_edge.artifacts.label_sets.pascal_context import PASCAL_CONTEXT, PASCAL_CONTEXT_59, PASCAL_CONTEXT_CAFFE
from fcn_edge.artifacts.label_sets.registry import LABEL_SETS, labels_for
from fcn_edge.artifacts.label_sets.voc import VOC

__all__ = [
    "ADE20K",
    "CAMVID",
    "CITYSCAPES",
    "COCO_STUFF",
    "LABEL_SETS",
    "PASCAL_CONTEXT",
    "PASCAL_CONTEXT_59",
    "PASCAL_CONTEXT_CAFFE",
    "VOC",
    "Color",
    "LabelSet",
    "generated_palette",
    "labels_for",
    "lengthened",
]
