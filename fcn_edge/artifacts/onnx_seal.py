"""The seal of an ONNX file: a digest that it carries of itself, so that damage is seen when it is opened.

It covers what decides the masks: the graph with its weights, and what fcn_edge wrote down of the model. It is no
signature: whoever changes a file can seal it anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from fcn_edge.artifacts.onnx_header import METADATA_PROPS, header_of_onnx, model_digest
from fcn_edge.artifacts.protobuf import bytes_field
from fcn_edge.errors import ModelError

__all__ = ["SEAL_KEY", "check_seal", "seal_onnx"]

SEAL_KEY = "fcn_edge.seal"
"""Metadata key of the seal."""

_OURS = "fcn_edge."


def seal_onnx(path: Path) -> None:
    """Seal an ONNX file, which nobody else uses yet; one that carries a seal is left as it is.

    Raises:
        ModelError: The file is missing or damaged.
        OSError: It cannot be written.
    """
    metadata = header_of_onnx(path).metadata
    if SEAL_KEY in metadata:
        return
    seal = _seal(model_digest(path), metadata)
    entry = bytes_field(1, SEAL_KEY.encode()) + bytes_field(2, seal.encode())
    with path.open("ab") as file:
        # a message with a field behind it is a message, and one more entry of many
        file.write(bytes_field(METADATA_PROPS, entry))


def check_seal(path: Path, metadata: Mapping[str, str], digest: str) -> None:
    """Check that a sealed file is the one that was sealed.

    Args:
        path: The file, for the message.
        metadata: Its metadata, the seal among them.
        digest: What ``model_digest`` says of it.

    Raises:
        ModelError: It is not.
    """
    if metadata[SEAL_KEY] != _seal(digest, metadata):
        raise ModelError(
            f"{path} was changed or damaged since it was written: its digest is not the one that it carries.",
            f"Copy or export it again. A program that changes it on purpose removes {SEAL_KEY!r} from its metadata.",
        )


def _seal(digest: str, metadata: Mapping[str, str]) -> str:
    ours = {key: text for key, text in metadata.items() if key.startswith(_OURS) and key != SEAL_KEY}
    return hashlib.sha256(json.dumps([digest, ours], sort_keys=True).encode()).hexdigest()
