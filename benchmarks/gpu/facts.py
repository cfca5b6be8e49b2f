"""What the GPU is and how it is set, as far as the machine tells."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fcn_edge.backends.cuda.driver import GpuFacts
from fcn_edge.doctor.jetson import board, is_jetson, known_jetpack, l4t
from fcn_edge.doctor.power import power_mode
from fcn_edge.system.probes import Probes
from fcn_edge.system.text import text_of

__all__ = ["clocks", "gpu_facts"]

_ASKED = (
    "driver_version",
    "pstate",
    "clocks.sm",
    "clocks.mem",
    "clocks.max.sm",
    "clocks.max.mem",
    "power.draw",
    "power.limit",
    "temperature.gpu",
)


def gpu_facts(gpu: GpuFacts, root: Path = Path("/")) -> dict[str, Any]:
    """The GPU and its board; ``jetson`` is None elsewhere.

    Args:
        gpu: What a CUDA library says of it.
        root: Where the system's files are found.
    """
    facts = {key: value for key, value in asdict(gpu).items() if key != "library"}
    jetson = None
    if is_jetson(root):
        jetpack, mode = known_jetpack(root), power_mode(root, Probes())
        jetson = {
            "board": board(root),
            "l4t": l4t(root) or None,
            "jetpack": jetpack.version if jetpack else None,
            "power_mode": mode.found if mode else None,
        }
    return {**facts, "jetson": jetson}


def clocks(root: Path = Path("/")) -> dict[str, Any]:
    """Clocks, power and temperature now: of nvidia-smi, and of a board's devfreq; None where neither tells."""
    devices = root.glob("sys/class/devfreq/*")
    devfreq = {
        device.name: {name: text_of(device / name).strip() or None for name in ("cur_freq", "min_freq", "max_freq")}
        for device in sorted(devices)
        if any(word in device.name for word in ("gpu", "ga10b", "gv11b", "gb10b"))
    }
    return {"nvidia_smi": _nvidia_smi(), "devfreq_hz": devfreq or None}


def _nvidia_smi() -> dict[str, str] | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, "--id=0", f"--query-gpu={','.join(_ASKED)}", "--format=csv,noheader"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return dict(zip(_ASKED, (value.strip() for value in asked.stdout.split(",")), strict=False))
