"""The power modes of a Jetson, which cap its clocks."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fcn_edge.system.text import text_of

__all__ = ["PowerFacts", "read_power"]


@dataclass(frozen=True)
class PowerFacts:
    """The power modes of a board.

    A mode's number means nothing by itself: 0 is the fastest on some boards and 15 W on others.

    Attributes:
        modes: Name of each mode by its number, such as ``{0: "15W", 2: "MAXN_SUPER"}``.
        current: Number of the mode that is set; None where the system does not tell.
    """

    modes: dict[int, str]
    current: int | None

    @property
    def mode(self) -> str:
        """Name of the mode that is set; empty where the system does not tell."""
        return "" if self.current is None else self.modes.get(self.current, "")


def read_power(root: Path, nvpmodel: Callable[[], str]) -> PowerFacts | None:
    """Read the power modes; None where the board's modes cannot be read.

    Args:
        root: Where ``/etc`` and ``/var`` are found.
        nvpmodel: What ``nvpmodel -q`` prints; asked only where the board's files do not tell.
    """
    conf = text_of(root / "etc/nvpmodel.conf")
    modes = {int(number): name for number, name in re.findall(r"< *POWER_MODEL +ID=(\d+) +NAME=([^\s>]+)", conf)}
    if not modes:
        return None
    status = re.search(r"pmode:(\d+)", text_of(root / "var/lib/nvpmodel/status"))
    asked = status or re.search(r"^(\d+)\s*$", nvpmodel(), re.MULTILINE)
    return PowerFacts(modes, int(asked[1]) if asked else None)
