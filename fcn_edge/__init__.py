"""Trained fully convolutional networks on edge devices: frames in, masks out.

    import fcn_edge

    segment = fcn_edge.load("camvid-mobilenet_v2-fcn8s")    # a shipped name, an .onnx file or an engine directory
    result = segment(frame)                                 # frame: (H, W, 3) uint8 BGR
    result.labels, result.overlay(alpha=0.5)                # (H, W) uint8, (H, W, 3) uint8
    for result in fcn_edge.stream(segment, "drive.mp4"): ...
    fcn_edge.run("drive.mp4", segment, ["masks.mp4"])       # what the command does

``export_onnx``, ``calibrate``, ``build`` and ``evaluate`` are the other verbs of the command line; ``errors`` holds
what all of them raise. Importing the package is quick: each name is imported when it is first used.
"""

from __future__ import annotations

from fcn_edge.version import __version__

TYPE_CHECKING = False  # as in typing, which takes ten milliseconds to import, in which Ctrl-C would be a traceback
if TYPE_CHECKING:
    from fcn_edge import errors
    from fcn_edge.builder.api import build
    from fcn_edge.evaluation.api import evaluate
    from fcn_edge.export.api import export_onnx
    from fcn_edge.quantization.api import calibrate
    from fcn_edge.runtime.result import Result
    from fcn_edge.runtime.runner import run, stream
    from fcn_edge.runtime.segmentation import Segmentation
    from fcn_edge.runtime.segmenter import Segmenter, load
    from fcn_edge.runtime.source_set import Sources

__all__ = [
    "Result",
    "Segmentation",
    "Segmenter",
    "Sources",
    "__version__",
    "build",
    "calibrate",
    "errors",
    "evaluate",
    "export_onnx",
    "load",
    "run",
    "stream",
]

_HOMES = {
    "Result": "fcn_edge.runtime.result",
    "Segmentation": "fcn_edge.runtime.segmentation",
    "Segmenter": "fcn_edge.runtime.segmenter",
    "Sources": "fcn_edge.runtime.source_set",
    "build": "fcn_edge.builder.api",
    "calibrate": "fcn_edge.quantization.api",
    "evaluate": "fcn_edge.evaluation.api",
    "export_onnx": "fcn_edge.export.api",
    "load": "fcn_edge.runtime.segmenter",
    "run": "fcn_edge.runtime.runner",
    "stream": "fcn_edge.runtime.runner",
}
"""Where each name lives. None may be the name of a package or module here: importing that would hide it."""


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "errors":
        return import_module("fcn_edge.errors")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
