"""The authors' own networks in Caffe: https://github.com/shelhamer/fcn.berkeleyvision.org.

Their layers have the names that pytorch-fcn took over. Class counts, means and what tells the networks
apart are those of the repository's ``.prototxt`` files and data layers (``voc_layers.py``, ``siftflow_layers.py``,
``nyud_layers.py``, ``pascalcontext_layers.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fcn_edge.artifacts.spec import Normalization
from fcn_edge.errors import CheckpointError, UsageError
from fcn_edge.export.importers.base import Family, ImportOptions
from fcn_edge.export.importers.vgg_fcn_layout import (
    AT_ONCE,
    NORMALIZATION,
    SIGNATURE,
    decoder_of,
    network_of,
    wanted_arch,
)
from fcn_edge.export.torch_network import TorchNetwork

if TYPE_CHECKING:
    from fcn_edge.artifacts.weights import StoredTensor, Weights

__all__ = ["FAMILY", "caffe_network"]

PAD = 100
SEMANTIC, GEOMETRIC = "_sem", "_geo"
"""Ends of the names of SIFT Flow's two sets of score layers."""

SCALES = {"scale_pool4": "score_pool4", "scale_pool3": "score_pool3"}
"""Scale layers of the network that was trained at once, and the score layers whose inputs they scale."""

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
    pad: list[int] = next((layer["pad"] for layer in layers if layer["name"] == "conv1_1"), [])
    if any(side != PAD for side in pad):
        sides = " and ".join(map(str, pad))
        raise CheckpointError(
            f"{weights.path} pads the image by {sides} in conv1_1; {PAD} was expected, as in the authors' networks.",
            "Convert it to ONNX where Caffe is, and give that file.",
        )
    if "hha" in weights.path.name.lower():
        raise CheckpointError(
            f"{weights.path} takes images of depth (HHA) by its file's name; a network of color images was expected.",
            "Rename it if its images are in color.",
        )
    decoder = decoder_of(renamed)
    scales = _scales(renamed)
    which = "fcn8s-atonce" if decoder == "fcn8s" and scales else decoder
    if wanted_arch(options) not in (None, which):
        raise UsageError(f"{weights.path} is {which} by its layers, not {options.arch}.", "Leave out --arch.")
    notes: tuple[str, ...] = ()
    if any(name.rpartition(".")[0].endswith(GEOMETRIC) for name in weights.tensors):
        notes = ("Of its semantic and its geometric classes, the semantic ones are exported.",)
    return network_of(
        _without_scales(renamed, scales),
        options,
        family=FAMILY.name,
        about=FAMILY.about,
        which=which,
        scales=scales,
        normalization=_normalization(renamed),
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


def _normalization(weights: Weights) -> Normalization:
    classes = weights.tensors["score_fr.weight"].shape[:1]
    return NORMALIZATIONS.get(classes[0], NORMALIZATION) if classes else NORMALIZATION


def _scales(weights: Weights) -> dict[str, float | Tensor]:
    """What the inputs of score layers are multiplied with; as published where the file holds no numbers."""
    layers = {layer["name"] for layer in weights.fields["layers"] if layer["type"] == "Scale"}
    scales: dict[str, float | Tensor] = {}
    for scale, score in SCALES.items():
        if scale in layers and f"{score}.weight" in weights.tensors:
            tensor = weights.tensors.get(f"{scale}.weight")
            scales[score] = AT_ONCE[score] if tensor is None else torch.from_numpy(tensor.array())
    return scales


def _without_scales(weights: Weights, scales: Collection[str]) -> Weights:
    """The weights without those of the Scale layers that were taken."""
    taken = {f"{scale}.weight" for scale, score in SCALES.items() if score in scales}
    return replace(weights, tensors={name: each for name, each in weights.tensors.items() if name not in taken})


def _some(names: list[str]) -> str:
    shown = names if len(names) <= 20 else [*names[:10], "...", *names[-9:]]
    return ", ".join(name[:40] for name in shown)
