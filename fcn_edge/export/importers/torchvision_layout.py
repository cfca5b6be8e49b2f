"""Networks under torchvision's names: a ResNet called ``backbone`` and an ``FCNHead`` called ``classifier``.

Source: torchvision 0.29.1, ``models/segmentation/fcn.py`` and ``_utils.py``, ``models/resnet.py``. Bottlenecks come
with ``replace_stride_with_dilation=[False, True, True]``, which makes the stride of the scores 8; BasicBlocks refuse
dilation, so that it stays 32. Scores are interpolated to the input's size bilinearly, ``align_corners=False``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import torch

from fcn_edge.artifacts.geometry import Geometry
from fcn_edge.artifacts.label_sets import LabelSet
from fcn_edge.artifacts.spec import Normalization, Resize, Size
from fcn_edge.export.importers.base import ANY_SIZE, ImportOptions, imported_spec
from fcn_edge.export.importers.filling import fill
from fcn_edge.export.importers.resnets import DECODER, dimension, plan_of, require_arch
from fcn_edge.export.torch_network import TorchNetwork
from fcn_edge.nets.resnet import ResNetFCN

if TYPE_CHECKING:
    from fcn_edge.artifacts.weights import Weights

__all__ = ["SIGNATURE", "Source", "network_of"]

SIGNATURE = frozenset(
    {
        "backbone.layer4.1.conv2.weight",
        "classifier.0.weight",
        "classifier.1.running_mean",
        "classifier.4.weight",
        "classifier.4.bias",
    }
)
"""DeepLabV3 and LRASPP of torchvision have no ``classifier.0.weight``."""

AUXILIARY = "aux_classifier."
"""The head on layer3, which serves training only."""


@dataclass(frozen=True)
class Source:
    """What is known of a checkpoint from where it comes from.

    Attributes:
        family: Name of the family.
        about: What the network is, for messages.
        size: Usual network size ``(height, width)``.
        policy: How frames are brought to it.
        usual: Label sets that it is trained on.
        notes: What its user should know.
    """

    family: str
    about: str
    size: Size
    policy: Literal["pad", "stretch"] = "pad"
    usual: tuple[LabelSet, ...] = ()
    notes: tuple[str, ...] = ()


def network_of(weights: Weights, options: ImportOptions, source: Source) -> TorchNetwork:
    """The network of weights under torchvision's names.

    Args:
        weights: The weights.
        options: What the user says of them.
        source: What is known of where they come from.

    Raises:
        CheckpointError: They do not fit the network.
        UsageError: The user's options do not fit them.
    """
    plan = plan_of(weights)
    if plan.bottleneck:
        plan = replace(plan, strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4))
    encoder = f"resnet{plan.depth}"
    name = f"fcn_{encoder}"
    require_arch(weights.path, options, (name, encoder, f"{encoder}-{DECODER}"), DECODER)
    hidden, classes = dimension(weights, "classifier.0.weight"), dimension(weights, "classifier.4.weight")
    spec = imported_spec(
        options,
        name=name,
        family=source.family,
        encoder=encoder,
        decoder=DECODER,
        stride=plan.stride,
        geometry=Geometry(size_multiple=ANY_SIZE),
        classes=classes,
        normalization=Normalization(),
        size=source.size,
        usual=source.usual,
        resize=Resize(policy=source.policy),
    )
    with torch.device("meta"):
        net = ResNetFCN(plan, hidden, classes)
    fill(net, weights, f"{source.about} ({name})", ignored=(AUXILIARY,))
    return TorchNetwork(spec, net, notes=source.notes)
