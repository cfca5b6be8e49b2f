"""What this machine has, line by line, and what fixes that which is missing."""

from __future__ import annotations

from fcn_edge.doctor.check import Check
from fcn_edge.doctor.report import all_checks
from fcn_edge.system.probes import Probes

__all__ = ["Check", "Probes", "all_checks"]
