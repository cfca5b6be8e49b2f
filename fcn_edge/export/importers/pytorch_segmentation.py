"""Checkpoints of dusty-nv/pytorch-segmentation, which jetson-inference's ``fcn-resnet18-*`` are trained with.

Source: dusty-nv/pytorch-segmentation, ``train.py`` (3361220) and ``models/segmentation/segmentation.py`` (545a32b):
torchvision's keys under ``model``; beside them ``arch``, ``dataset``, ``num_classes`` (always 21) and ``resolution``,
one number in older files, else ``(height, width)``. ``fcn_resnet18`` and ``fcn_resnet34`` are not dilated. His segNet
stretches frames to that size (jetson-inference, ``c/segNet.cpp``, 0c11e6b).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fcn_edge.artifacts.label_sets import LABEL_SETS, lengthened
from fcn_edge.artifacts.spec import Size
from fcn_edge.export.importers.base import Family, ImportOptions, unused_note
from fcn_edge.export.importers.resnets import dimension
from fcn_edge.export.importers.torchvision_layout import SIGNATURE, Source, network_of
from fcn_edge.export.network import TrainedNetwork

if TYPE_CHECKING:
    from fcn_edge.artifacts.weights import Weights

__all__ = ["FAMILY", "is_described"]

VOC_DATASETS = ("voc", "voc_aug", "coco")
"""Names of ``dataset`` whose 21 classes are those of PASCAL VOC; the others have 21 scores and fewer classes."""

USUAL_SIZE = (320, 320)
"""The default of ``--resolution``."""

LARGEST_SIDE = 1 << 14

OTHER_NAMES = (
    "The checkpoint does not say what its classes are called: give them with --classes, such as the classes.txt of its "
    "data set."
)


def is_described(weights: Weights) -> bool:
    """Whether what stands beside the tensors is what his ``train.py`` writes there."""
    return {"arch", "resolution"} <= weights.fields.keys()


def _network(weights: Weights, options: ImportOptions) -> TrainedNetwork:
    fields = weights.fields
    is_voc = fields.get("dataset") in VOC_DATASETS
    notes: tuple[str, ...] = () if is_voc else (OTHER_NAMES,)
    if options.labels is not None:
        # there are always as many scores; those without a name were not trained for
        count = dimension(weights, "classifier.4.weight")
        notes = unused_note(options.labels, count)
        options = replace(options, labels=lengthened(options.labels, count))
    source = Source(
        family="pytorch-segmentation",
        about="an FCN of dusty-nv/pytorch-segmentation",
        size=_size(fields.get("resolution")),
        policy="stretch",
        usual=(LABEL_SETS["voc"],) if is_voc else (),
        notes=notes,
    )
    return network_of(weights, options, source)


def _size(resolution: object) -> Size:
    """``(height, width)`` of a resolution, or the usual size where it is none."""
    sides = resolution if isinstance(resolution, list | tuple) else (resolution, resolution)
    if len(sides) != 2 or not all(type(side) is int and 1 <= side <= LARGEST_SIDE for side in sides):
        return USUAL_SIZE
    return sides[0], sides[1]


FAMILY = Family(
    name="pytorch-segmentation",
    about="a checkpoint of dusty-nv/pytorch-segmentation",
    signature=SIGNATURE,
    network=_network,
)
