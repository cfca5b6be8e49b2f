"""mmsegmentation's ``FCNHead`` on ResNet and MobileNetV2: ``fcn_r50-d8`` and others of its model zoo.

Source: mmsegmentation 1.2.2, ``configs/_base_/models/fcn_r50-d8.py``, ``configs/fcn`` and ``configs/mobilenet_v2``,
``models/decode_heads/fcn_head.py``. Checkpoints hold ``state_dict`` and ``meta``, in which the configuration is the
text ``cfg`` (version 1) or ``config`` (version 0). Features come from the last layer; scores are interpolated to the
input's size bilinearly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from fcn_edge.artifacts.geometry import Geometry
from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.artifacts.spec import Normalization, Size
from fcn_edge.errors import CheckpointError, UsageError
from fcn_edge.export.importers.base import ANY_SIZE, Family, ImportOptions, imported_spec
from fcn_edge.export.importers.filling import fill
from fcn_edge.export.importers.mmseg_labels import labels_of
from fcn_edge.export.importers.mmseg_plan import MOBILE, RESNET, HiddenPlan, plan_by_name, plan_of_config
from fcn_edge.export.importers.resnets import DECODER, dimension, numbered, plan_of
from fcn_edge.export.network import TrainedNetwork
from fcn_edge.export.torch_network import TorchNetwork, bilinear_to_size
from fcn_edge.nets.mmseg_fcn import FCNHead, MMSegFCN, MobileNetV2
from fcn_edge.nets.resnet import ResNet

if TYPE_CHECKING:
    from fcn_edge.artifacts.weights import Weights

__all__ = ["FAMILIES"]

NAME = "mmsegmentation"
HEAD = "decode_head."
AUXILIARY = "auxiliary_head."
"""The head on layer3, which serves training only."""

AVERAGE = "ema_"
"""Begins the averages that mmcv 1's EMAHook keeps as buffers of the network."""

CLASS_WEIGHTS = f"{HEAD}loss_decode."

HEAD_SIGNATURE = frozenset({f"{HEAD}convs.0.conv.weight", f"{HEAD}convs.0.bn.running_mean", f"{HEAD}conv_seg.weight"})

USUAL_SETS = ("cityscapes", "voc", "ade20k", "pascal-context", "pascal-context-59", "coco-stuff")
CROPS: Mapping[int, Size] = {19: (512, 1024), 59: (480, 480), 60: (480, 480)}
"""Crops that the model zoo's networks are trained on, by the number of classes."""
OTHER_CROP = (512, 512)

CHOICES = (
    "its model zoo's names say what it is: fcn_r50-d8 has scores of stride 8, fcn-d6_r50-d16 of stride 16 with a "
    "dilated head, and names with 769x769 have align_corners=True"
)


@dataclass(frozen=True)
class _Backbone:
    """A backbone that is not built yet.

    Attributes:
        encoder: Name for the spec.
        short: Name as in the model zoo.
        stride: Input pixels per cell of its last features.
        channels: Channels of these.
        build: Makes it.
    """

    encoder: str
    short: str
    stride: int
    channels: int
    build: Callable[[], nn.Module]


def _resnet(weights: Weights, options: ImportOptions) -> TrainedNetwork:
    plan = plan_of(weights)
    hidden, note = _hidden_plan(weights, options, RESNET)
    one, two, three, four = hidden.strides
    first, second, third, fourth = hidden.dilations
    plan = replace(
        plan,
        strides=(one, two, three, four),
        dilations=(first, second, third, fourth),
        contracted=hidden.contracted,
    )
    encoder = f"resnet{plan.depth}" + ("_v1c" if plan.deep_stem else "")
    short = f"r{plan.depth}" + ("" if plan.deep_stem else "b")
    backbone = _Backbone(encoder, short, plan.stride, plan.channels, lambda: ResNet(plan))
    return _network(weights, options, backbone, hidden, note)


def _mobilenet(weights: Weights, options: ImportOptions) -> TrainedNetwork:
    hidden, note = _hidden_plan(weights, options, MOBILE)
    layers = range(1, len(hidden.strides) + 1)
    # the block's last convolution is its linear one; the first layer's block has no expansion before it
    outputs = [f"backbone.layer{layer}.0.conv.{1 if layer == 1 else 2}.conv.weight" for layer in layers]
    widths = tuple(dimension(weights, name) for name in ("backbone.conv1.conv.weight", *outputs))
    blocks = tuple(numbered(weights, f"backbone.layer{layer}.") for layer in layers)
    stride = 2
    for each in hidden.strides:
        stride *= each

    def build() -> nn.Module:
        return MobileNetV2(widths, blocks, hidden.strides, hidden.dilations)

    return _network(weights, options, _Backbone("mobilenet_v2", "m-v2", stride, widths[-1], build), hidden, note)


def _network(
    weights: Weights, options: ImportOptions, backbone: _Backbone, hidden: HiddenPlan, note: str
) -> TorchNetwork:
    """The network of a backbone and the head that the keys and the plan describe."""
    dilated = f"-d{hidden.head_dilation}" if hidden.head_dilation > 1 else ""
    name = f"fcn{dilated}_{backbone.short}-d{backbone.stride}"
    if options.decoder not in (None, DECODER):
        raise UsageError(f"The decoder of {weights.path} is {DECODER}.", "Leave out --decoder: there is no other.")
    classes = dimension(weights, f"{HEAD}conv_seg.weight")
    labels, labels_note = labels_of(weights.fields.get("meta"), classes)
    if options.labels is None and labels is not None:
        options = replace(options, labels=labels)
    spec = imported_spec(
        options,
        name=name,
        family=NAME,
        encoder=backbone.encoder,
        decoder=DECODER,
        stride=backbone.stride,
        geometry=Geometry(align="corners" if hidden.align_corners else "edges", size_multiple=ANY_SIZE),
        classes=classes,
        normalization=hidden.normalization or Normalization(),
        size=hidden.size or CROPS.get(classes, OTHER_CROP),
        usual=[LABEL_SETS[known] for known in USUAL_SETS if known in LABEL_SETS],
    )
    first = f"{HEAD}convs.0.conv.weight"
    width, kernel, convs = dimension(weights, first), dimension(weights, first, 2), numbered(weights, f"{HEAD}convs.")
    concat = f"{HEAD}conv_cat.conv.weight" in weights.tensors
    with torch.device("meta"):
        head = FCNHead(
            backbone.channels,
            width,
            classes,
            convs=convs,
            kernel=kernel,
            dilation=hidden.head_dilation,
            concat_input=concat,
        )
        net = MMSegFCN(backbone.build(), head)
    if hidden.head is not None and hidden.head != (convs, concat, kernel):
        raise CheckpointError(
            f"{weights.path} holds a head of {_described(convs, concat, kernel)}; its configuration says "
            f"{_described(*hidden.head)}.",
            "Give the whole checkpoint of that configuration.",
        )
    fill(net, weights, f"an FCN of mmsegmentation ({name})", ignored=(AUXILIARY, AVERAGE, CLASS_WEIGHTS))
    upsampling = _corners_to_size if hidden.align_corners else bilinear_to_size
    return TorchNetwork(spec, net, upsampling, tuple(each for each in (note, labels_note) if each))


def _described(convs: int, concat: bool, kernel: int) -> str:
    rest = "and one that reads them beside their input" if concat else "alone"
    return f"{convs} convolutions {kernel}x{kernel} {rest}"


def _hidden_plan(
    weights: Weights, options: ImportOptions, layers: Mapping[int, tuple[tuple[int, ...], tuple[int, ...]]]
) -> tuple[HiddenPlan, str]:
    """What the keys do not tell, and what the user should know of where it comes from.

    Raises:
        UsageError: The user's ``arch`` says nothing of it, or something else than the configuration.
        CheckpointError: The configuration is of another network.
    """
    path, arch = weights.path, options.arch
    said = None if arch is None else plan_by_name(arch, layers)
    if arch is not None and said is None:
        raise UsageError(f"{arch} is no FCN of mmsegmentation.", f"Give such a name with --arch: {CHOICES}.")
    meta = weights.fields.get("meta")
    texts = [meta.get(key) for key in ("cfg", "config")] if isinstance(meta, dict) else []
    configured: HiddenPlan | None = None
    for text in texts:
        if configured is None and isinstance(text, str):
            configured = plan_of_config(path, text, layers)
    if configured is not None:
        if said is not None and said.form != configured.form:
            raise UsageError(
                f"{path} is not {arch}: its configuration says something else.",
                "Leave out --arch: the checkpoint says what it is.",
            )
        return configured, ""
    if said is not None:
        return said, ""
    named = plan_by_name(path.stem, layers)
    if named is not None:
        return named, f"{path.name} has no configuration: strides and dilations are those that its name says."
    strides, dilations = layers[8]
    note = f"{path.name} does not say its strides and dilations: those of stride 8 were taken. With --arch, {CHOICES}."
    return HiddenPlan(strides, dilations), note


def _corners_to_size(scores: Tensor, size: Size) -> Tensor:
    return functional.interpolate(scores, size=size, mode="bilinear", align_corners=True)


FAMILIES = (
    Family(
        name=NAME,
        about="mmsegmentation's FCNHead on a ResNet",
        signature=HEAD_SIGNATURE | {"backbone.layer4.0.conv2.weight"},
        network=_resnet,
    ),
    Family(
        name=NAME,
        about="mmsegmentation's FCNHead on MobileNetV2",
        signature=HEAD_SIGNATURE | {"backbone.layer7.0.conv.2.conv.weight"},
        network=_mobilenet,
    ),
)
