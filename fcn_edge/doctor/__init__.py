"""What this machine has, line by line, and what mends that which is missing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from fcn_edge.backends.cpu import available_cores
from fcn_edge.doctor import devices, machine, software
from fcn_edge.doctor.check import Check
from fcn_edge.doctor.shipped import shipped

__all__ = ["Check", "all_checks"]


def all_checks(root: Path = Path("/"), environ: Mapping[str, str] = os.environ) -> list[Check]:
    """Every check, in the order in which people read them.

    Args:
        root: Where ``/proc``, ``/sys``, ``/dev`` and ``/etc`` are found.
        environ: The environment.
    """
    versions = software.installed_version
    build = software.opencv_build()
    clash = software.rivals("onnxruntime", "onnxruntime-gpu", versions)
    return [
        software.python(),
        software.base(versions),
        *software.backends(),
        *([clash] if clash else []),
        software.opencv(versions),
        software.video(build),
        *shipped(),
        software.extra("export", ("torch", "onnx", "onnxscript", "safetensors"), "train and export", versions),
        machine.cores(root),
        machine.instructions(root),
        machine.memory(root),
        machine.disk(Path.cwd()),
        machine.thread_variables(environ, available_cores(root)),
        devices.gpu(root),
        devices.cameras(root),
        devices.display(environ, build),
    ]
