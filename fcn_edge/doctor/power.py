"""The power mode of a Jetson, which caps its clocks."""

from __future__ import annotations

import re

from fcn_edge.doctor.check import Check
from fcn_edge.system.jetson import JetsonFacts

__all__ = ["power_mode"]


def power_mode(jetson: JetsonFacts) -> Check | None:
    """The mode that is set, against the board's fastest; None where the board's modes cannot be read."""
    power = jetson.power
    if power is None:
        return None
    modes, current = power.modes, power.current
    if current is None:
        return Check("power mode", True, f"unknown; the board has {', '.join(modes.values())}")
    fastest = max(modes, key=lambda number: _speed(modes[number]))
    found = f"{modes.get(current, 'unknown')} (mode {current})"
    if current == fastest:
        return Check("power mode", True, found)
    found = f"{found}; the fastest is {modes[fastest]}"
    return Check("power mode", False, found, f"sudo nvpmodel -m {fastest} && sudo jetson_clocks")


def _speed(name: str) -> tuple[bool, bool, int]:
    """Modes in the order of speed: MAXN_SUPER, MAXN, then by watts."""
    watts = re.search(r"(\d+)W", name)
    return name.startswith("MAXN"), "SUPER" in name, int(watts[1]) if watts else 0
