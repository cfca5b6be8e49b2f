"""Calibration sets: which images a network is calibrated on, why these, and what they show."""

from __future__ import annotations

from fcn_edge.datasets.calibration.hashes import overlap
from fcn_edge.datasets.calibration.manifest import read_manifest, write_manifest
from fcn_edge.datasets.calibration.selection import calibration_set
from fcn_edge.datasets.calibration.sets import CalibrationImage, CalibrationSet

__all__ = [
    "CalibrationImage",
    "CalibrationSet",
    "calibration_set",
    "overlap",
    "read_manifest",
    "write_manifest",
]
