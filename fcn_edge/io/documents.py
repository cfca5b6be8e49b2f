"""JSON documents that carry a digest of their own content, so that one changed digit is seen.

The digest is SHA-256 over the canonical form (sorted keys, no spaces, ASCII) of everything but the digest itself.
It proves a document whole, not trustworthy: whoever can write the file can write a new digest into it.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from fcn_edge.errors import ArtifactError, UsageError
from fcn_edge.io.files import replacing
from fcn_edge.io.outside import read_json

__all__ = ["MOST_BYTES", "content_digest", "document_text", "read_document", "write_document"]

DIGEST = "digest"

MOST_BYTES = 16 << 20
"""Documents longer than this are refused unread; a table of 128 images has 0.2 MB, one of 50,000 has 8."""


def content_digest(content: dict[str, Any]) -> str:
    """The digest of a document's content, in hexadecimal; a digest already in it does not count."""
    rest = {key: value for key, value in content.items() if key != DIGEST}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def document_text(content: dict[str, Any]) -> str:
    """The document as indented JSON, with its digest as the first key.

    Raises:
        UsageError: It is longer than ``read_document`` reads.
    """
    document = {DIGEST: content_digest(content), **{key: value for key, value in content.items() if key != DIGEST}}
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    if len(text) > MOST_BYTES:
        raise UsageError(
            f"The document has more than {MOST_BYTES >> 20} MB, and none so long is read.", "Choose fewer images."
        )
    return text


def write_document(path: Path, content: dict[str, Any]) -> None:
    """Write a document with a digest of its own content, whole or not at all; the disk has it when this returns.

    Raises:
        UsageError: It is longer than ``read_document`` reads, or the directory does not exist or may not be written.
        MachineError: The disk is full.
    """
    text = document_text(content)
    with replacing(path, durable=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_document(path: Path, error: type[ArtifactError], fix: str) -> dict[str, Any]:
    """The content of a checksummed document, without its digest.

    Args:
        path: The file.
        error: What to raise when it is missing, damaged or changed.
        fix: What to do about that.
    """
    # not of pathlib, which raises for a name that is too long; a pipe is read like a file
    if os.path.isdir(path):  # noqa: PTH112
        raise error(f"{path} is a directory; a file was expected.", fix)
    if not os.path.exists(path):  # noqa: PTH110
        raise error(f"There is no file {path}.", fix)
    content = read_json(path, error, fix, MOST_BYTES)
    if not isinstance(content, dict):
        raise error(f"{path} is damaged: it holds no JSON object.", fix)
    if content.pop(DIGEST, None) != content_digest(content):
        raise error(f"{path} was changed or damaged: its content does not match the digest in it.", fix)
    return content
