"""Temperatures, from the kernel's thermal zones and from the sensor inside an Intel or AMD processor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from fcn_edge.system.telemetry.readings import Reading, highest, reading_of
from fcn_edge.system.text import text_of

__all__ = ["read_temperatures"]

_PACKAGE = {"coretemp": ("Package id",), "k10temp": ("Tctl", "Tdie")}
"""Labels of the whole package by driver; cores have sensors of their own, which are no warmer."""

_OFF = -100.0
"""Degrees: what is switched off reads -256 on some boards."""


def read_temperatures(root: Path) -> dict[str, Reading]:
    """Look for temperature sensors: degrees Celsius by the kernel's name, such as ``tj-thermal`` or ``k10temp Tctl``.

    Sensors of one name, such as those of two processors, give the highest of them.

    Args:
        root: Where ``/sys`` is found.
    """
    found: dict[str, list[Reading]] = defaultdict(list)
    for name, file in (*_zones(root), *_packages(root)):
        found[name].append(_unless_off(reading_of(file, 1e-3)))
    return {name: highest(readings) for name, readings in found.items()}


def _zones(root: Path) -> Iterator[tuple[str, Path]]:
    for folder in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        name = text_of(folder / "type").strip()
        # a wireless card answers by a command to its firmware, which takes long and says nothing of the work
        if name and not name.startswith("iwlwifi"):
            yield name, folder / "temp"


def _packages(root: Path) -> Iterator[tuple[str, Path]]:
    for folder in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        driver = text_of(folder / "name").strip()
        for file in sorted(folder.glob("temp*_label")) if driver in _PACKAGE else ():
            label = text_of(file).strip()
            if label.startswith(_PACKAGE[driver]):
                yield f"{driver} {label}", folder / file.name.replace("_label", "_input")


def _unless_off(reading: Reading) -> Reading:
    def read() -> float | None:
        degrees = reading()
        return None if degrees is None or degrees < _OFF else degrees

    return read
