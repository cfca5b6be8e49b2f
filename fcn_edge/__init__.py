"""Trained fully convolutional networks on edge devices: frames in, masks out.

    import fcn_edge

    segment = fcn_edge.load("camvid-mobilenet_v2-fcn8s")    # a shipped name, an .onnx file or an engine directory
    result = segment(frame)                                 # frame: (H, W, 3) uint8 BGR
    result.labels, result.overlay(alpha=0.5)                # (H, W) uint8, (H, W, 3) uint8
    for result in fcn_edge.stream(segment, "drive.mp4"): ...

Importing the package is quick: each name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fcn_edge.version import __version__

if TYPE_CHECKING:
    from fcn_edge.runtime.pipeline import stream
    from fcn_edge.runtime.segmentation import Segmentation
    from fcn_edge.runtime.segmenter import Segmenter, load

__all__ = ["Segmentation", "Segmenter", "__version__", "load", "stream"]

_HOMES = {
    "Segmentation": "fcn_edge.runtime.segmentation",
    "Segmenter": "fcn_edge.runtime.segmenter",
    "load": "fcn_edge.runtime.segmenter",
    "stream": "fcn_edge.runtime.pipeline",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
