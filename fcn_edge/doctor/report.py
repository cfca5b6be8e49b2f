"""What this machine has, line by line, and what fixes that which is missing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from fcn_edge.doctor import devices, machine, opencv, software
from fcn_edge.doctor.check import Check
from fcn_edge.doctor.gpu import has_nvidia
from fcn_edge.doctor.memory import memory
from fcn_edge.doctor.nvidia import nvidia
from fcn_edge.doctor.shipped import shipped
from fcn_edge.system.cpu import available_cores
from fcn_edge.system.probes import Probes

__all__ = ["all_checks"]


def all_checks(
    root: Path = Path("/"), environ: Mapping[str, str] = os.environ, probes: Probes | None = None
) -> list[Check]:
    """Every check, in the order in which people read them.

    Args:
        root: Where the system's files are found.
        environ: The environment.
        probes: What is asked of the running system; this one's when left out.
    """
    probes = probes or Probes()
    build = opencv.opencv_build()
    clash = software.rivals("onnxruntime", "onnxruntime-gpu", probes.versions)
    training = ("torch", "onnx", "onnxscript", "safetensors")
    return [
        software.python(),
        software.base(probes.versions),
        *software.backends(gpu=has_nvidia(root)),
        *([clash] if clash else []),
        opencv.opencv(probes.versions),
        opencv.video(build),
        *shipped(),
        software.extra("export", training, "train and export", probes.versions),
        machine.cores(root),
        machine.instructions(root),
        memory(root),
        machine.disk(Path.cwd()),
        machine.thread_variables(environ, available_cores(root)),
        *nvidia(root, probes, build),
        devices.cameras(root),
        devices.display(environ, build),
    ]
