"""The power mode of a Jetson, which caps its clocks."""

from __future__ import annotations

import re
from pathlib import Path

from fcn_edge.doctor.check import Check
from fcn_edge.system.probes import Probes
from fcn_edge.system.text import text_of

__all__ = ["power_mode"]


def power_mode(root: Path, probes: Probes) -> Check | None:
    """The mode that nvpmodel has set, against the board's fastest; None where the board's modes cannot be read.

    A mode's number means nothing by itself: 0 is the fastest on some boards and 15 W on others.
    """
    conf = text_of(root / "etc/nvpmodel.conf")
    modes = {int(number): name for number, name in re.findall(r"< *POWER_MODEL +ID=(\d+) +NAME=([^\s>]+)", conf)}
    if not modes:
        return None
    status = re.search(r"pmode:(\d+)", text_of(root / "var/lib/nvpmodel/status"))
    asked = status or re.search(r"^(\d+)\s*$", probes.nvpmodel(), re.MULTILINE)
    if asked is None:
        return Check("power mode", True, f"unknown; the board has {', '.join(modes.values())}")
    current, fastest = int(asked[1]), max(modes, key=lambda number: _speed(modes[number]))
    found = f"{modes.get(current, 'unknown')} (mode {current})"
    if current == fastest:
        return Check("power mode", True, found)
    found = f"{found}; the fastest is {modes[fastest]}"
    return Check("power mode", False, found, f"sudo nvpmodel -m {fastest} && sudo jetson_clocks")


def _speed(name: str) -> tuple[bool, bool, int]:
    """Modes in the order of speed: MAXN_SUPER, MAXN, then by watts."""
    watts = re.search(r"(\d+)W", name)
    return name.startswith("MAXN"), "SUPER" in name, int(watts[1]) if watts else 0
