"""The authors' own networks in Caffe: https://github.com/shelhamer/fcn.berkeleyvision.org.

Their layers have the names of ``pytorch_fcn``, which took them over. Class counts, means and what tells the networks
apart are those of the repository's ``.prototxt`` files and data layers (``voc_layers.py``, ``siftflow_layers.py``,
``nyud_layers.py``, ``pascalcontext_layers.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.artifacts.spec import Normalization
from fcn_edge.errors import CheckpointError, UsageError
from fcn_edge.export.importers.base import Family, ImportOptions
from fcn_edge.export.importers.pytorch_fcn import (
    AT_ONCE,
    CLASS_NAMES,
    NORMALIZATION,
    SIGNATURE,
    USUAL,
    decoder_of,
    vgg_fcn_network,
)
from fcn_edge.export.torch_network import TorchNetwork

if TYPE_CHECKING:
    from fcn_edge.artifacts.weights import StoredTensor, Weights

__all__ = ["FAMILY", "caffe_network"]

PAD = 100
SEMANTIC, GEOMETRIC = "_sem", "_geo"
"""Ends of the names of SIFT Flow's two sets of score layers."""

SCALES = ("scale_pool4", "scale_pool3")

NORMALIZATIONS: Mapping[int, Normalization] = MappingProxyType(
    {
        33: NORMALIZATION.model_copy(update={"mean": (114.578, 115.294, 108.353)}),
        40: NORMALIZATION.model_copy(update={"mean": (116.190, 97.203, 92.318)}),
        60: NORMALIZATION.model_copy(update={"mean": (104.007, 116.669, 122.679)}),
    }
)
"""Means of the authors' other data sets, by their class count: SIFT Flow, NYUDv2 (color), PASCAL-Context."""


def caffe_network(weights: Weights, options: ImportOptions) -> TorchNetwork:
    """The network of a ``.caffemodel``.

    Args:
        weights: As ``artifacts.caffemodel`` reads them.
        options: What the user says of them.

    Raises:
        CheckpointError: It is another network; the message names its layers.
        UsageError: An option does not fit it.
    """
    layers: list[dict[str, Any]] = weights.fields["layers"]
    renamed = _renamed(weights)
    if not renamed.tensors.keys() >= SIGNATURE:
        raise CheckpointError(
            f"{weights.path} is a Caffe network of another shape; an FCN on VGG-16 of its authors was expected. Its "
            f"layers are {_some([str(layer['name']) for layer in layers])}.",
            "Convert it to ONNX where Caffe is, and give that file.",
        )
    pad = next(layer["pad"] for layer in layers if layer["name"] == "conv1_1")
    if any(side != PAD for side in pad):
        raise CheckpointError(
            f"{weights.path} pads the image by {pad[0]} in conv1_1; {PAD} was expected, as the authors' networks do.",
            "Convert it to ONNX where Caffe is, and give that file.",
        )
    if "hha" in weights.path.name.lower():
        raise CheckpointError(
            f"{weights.path} takes images of depth (HHA) by its file's name; a network of color images was expected.",
            "Rename it if its images are in color.",
        )
    which = _which(renamed, options)
    notes: tuple[str, ...] = ()
    classes = renamed.tensors["score_fr.weight"].shape[0]
    if len(renamed.tensors) < len(weights.tensors) and any(SEMANTIC in name for name in weights.tensors):
        notes = ("Of its semantic and its geometric classes, the semantic ones are exported.",)
    scaled = which == "fcn8s-atonce"
    return vgg_fcn_network(
        _without_scales(renamed),
        options,
        family=FAMILY.name,
        about=FAMILY.about,
        which=which,
        scales=_scales(renamed) if scaled else None,
        normalization=NORMALIZATIONS.get(classes, NORMALIZATION),
        usual=(*USUAL, LABEL_SETS["pascal-context-caffe"]),
        notes=notes,
    )


FAMILY = Family("caffe", "an FCN on VGG-16 of shelhamer/fcn.berkeleyvision.org", SIGNATURE, caffe_network)


def _renamed(weights: Weights) -> Weights:
    """The weights under the names of networks with one set of classes; fully connected layers as convolutions."""
    tensors: dict[str, StoredTensor] = {}
    for name, tensor in weights.tensors.items():
        layer, _, part = name.rpartition(".")
        if layer.endswith(GEOMETRIC):
            continue
        tensors[f"{layer.removesuffix(SEMANTIC)}.{part}"] = tensor
    for layer, side in (("fc6", 7), ("fc7", 1)):
        key = f"{layer}.weight"
        if key in tensors and len(tensors[key].shape) == 2:
            tensors[key] = _as_convolution(tensors[key], side)
    return replace(weights, tensors=tensors)


def _as_convolution(tensor: StoredTensor, side: int) -> StoredTensor:
    """The weights of a fully connected layer ``(outputs, inputs * side * side)`` as those of a convolution."""
    outputs, inputs = tensor.shape
    shape = (outputs, inputs // side**2, side, side)
    if inputs % side**2:
        return tensor
    return replace(tensor, shape=shape, load=lambda: tensor.load().reshape(shape))


def _which(weights: Weights, options: ImportOptions) -> str:
    decoder = decoder_of(weights)
    which = decoder
    kinds = {layer["name"]: layer["type"] for layer in weights.fields["layers"]}
    if decoder == "fcn8s" and all(kinds.get(scale) == "Scale" for scale in SCALES):
        which = "fcn8s-atonce"
    wanted = options.arch and CLASS_NAMES.get(options.arch, options.arch.removeprefix("vgg16-"))
    if wanted not in (None, which):
        raise UsageError(f"{weights.path} is {which} by its layers, not {options.arch}.", "Leave out --arch.")
    return which


def _scales(weights: Weights) -> list[Tensor | float]:
    """What pool4 and pool3 are multiplied with, a number a channel; as published where the file leaves it out."""
    scales: list[Tensor | float] = []
    for layer, usual in zip(SCALES, AT_ONCE, strict=True):
        tensor = weights.tensors.get(f"{layer}.weight")
        scales.append(usual if tensor is None else torch.from_numpy(tensor.array()))
    return scales


def _without_scales(weights: Weights) -> Weights:
    taken = [f"{layer}.weight" for layer in SCALES]
    return replace(weights, tensors={name: each for name, each in weights.tensors.items() if name not in taken})


def _some(names: list[str]) -> str:
    shown = names if len(names) <= 20 else [*names[:10], "...", *names[-9:]]
    return ", ".join(name[:40] for name in shown)
