"""Which formats the OpenCV that is installed was built with."""

from __future__ import annotations

import re
from functools import cache

from fcn_edge.io.images.kinds import AVIF, GIF, JPEG_2000, WEBP, Kind
from fcn_edge.io.opencv import cv2

__all__ = ["is_built_in"]

_NAMES = {GIF: "GIF", AVIF: "AVIF", JPEG_2000: "JPEG 2000", WEBP: "WEBP"}
"""What OpenCV's description of itself calls the formats that not every build has."""


def is_built_in(kind: Kind) -> bool:
    """Whether OpenCV reads a kind that is readable at all; older versions know nothing of GIF and AVIF."""
    return kind.readable and (kind not in _NAMES or _NAMES[kind] in _formats())


@cache
def _formats() -> frozenset[str]:
    lines = re.findall(r"^ +([A-Z][A-Za-z0-9 ]*): +(\S.*)$", cv2().getBuildInformation(), re.MULTILINE)
    return frozenset(name for name, state in lines if state.split()[0] != "NO")
