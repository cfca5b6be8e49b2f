"""What lowers clocks: heat and supply, as the kernel's cooling devices and counters tell it."""

from __future__ import annotations

import re
from pathlib import Path

from fcn_edge.system.telemetry.readings import Reading, highest, reading_of
from fcn_edge.system.text import text_of

__all__ = ["read_cooling", "read_throttle_counters"]

_LOWERS_CLOCKS = re.compile(r".+-throttle-alert|(?:thermal-)?(?:cpufreq|devfreq)-.+|Processor")
"""Types of cooling devices that act by lower clocks: a Jetson's alerts, cpufreq, devfreq and ACPI's. Fans do not."""

_ALARM = re.compile(r"(oc\d+)_event_cnt")


def read_cooling(root: Path) -> dict[str, Reading]:
    """Look for cooling devices that lower clocks: their state by what it means in words; above 0 they do so now.

    Args:
        root: Where ``/sys`` is found.
    """
    found: dict[str, list[Reading]] = {}
    for folder in sorted((root / "sys/class/thermal").glob("cooling_device*")):
        kind = text_of(folder / "type").strip()
        if _LOWERS_CLOCKS.fullmatch(kind):
            found.setdefault(f"temperature: {kind}", []).append(reading_of(folder / "cur_state"))
    return {words: highest(states) for words, states in found.items()}


def read_throttle_counters(root: Path) -> dict[str, Reading]:
    """Look for counters of throttling: events since the machine started, by what they mean in words.

    A Jetson counts alarms of its supply: on Orin ``oc1`` is too low a voltage, ``oc2`` too high a current on average
    and ``oc3`` at one moment. Intel's processors count each time that a core or a package became too hot.

    Args:
        root: Where ``/sys`` is found.
    """
    found = {}
    for folder in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        if text_of(folder / "name").strip() == "soctherm_oc":
            for file in sorted(folder.iterdir()):
                if alarm := _ALARM.fullmatch(file.name):
                    found[f"supply: over-current or under-voltage alarm {alarm[1]}"] = reading_of(file)
    cpus = root / "sys/devices/system/cpu"
    for part in ("core", "package"):
        # a package's count stands in each of its cores' folders, so that a sum would count it many times
        files = sorted(cpus.glob(f"cpu*/thermal_throttle/{part}_throttle_count"))
        if files:
            found[f"temperature: processor {part}"] = highest([reading_of(file) for file in files])
    return found
