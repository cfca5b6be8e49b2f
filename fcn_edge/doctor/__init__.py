"""What this machine has, line by line, and what fixes what is missing."""

from __future__ import annotations

from fcn_edge.doctor.check import Check
from fcn_edge.doctor.report import all_checks

__all__ = ["Check", "all_checks"]
