"""Paths for libraries of C and C++, which take text in UTF-8."""

from __future__ import annotations

import os
from pathlib import Path

from fcn_edge.errors import FcnEdgeError

__all__ = ["native_path"]


def native_path(path: Path, error: type[FcnEdgeError]) -> str:
    """A path as such a library takes it, absolute: FFmpeg would take the start of ``a:b.mp4`` for a protocol.

    Names on a disk may be any bytes, and Python keeps those that are no UTF-8 as lone surrogates. OpenCV's binding
    crashes on them.

    Args:
        path: The path.
        error: What is raised where a name in it is not UTF-8.

    Raises:
        FcnEdgeError: It is that.
    """
    text = str(path.absolute())
    try:
        text.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        raise error(
            f"The name {shown} is not UTF-8, and the library that is to open it takes no other.",
            "Rename it, or the folder that holds it.",
        ) from None
    return text
