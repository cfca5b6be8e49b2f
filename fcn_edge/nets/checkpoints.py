"""Checkpoints: safetensors files with the ModelSpec inside, and ImageNet weights for encoders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from fcn_edge.artifacts.file_kinds import checkpoint_format, no_network
from fcn_edge.artifacts.geometry import Geometry
from fcn_edge.artifacts.names import shown
from fcn_edge.artifacts.onnx_header import SPEC_KEY
from fcn_edge.artifacts.spec import DECODER_STRIDES, OWN_FAMILY, ModelSpec
from fcn_edge.artifacts.weights import StoredTensor, Weights, not_taken, variants, weights_of
from fcn_edge.artifacts.weights.damage import DamagedError
from fcn_edge.artifacts.weights.safetensors import read_safetensors
from fcn_edge.errors import CheckpointError
from fcn_edge.io.files import replacing
from fcn_edge.nets.encoders import ENCODERS, Encoder
from fcn_edge.nets.fcn import FCN

__all__ = ["encoder_weights", "load_checkpoint", "load_encoder", "save_checkpoint"]

_COUNTER = "num_batches_tracked"


def save_checkpoint(path: Path, net: FCN, spec: ModelSpec) -> None:
    """Write a network with one decoder and its spec as a safetensors file, whole or not at all."""
    from safetensors.torch import save

    tensors = {key: value.detach().cpu().contiguous() for key, value in net.state_dict().items()}
    with replacing(path, durable=True) as temporary:
        # not save_file: its errors do not say that the disk is full
        temporary.write_bytes(save(tensors, metadata={SPEC_KEY: spec.to_json()}))


def load_checkpoint(path: Path) -> tuple[FCN, ModelSpec]:
    """The network, in evaluation mode, and the spec of a checkpoint that ``save_checkpoint`` wrote.

    Raises:
        CheckpointError: The file is missing, damaged, without a spec, or its tensors do not fit the spec.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint {path}.", "Check the path.")
    try:
        # safetensors' own reader maps the file: one that is cut off meanwhile would end the process
        weights = read_safetensors(path)
    except (DamagedError, OSError) as error:
        raise no_network(path, CheckpointError) or CheckpointError(
            f"{path} is {_kind(path)}; a whole safetensors file was expected.",
            "Checkpoints are what fcn-edge train writes.",
        ) from error
    if SPEC_KEY not in weights.fields:
        raise CheckpointError(
            f"{path} holds tensors and no fcn_edge spec.", "Checkpoints are what fcn-edge train writes."
        )
    spec = ModelSpec.from_json(weights.fields[SPEC_KEY])
    _require_own(path, spec)
    net = FCN(spec.encoder, (spec.decoder,), len(spec.classes))
    problem = _misfit(net.state_dict(), weights.tensors)
    if problem:
        raise CheckpointError(f"{path} does not fit its own spec ({spec.arch}): {problem}.", "Train or copy it again.")
    net.load_state_dict(_loaded(weights.tensors))
    return net.eval(), spec


def _require_own(path: Path, spec: ModelSpec) -> None:
    """Check that a checkpoint's network is one that ``FCN`` makes, and scores where that does."""
    for what, name, known in (
        ("of the family", spec.family, (OWN_FAMILY,)),
        ("with the encoder", spec.encoder, ENCODERS),
        ("with the decoder", spec.decoder, DECODER_STRIDES),
    ):
        if name not in known:
            raise CheckpointError(
                f"{path} holds a network {what} {name!r}, which this version does not know.",
                f"It knows: {', '.join(known)}.",
            )
    stride = DECODER_STRIDES[spec.decoder]
    if (spec.stride, spec.geometry) != (stride, Geometry()):
        raise CheckpointError(
            f"{path} does not fit its own spec: the scores of {spec.decoder} have stride {stride} and the geometry of "
            f"our own networks, and the spec says stride {spec.stride} and {spec.geometry}.",
            "Train or copy it again.",
        )


def load_encoder(encoder: Encoder, path: Path, tell: Callable[[str], None] = lambda _: None) -> None:
    """Fill an encoder with ImageNet weights, of whatever ``encoder_weights`` takes.

    Args:
        encoder: Changed in place.
        path: The weights file.
        tell: Called with a sentence where the file holds further networks.

    Raises:
        CheckpointError: The file is missing, damaged or for another network.
    """
    encoder.load_state_dict(encoder_weights(encoder, path, tell))


def encoder_weights(encoder: Encoder, path: Path, tell: Callable[[str], None] = lambda _: None) -> dict[str, Tensor]:
    """The tensors of a weights file that fill an encoder, under its own keys; nothing that the file names is run.

    The file is whatever ``weights_of`` reads, with any of the prefixes that ``variants`` strips. The keys of the
    ImageNet classifier are left out; BatchNorm counters may be missing. Every other key must fit. ``tell`` is called
    with a sentence where the file holds further networks.

    Raises:
        CheckpointError: The file is missing, damaged or for another network, or holds NaN or infinity.
    """
    weights = weights_of(path)
    own = encoder.state_dict()
    problems = []
    for variant in variants(weights):
        given = {
            key: tensor for key, tensor in variant.tensors.items() if not key.startswith(encoder.classifier_prefixes)
        }
        needed = {key: value for key, value in own.items() if key in given or not key.endswith(_COUNTER)}
        problem = _misfit(needed, given)
        if not problem:
            for note in not_taken(variant, weights):
                tell(note)
            filled = _loaded(given)
            _check_finite(path, filled)
            return own | filled
        problems.append((len(given.keys() & own.keys()), problem))
    problem = max(problems, key=lambda found: found[0])[1] if problems else "it holds no tensor"
    raise CheckpointError(
        f"{path} does not hold the weights of {type(encoder).__name__}: {problem}; {_summary(weights)}.",
        "Give ImageNet weights of the same encoder, under torchvision's keys.",
    )


def _loaded(tensors: Mapping[str, StoredTensor]) -> dict[str, Tensor]:
    return {key: torch.from_numpy(tensor.array()) for key, tensor in tensors.items()}


def _check_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    damaged = [key for key, tensor in tensors.items() if not tensor.isfinite().all()]
    if damaged:
        raise CheckpointError(
            f"{path} holds NaN or infinity in {len(damaged)} tensors, the first is {shown(damaged[0])}.",
            "Download or save it again; if its training diverged, give a checkpoint from before that.",
        )


def _summary(weights: Weights) -> str:
    """What a weights file holds, as a phrase."""
    where = f" under {shown(weights.wrapper)}" if weights.wrapper else ""
    first, *others = weights.tensors
    return f"the file holds {len(weights.tensors)}{where}, {shown(first)}" + (
        f" to {shown(others[-1])}" if others else ""
    )


def _kind(path: Path) -> str:
    """What a file that is no safetensors file seems to be, as a phrase."""
    return "a PyTorch file" if checkpoint_format(path) in ("zip", "pickle") else "something else, or cut off"


def _misfit(own: Mapping[str, Tensor], given: Mapping[str, StoredTensor]) -> str:
    """The first difference between two sets of tensors as a phrase; empty when they fit."""
    missing = [key for key in own if key not in given]
    if missing:
        return f"{len(missing)} tensors are missing, the first is {missing[0]}"
    extra = [key for key in given if key not in own]
    if extra:
        return f"{len(extra)} tensors are not part of the network, the first is {shown(extra[0])}"
    for key, value in own.items():
        if given[key].shape != value.shape:
            return f"{key} is {tuple(given[key].shape)}, {tuple(value.shape)} was expected"
    return ""
