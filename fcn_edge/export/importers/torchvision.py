"""torchvision's ``fcn_resnet50`` and ``fcn_resnet101``, trained by it or with its reference scripts.

Source: torchvision 0.29.1, ``models/segmentation/fcn.py`` and ``transforms/_presets.py``: RGB, the short side resized
to 520, 21 classes of PASCAL VOC. Its ``references/segmentation/train.py`` saves ``model``, ``optimizer``,
``lr_scheduler``, ``epoch`` and ``args``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.export.importers import pytorch_segmentation
from fcn_edge.export.importers.base import Family, ImportOptions
from fcn_edge.export.importers.torchvision_layout import SIGNATURE, Source, network_of
from fcn_edge.export.network import TrainedNetwork

if TYPE_CHECKING:
    from fcn_edge.artifacts.weights import Weights

__all__ = ["FAMILY"]

SOURCE = Source(
    family="torchvision",
    about="an FCN of torchvision",
    # a 16:9 frame becomes 520 x 924 as in its transforms; 928 is the next multiple of the stride
    size=(520, 928),
    usual=(LABEL_SETS["voc"],),
)

NO_DILATION = (
    "The network is taken as torchvision builds ResNet-18 and ResNet-34: without dilation, with scores of stride 32."
)


def _network(weights: Weights, options: ImportOptions) -> TrainedNetwork:
    """The network; dusty-nv's checkpoints have the same keys and are told by what stands beside them."""
    if pytorch_segmentation.is_described(weights):
        return pytorch_segmentation.FAMILY.network(weights, options)
    basic = "backbone.layer1.0.conv3.weight" not in weights.tensors
    return network_of(weights, options, replace(SOURCE, notes=(NO_DILATION,)) if basic else SOURCE)


FAMILY = Family(
    name="torchvision",
    about="torchvision's fcn_resnet50 or fcn_resnet101",
    signature=SIGNATURE,
    network=_network,
)
