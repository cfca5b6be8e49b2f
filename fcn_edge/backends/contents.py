"""The bytes of what a library is to open."""

from __future__ import annotations

from pathlib import Path

from fcn_edge.errors import ModelError

__all__ = ["content_of"]


def content_of(path: Path) -> bytes:
    """The whole file. Libraries would map it, and a mapped file that somebody cuts off meanwhile ends the process.

    Args:
        path: A model or a plan.

    Raises:
        ModelError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.", "Check the path and its permissions.") from error
