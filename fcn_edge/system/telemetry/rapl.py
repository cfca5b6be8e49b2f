"""Energy of a processor's packages, from RAPL, as the kernel's powercap framework shows it.

Intel's and AMD's processors count it; ``Documentation/power/powercap/powercap.rst`` of Linux describes the files.
Memory and the rest of the machine are not in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fcn_edge.system.telemetry.meter import Meter
from fcn_edge.system.telemetry.readings import number_in
from fcn_edge.system.text import text_of

__all__ = ["read_rapl"]

_MICRO = 1e-6


@dataclass(frozen=True)
class Domain:
    """A part of the processor whose energy is counted.

    Attributes:
        name: Such as ``package-0``.
        counter: The file of its counter, in microjoules.
        range: Where the counter begins again at zero, in microjoules.
    """

    name: str
    counter: Path
    range: float


class EnergyCounter:
    """Joules of several domains since the first call. Call it more often than a counter comes round (minutes)."""

    def __init__(self, domains: Sequence[Domain]) -> None:
        self._domains = domains
        self._last: list[float] = []
        self._joules = 0.0

    def __call__(self) -> float | None:
        """Joules since the first call; None where a counter cannot be read."""
        now = [number for domain in self._domains if (number := number_in(domain.counter)) is not None]
        if len(now) < len(self._domains):
            return None
        for before, after, domain in zip(self._last, now, self._domains, strict=False):
            grown = after - before
            self._joules += (grown if grown >= 0 else grown + domain.range) * _MICRO
        self._last = now
        return self._joules


def read_rapl(root: Path) -> tuple[Meter | None, str]:
    """Look for RAPL.

    Args:
        root: Where ``/sys`` is found.

    Returns:
        The meter, and an empty text; or None, and why in one sentence, which is empty where there is no RAPL.
    """
    domains = []
    for folder in sorted((root / "sys/class/powercap").glob("intel-rapl:*")):
        name, reach = text_of(folder / "name").strip(), number_in(folder / "max_energy_range_uj")
        # of the domains, packages do not overlap: cores, uncore and dram lie below them, and psys above
        if re.fullmatch(r"intel-rapl:\d+", folder.name) and name.startswith("package-") and reach:
            domains.append(Domain(name, folder / "energy_uj", reach))
    if not domains:
        return None, ""
    counter = EnergyCounter(domains)
    if counter() is None:
        return None, f"RAPL's {domains[0].counter.name} cannot be read; on most systems only root may do so."
    return Meter(f"RAPL {' + '.join(domain.name for domain in domains)}", joules=counter), ""
