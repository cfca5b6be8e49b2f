"""The one place that imports OpenCV, late and with a sentence when it cannot be had."""

from __future__ import annotations

from functools import cache
from types import ModuleType

from fcn_edge.errors import MachineError, MissingExtraError

__all__ = ["cv2"]


@cache
def cv2() -> ModuleType:
    """The ``cv2`` module, imported at first use.

    Raises:
        MissingExtraError: OpenCV is not installed.
        MachineError: It is installed and cannot be loaded, such as ``opencv-python`` where libGL is missing.
    """
    try:
        import cv2 as module
    except ModuleNotFoundError as error:
        if error.name != "cv2":
            raise
        missing = MissingExtraError("cv2 (opencv-python)", "cpu", "Reading, resizing and writing images")
        missing.fix = (
            "Install it with: pip install opencv-python, or on a machine without a screen: pip install "
            "opencv-python-headless"
        )
        raise missing from error
    except ImportError as error:
        raise MachineError(
            f"OpenCV is installed and cannot be loaded: {error}.",
            "On a machine without a screen: pip uninstall -y opencv-python && pip install opencv-python-headless "
            "(or apt-get install libgl1 libglib2.0-0).",
        ) from error
    return module
