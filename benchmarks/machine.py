"""What a benchmark's numbers were measured on."""

from __future__ import annotations

import os
from typing import Any

from fcn_edge.system.facts import read_facts

__all__ = ["machine"]


def machine(threads: int | None) -> dict[str, Any]:
    """The facts of this machine, with what the measurement adds to them.

    Args:
        threads: Threads of the measurement; the physical cores when left out.
    """
    facts = read_facts()
    return {**facts.to_json(), "threads": threads or facts.cpu.cores, "load_before": os.getloadavg()}
