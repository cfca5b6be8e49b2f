"""The checks of a machine with an NVIDIA GPU; a single line where there is none."""

from __future__ import annotations

from pathlib import Path

from fcn_edge.doctor import cuda
from fcn_edge.doctor.check import Check
from fcn_edge.doctor.gpu import gpu, has_nvidia
from fcn_edge.doctor.jetson import OLDEST_PYTHON, is_jetson, jetpack, known_jetpack
from fcn_edge.doctor.memory import build_memory
from fcn_edge.doctor.opencv import gstreamer
from fcn_edge.doctor.power import power_mode
from fcn_edge.doctor.tensorrt import tensorrt
from fcn_edge.system.cuda_driver import Driver
from fcn_edge.system.probes import Probes

__all__ = ["nvidia"]


def nvidia(root: Path, probes: Probes, opencv_build: str) -> list[Check]:
    """Every check of the GPU and of what runs models on it, in the order in which they are fixed.

    Args:
        root: Where the system's files are found.
        probes: What is asked of the running system.
        opencv_build: OpenCV's build information; empty when it cannot be loaded.
    """
    if not has_nvidia(root):
        return [gpu(root, Driver())]
    driver = probes.driver()
    if not is_jetson(root):
        device = gpu(root, driver)
        if not device.ok:  # nothing else can be used before that is fixed
            return [device]
        return [
            device,
            tensorrt(root, probes, driver),
            cuda.bindings(root, probes, driver),
            cuda.onnxruntime_gpu(probes.versions, driver),
        ]
    board = [gpu(root, driver), jetpack(root)]
    known = known_jetpack(root)
    if known is not None and known.python < OLDEST_PYTHON:
        return board
    rest = [
        tensorrt(root, probes, driver),
        cuda.bindings(root, probes, driver),
        power_mode(root, probes),
        build_memory(root),
        gstreamer(root, opencv_build),
    ]
    return board + [check for check in rest if check is not None]
