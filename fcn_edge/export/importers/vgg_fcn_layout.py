"""Weights under the layer names of Long, Shelhamer and Darrell's networks, from whatever file, as a network.

Preprocessing is that of ``torchfcn/datasets/voc.py`` in https://github.com/wkentaro/pytorch-fcn, version 1.9.7, and of
``voc_layers.py`` in https://github.com/shelhamer/fcn.berkeleyvision.org.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fcn_edge.artifacts.geometry import Geometry
from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.artifacts.spec import Normalization, Size
from fcn_edge.errors import CheckpointError, UsageError
from fcn_edge.export.importers.base import ANY_SIZE, ImportOptions, imported_spec
from fcn_edge.export.importers.filling import fill
from fcn_edge.export.torch_network import TorchNetwork
from fcn_edge.nets.deconvolution import bilinear_upsampling, is_bilinear
from fcn_edge.nets.vgg_fcn import VGG_FCN_DECODERS, LastUpsampling, VggFcn, VggWidths

if TYPE_CHECKING:
    from fcn_edge.artifacts.weights import Weights

__all__ = ["AT_ONCE", "CLASS_NAMES", "NORMALIZATION", "SIGNATURE", "decoder_of", "network_of", "wanted_arch"]

SIGNATURE = frozenset(("conv1_1.weight", "conv5_3.weight", "fc6.weight", "fc7.weight", "score_fr.weight"))

NORMALIZATION = Normalization(color_order="bgr", mean=(104.00698793, 116.66876762, 122.67891434), std=(1.0, 1.0, 1.0))

SIZE = (500, 500)
"""The longer side of PASCAL VOC's images has 500 pixels: padded to 500x500, those of both orientations are seen at
their own size, as their authors' programs see them."""

AT_ONCE: Mapping[str, float | Tensor] = MappingProxyType({"score_pool4": 0.01, "score_pool3": 0.0001})
"""What FCN8sAtOnce multiplies the inputs of its skips' score layers with (``torchfcn/models/fcn8s.py``)."""

USUAL = (LABEL_SETS["voc"], LABEL_SETS["pascal-context-caffe"])

CLASS_NAMES = {"FCN32s": "fcn32s", "FCN16s": "fcn16s", "FCN8s": "fcn8s", "FCN8sAtOnce": "fcn8s-atonce"}
"""What pytorch-fcn calls the networks, and what we do."""

GRIDS = {"fcn32s": (12.5, -6), "fcn16s": (-11.5, -10), "fcn8s": (-23.5, -18)}
"""First cell's center and cells lost, as ``artifacts/geometry.py`` derives them."""


def network_of(
    weights: Weights,
    options: ImportOptions,
    *,
    family: str,
    about: str,
    which: str,
    scales: Mapping[str, float | Tensor] = MappingProxyType({}),
    normalization: Normalization = NORMALIZATION,
    notes: tuple[str, ...] = (),
) -> TorchNetwork:
    """The network of weights under the authors' names, whatever file they come from.

    Args:
        weights: The weights.
        options: What the user says of them.
        family: Name of the family, for the spec.
        about: What the network is, for messages.
        which: ``fcn32s``, ``fcn16s``, ``fcn8s`` or ``fcn8s-atonce``.
        scales: What the network multiplies the inputs of score layers with, by layer: a number, or one a channel.
        normalization: The usual one.
        notes: What the user should know of how the network was told.

    Raises:
        CheckpointError: The tensors are not those of the network.
        UsageError: An option does not fit them.
    """
    if options.decoder is not None and options.decoder != which:
        raise UsageError(
            f"{weights.path} is {which}, not {options.decoder}.", "Leave out --decoder: the checkpoint says what it is."
        )
    decoder = decoder_of(weights)
    widths, classes = _widths(weights, about)
    learned, fixed = _upsamplings(weights, decoder)
    with torch.device("meta"):
        net = VggFcn(decoder, classes, widths, learned)
    fill(net, weights, about, ignored=fixed)
    for layer, scale in scales.items():
        _scale(net.get_submodule(layer), scale, f"{weights.path} scales the input of {layer}")
    last = VGG_FCN_DECODERS[decoder]
    first, lost = GRIDS[decoder]
    geometry = Geometry(
        align="stride", first=(first, first), padding=198, unit=32, extra_cells=lost, size_multiple=ANY_SIZE
    )
    if net.ends_at_image:
        geometry = Geometry(size_multiple=ANY_SIZE)
    spec = imported_spec(
        options,
        name=f"vgg16-{which}",
        family=family,
        encoder="vgg16",
        decoder=which,
        stride=1 if net.ends_at_image else last.stride,
        geometry=geometry,
        classes=classes,
        normalization=normalization,
        size=SIZE,
        usual=USUAL,
    )
    if net.ends_at_image:
        notes = (*notes, _cost(last, classes, spec.size))
    return TorchNetwork(spec, net, _as_it_is if net.ends_at_image else functools.partial(_upsampled, last), notes)


def decoder_of(weights: Weights) -> str:
    """``fcn32s``, ``fcn16s`` or ``fcn8s``: the one whose last upsampling the weights hold.

    Raises:
        CheckpointError: They hold none, or several.
    """
    found = [name for name, last in VGG_FCN_DECODERS.items() if f"{last.layer}.weight" in weights.tensors]
    if len(found) != 1:
        layers = ", ".join(last.layer for last in VGG_FCN_DECODERS.values())
        raise CheckpointError(
            f"{weights.path} holds {len(found)} of the upsampling layers {layers}; one was expected.",
            "Give the checkpoint of FCN32s, FCN16s, FCN8s or FCN8sAtOnce.",
        )
    return found[0]


def wanted_arch(options: ImportOptions) -> str | None:
    """The network that the user says it is, by our name."""
    return None if options.arch is None else CLASS_NAMES.get(options.arch, options.arch.removeprefix("vgg16-"))


def _scale(score: nn.Module, scale: float | Tensor, what: str) -> None:
    """Let a score layer do what a layer that scales its input did before it: its bias stays."""
    assert isinstance(score, nn.Conv2d)
    factors = torch.as_tensor(scale, dtype=torch.float32).flatten()
    if factors.numel() not in (1, score.in_channels):
        raise CheckpointError(
            f"{what} by {factors.numel()} numbers; {score.in_channels} were expected, one a channel.", "Save it again."
        )
    with torch.no_grad():
        score.weight *= factors.view(1, -1, 1, 1)


def _widths(weights: Weights, about: str) -> tuple[VggWidths, int]:
    """The channels of the layers, as the weights have them, and the number of classes."""
    channels = []
    for layer in ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1", "fc6", "fc7", "score_fr"):
        tensor = weights.tensors.get(f"{layer}.weight")
        if tensor is None or len(tensor.shape) != 4 or 0 in tensor.shape:
            raise CheckpointError(
                f"{weights.path} looks like {about}, but has no convolution {layer}.", "Give an unchanged network."
            )
        channels.append(tensor.shape[0])
    one, two, three, four, five, fc6, fc7, classes = channels
    return VggWidths((one, two, three, four, five), fc6, fc7), classes


def _upsamplings(weights: Weights, decoder: str) -> tuple[Mapping[str, int], list[str]]:
    """Groups of the upsamplings that were learned, by layer, and the keys of those that are the fixed bilinear ones."""
    last = VGG_FCN_DECODERS[decoder]
    strides = {"upscore2": 2, "upscore_pool4": 2, last.layer: last.stride}
    learned, fixed = {}, []
    for layer, stride in strides.items():
        tensor = weights.tensors.get(f"{layer}.weight")
        if tensor is None:
            continue
        square = len(tensor.shape) == 4 and tensor.shape[2:] == (2 * stride, 2 * stride)
        if square and is_bilinear(tensor.array()):
            fixed.append(f"{layer}.weight")
        else:
            learned[layer] = tensor.shape[0] if len(tensor.shape) == 4 and tensor.shape[1] == 1 else 1
    return learned, fixed


def _cost(last: LastUpsampling, classes: int, size: Size) -> str:
    megabytes = 4e-6 * classes * size[0] * size[1]
    return (
        f"Its last upsampling ({last.layer}) was trained: it is not the fixed bilinear one, and stays in the graph, "
        f"which gives {megabytes:.0f} MB of scores a frame at {size[1]}x{size[0]} in place of "
        f"{megabytes / last.stride**2:.1f}."
    )


def _upsampled(last: LastUpsampling, scores: Tensor, size: Size) -> Tensor:
    whole = bilinear_upsampling(scores, last.stride)
    return whole[:, :, last.offset : last.offset + size[0], last.offset : last.offset + size[1]]


def _as_it_is(scores: Tensor, _: Size) -> Tensor:
    return scores
