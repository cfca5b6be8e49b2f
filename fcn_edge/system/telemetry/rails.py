"""Power of a Jetson, from the monitors on its supply rails.

The INA3221 of a module measures three rails, the INA238 of a Thor carrier board its whole input. The kernel shows both
below ``/sys/class/hwmon``; ``tegrastats`` and jtop read the same files. Which rails make up the whole is from the
section "Software-Based Power Consumption Modeling" of NVIDIA's Jetson Linux Developer Guide (r36.4.3 for Orin, r38.2.1
for Thor): on an AGX Orin, ``VDDQ_VDD2_1V8AO`` is supplied by ``VIN_SYS_5V0`` and must not be added.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fcn_edge.system.telemetry.meter import Meter
from fcn_edge.system.telemetry.readings import Reading, reading_of, total
from fcn_edge.system.text import text_of

__all__ = ["read_rails"]

TOTALS = (
    ("INA238", ("VIN",)),
    ("INA3221", ("VDD_IN",)),
    ("INA3221", ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0")),
    ("INA3221", ("VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0")),
)
"""Rails that together carry all the power, the widest first: a Thor's input, an Orin Nano's or NX's module, an AGX
Orin's module, a Thor's module."""

_MILLI, _MICRO = 1e-3, 1e-6


def read_rails(root: Path) -> tuple[Meter | None, str]:
    """Look for the monitors of a board's rails.

    Args:
        root: Where ``/sys`` is found.

    Returns:
        The meter, and an empty text; or None, and why in one sentence, which is empty where there are no monitors.
    """
    rails = dict(_rails(root))
    for chip, labels in TOTALS:
        if all((chip, label) in rails for label in labels):
            watts = total([rails[chip, label] for label in labels])
            return Meter(f"{chip} {' + '.join(labels)}", watts=watts), ""
    names = ", ".join(label for _, label in rails)
    return None, f"The rails {names} are measured, but whether they are all of the power is not known." if rails else ""


def _rails(root: Path) -> Iterator[tuple[tuple[str, str], Reading]]:
    """Chip and label of each rail, and its watts."""
    # the numbers of hwmon folders change from boot to boot, so that only the name says what one is
    for folder in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        chip = text_of(folder / "name").strip()
        if chip == "ina3221":
            for channel in (1, 2, 3):  # what comes behind them are shunt voltages and their sum
                label = text_of(folder / f"in{channel}_label").strip()
                if label not in ("", "NC") and (folder / f"curr{channel}_input").exists():
                    yield ("INA3221", label), _volts_times_amperes(folder, channel)
        elif chip == "ina238":
            power = folder / "power1_input"
            watts = reading_of(power, _MICRO) if power.exists() else _volts_times_amperes(folder, 1)
            yield ("INA238", text_of(folder / "label").strip() or "VIN"), watts


def _volts_times_amperes(folder: Path, channel: int) -> Reading:
    volts = reading_of(folder / f"in{channel}_input", _MILLI)
    amperes = reading_of(folder / f"curr{channel}_input", _MILLI)

    def read() -> float | None:
        here, through = volts(), amperes()
        return None if here is None or through is None else here * through

    return read
