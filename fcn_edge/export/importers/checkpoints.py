"""Which network is in a weights file: ours, or one of the families that people have."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fcn_edge.artifacts.caffemodel import caffemodel_weights, is_caffemodel
from fcn_edge.artifacts.names import shown
from fcn_edge.artifacts.onnx_header import SPEC_KEY
from fcn_edge.artifacts.weights import Weights, not_taken, variants, weights_of, zip_members
from fcn_edge.errors import CheckpointError, UsageError
from fcn_edge.export.importers import caffe, mmsegmentation, pytorch_fcn, torchvision
from fcn_edge.export.importers.base import Family, ImportOptions, require_count
from fcn_edge.export.importers.recognized import recognized_file, recognized_network
from fcn_edge.export.network import TrainedNetwork
from fcn_edge.export.torch_network import own_network
from fcn_edge.nets.checkpoints import load_checkpoint

__all__ = ["FAMILIES", "network_of_checkpoint"]

FAMILIES: tuple[Family, ...] = (torchvision.FAMILY, pytorch_fcn.FAMILY, *mmsegmentation.FAMILIES)
"""Families of weights files, told by their parameters' names; checkpoints of dusty-nv have torchvision's names."""

_FEW = 3


def network_of_checkpoint(path: Path, start: bytes, options: ImportOptions) -> TrainedNetwork:
    """The network of a weights file.

    Args:
        path: The file.
        start: Its first bytes, up to 512.
        options: What is said of it.

    Raises:
        CheckpointError: The file is damaged, or of no family that is known.
        UsageError: An option does not fit it, or something has to be said.
    """
    if options.output_name is not None:
        raise UsageError(f"{path} is no ONNX file: it has no tensors to name.", "Leave out --output-name.")
    known = recognized_file(start, path.name, zip_members(path) if start.startswith(b"PK") else ())
    if known is not None:
        raise known.error(path)
    if is_caffemodel(path):
        return caffe.FAMILY.network(caffemodel_weights(path), options)
    weights = weights_of(path)
    if weights.kind == "safetensors" and SPEC_KEY in weights.fields:
        return _own(path, options)
    for variant in variants(weights):
        for family in FAMILIES:
            if family.signature <= variant.tensors.keys():
                network = family.network(variant, options)
                network.notes = (*network.notes, *not_taken(variant, weights))
                return network
    raise _unknown(weights)


def _own(path: Path, options: ImportOptions) -> TrainedNetwork:
    net, spec = load_checkpoint(path)
    for argument, wanted, known in (
        ("arch", options.arch, (spec.arch, spec.encoder, spec.decoder)),
        ("decoder", options.decoder, (spec.decoder,)),
    ):
        if wanted is not None and wanted not in known:
            raise UsageError(
                f"{path} is {spec.arch}, not {wanted}.",
                f"Leave out --{argument}: the checkpoint says what it is.",
            )
    for argument in ("mean", "std", "color_order"):
        if getattr(options, argument) is not None:
            raise UsageError(
                f"{path} says itself what it was trained with.", f"Leave out --{argument.replace('_', '-')}."
            )
    if (labels := options.labels) is not None:
        require_count(labels, len(spec.classes))
        spec = spec.replace(classes=labels.classes, palette=labels.palette, void=labels.void)
    return own_network(net, spec)


def _unknown(weights: Weights) -> CheckpointError:
    """What to say of weights that no family takes: which one they are nearest to, and what differs."""
    known = recognized_network({key: tensor.shape for key, tensor in weights.tensors.items()}, weights.globals)
    if known is not None:
        return known.error(weights.path)
    near, family, variant = max(
        (
            (len(family.signature & variant.tensors.keys()) / len(family.signature), family, variant)
            for variant in variants(weights)
            for family in FAMILIES
        ),
        key=lambda each: each[0],
        default=(0.0, None, weights),
    )
    held = f"{weights.path} holds {len(weights.tensors)} tensors of a network that is not known"
    fix = (
        "Export it to ONNX where its code is, with torch.onnx.export, and give that file with the --classes, --mean, "
        "--std and --color-order of its training."
    )
    if family is None or not near:
        return CheckpointError(f"{held}, such as {_some(weights.tensors)}.", fix)
    lacking = [key for key in sorted(family.signature) if key not in variant.tensors]
    return CheckpointError(
        f"{held}. The nearest is {family.about}: it lacks {_some(lacking)}, and holds {_some(variant.tensors)}.", fix
    )


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _FEW} more" if len(listed) > _FEW else ""
    return ", ".join(shown(name) for name in listed[:_FEW]) + more
