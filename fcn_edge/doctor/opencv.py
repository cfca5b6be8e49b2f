"""OpenCV: is it whole, and what was it built with?"""

from __future__ import annotations

from fcn_edge.doctor.check import Check
from fcn_edge.system.facts import MachineFacts
from fcn_edge.system.software import OPENCV, VIDEO_LIBRARIES

__all__ = ["opencv", "video"]


def opencv(facts: MachineFacts) -> Check:
    """Whether OpenCV is installed, once, and loads."""
    installed = [name for name in OPENCV if facts.software.version(name)]
    module = facts.software.opencv
    if module.problem:
        return Check("OpenCV", False, module.problem, module.fix, required=True)
    if len(installed) > 1:
        fix = f"pip uninstall -y {' '.join(installed)} && pip install {installed[0]}"
        return Check("OpenCV", False, f"{' and '.join(installed)} overwrite each other", fix, required=True)
    return Check("OpenCV", True, f"{module.version}{f' ({installed[0]})' if installed else ''}", required=True)


def video(facts: MachineFacts) -> Check:
    """Whether OpenCV reads and writes video files, and which stream libraries it has."""
    opencv = facts.software.opencv
    found = ", ".join(f"{'with' if name in opencv.libraries else 'without'} {name}" for name in VIDEO_LIBRARIES)
    if not {"FFMPEG", "GStreamer"} & set(opencv.libraries):
        fix = "pip install --force-reinstall opencv-python-headless, whose builds have FFmpeg"
        return Check("video files", False, "OpenCV does not load" if opencv.problem else found, fix)
    return Check("video files", True, found)
