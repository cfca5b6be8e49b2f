"""What this machine has, line by line, and what fixes that which is missing."""

from __future__ import annotations

from fcn_edge.doctor.check import Check
from fcn_edge.doctor.probes import Probes
from fcn_edge.doctor.report import all_checks

__all__ = ["Check", "Probes", "all_checks"]
