"""What a CUDA library says of the GPU, and how the GPU is set at this moment."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fcn_edge.backends.cuda.driver import GpuFacts
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


def gpu_facts(gpu: GpuFacts) -> dict[str, Any]:
    """The GPU as plain values.

    Args:
        gpu: What a CUDA library says of it.
    """
    return {key: value for key, value in asdict(gpu).items() if key != "library"}


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
