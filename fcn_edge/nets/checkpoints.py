"""Checkpoints: safetensors files with the ModelSpec inside, and ImageNet weights for encoders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fcn_edge.artifacts.geometry import Geometry
from fcn_edge.artifacts.spec import DECODER_STRIDES, OWN_FAMILY, ModelSpec
from fcn_edge.errors import CheckpointError
from fcn_edge.io.files import replacing
from fcn_edge.nets.encoders import ENCODERS, Encoder
from fcn_edge.nets.fcn import FCN

__all__ = ["encoder_weights", "load_checkpoint", "load_encoder", "save_checkpoint"]

SPEC_KEY = "fcn_edge.spec"


def save_checkpoint(path: Path, net: FCN, spec: ModelSpec) -> None:
    """Write a network with one decoder and its spec as a safetensors file, whole or not at all."""
    from safetensors.torch import save

    tensors = {key: value.detach().cpu().contiguous() for key, value in net.state_dict().items()}
    with replacing(path) as temporary:
        # not save_file: its errors do not say that the disk is full
        temporary.write_bytes(save(tensors, metadata={SPEC_KEY: spec.to_json()}))


def load_checkpoint(path: Path) -> tuple[FCN, ModelSpec]:
    """The network, in evaluation mode, and the spec of a checkpoint that ``save_checkpoint`` wrote.

    Raises:
        CheckpointError: The file is missing, damaged, without a spec, or its tensors do not fit the spec.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint {path}.", "Check the path.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - it is no mapping
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} is {_kind(path)}; a whole safetensors file was expected: {_reason(error)}.",
            "Checkpoints are what fcn-edge train writes.",
        ) from error
    if SPEC_KEY not in metadata:
        raise CheckpointError(
            f"{path} holds tensors and no fcn_edge spec.", "Checkpoints are what fcn-edge train writes."
        )
    spec = ModelSpec.from_json(metadata[SPEC_KEY])
    _require_own(path, spec)
    net = FCN(spec.encoder, (spec.decoder,), len(spec.classes))
    problem = _misfit(net.state_dict(), tensors)
    if problem:
        raise CheckpointError(f"{path} does not fit its own spec ({spec.arch}): {problem}.", "Train or copy it again.")
    net.load_state_dict(tensors)
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


def load_encoder(encoder: Encoder, path: Path) -> None:
    """Fill an encoder with ImageNet weights: a torchvision ``state_dict`` file, an ``.npz`` or a safetensors file.

    The keys of the ImageNet classifier are left out; BatchNorm counters may be missing. Every other key must fit.

    Raises:
        CheckpointError: The file is missing, damaged or for another network.
    """
    tensors = encoder_weights(path)
    wanted = {key: value for key, value in tensors.items() if not key.startswith(encoder.classifier_prefixes)}
    own = encoder.state_dict()
    for key, value in own.items():
        if key.endswith("num_batches_tracked"):
            wanted.setdefault(key, value)
    problem = _misfit(own, wanted)
    if problem:
        raise CheckpointError(
            f"{path} does not hold the weights of {type(encoder).__name__}: {problem}.",
            "Give torchvision's ImageNet state_dict of the same encoder.",
        )
    encoder.load_state_dict(wanted)


def encoder_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of an ``.npz``, ``.safetensors`` or torch ``state_dict`` file, by key; nothing is unpickled blindly.

    Raises:
        CheckpointError: The file is missing, damaged or no such file.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no weights file {path}.", "Check the path.")
    try:
        if path.suffix == ".npz":
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return {key: torch.from_numpy(arrays[key]).float() for key in arrays.files}
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # unpickling and unzipping damaged files may raise anything, as the documentation of pickle says
        raise CheckpointError(
            f"{path} cannot be read as weights: {_reason(error)}.",
            "Give a state_dict saved with torch.save(model.state_dict(), path), an .npz or a .safetensors file.",
        ) from error
    if not (isinstance(loaded, dict) and loaded and all(isinstance(value, Tensor) for value in loaded.values())):
        raise CheckpointError(
            f"{path} is not a state_dict: a dictionary of tensors was expected.",
            "Save it again with torch.save(model.state_dict(), path).",
        )
    return loaded


def _reason(error: Exception) -> str:
    """The first line of an error's text."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def _kind(path: Path) -> str:
    """What a file that is no safetensors file seems to be, as a phrase."""
    with path.open("rb") as file:
        start = file.read(2)
    return "a PyTorch file" if start == b"PK" or start[:1] == b"\x80" else "something else, or cut off"


def _misfit(own: dict[str, Tensor], given: dict[str, Tensor]) -> str:
    """The first difference between two sets of tensors as a phrase; empty when they fit."""
    missing = [key for key in own if key not in given]
    if missing:
        return f"{len(missing)} tensors are missing, the first is {missing[0]}"
    extra = [key for key in given if key not in own]
    if extra:
        return f"{len(extra)} tensors are not part of the network, the first is {extra[0]}"
    for key, value in own.items():
        if given[key].shape != value.shape:
            return f"{key} is {tuple(given[key].shape)}, {tuple(value.shape)} was expected"
    return ""
