from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fcn_edge.doctor.check import Check
from fcn_edge.doctor.power import power_mode

from .trees import ORIN_NANO_MODES, THOR_MODES, facts, release, written

NO_MAXN = "< POWER_MODEL ID=0 NAME=7W >\n< POWER_MODEL ID=1 NAME=15W >\n"
BOTH_MAXN = "< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=4 NAME=MAXN_SUPER >\n< POWER_MODEL ID=5 NAME=40W >\n"


def power_mode_of(root: Path, files: dict[str, str], **answers: Any) -> Check | None:
    found = facts(written(root, {**release(36, "4.3"), **files}), **answers)
    assert found.jetson is not None
    return power_mode(found.jetson)


@pytest.mark.parametrize(
    ("conf", "status", "found", "fix"),
    [
        (ORIN_NANO_MODES, "pmode:0000", "15W (mode 0); the fastest is MAXN_SUPER", "sudo nvpmodel -m 2 && "),
        (ORIN_NANO_MODES, "pmode:0002", "MAXN_SUPER (mode 2)", ""),
        (THOR_MODES, "pmode:0000 fmode:quiet", "MAXN (mode 0)", ""),
        (THOR_MODES, "pmode:0001", "120W (mode 1); the fastest is MAXN", "sudo nvpmodel -m 0 && "),
        (NO_MAXN, "pmode:0000", "7W (mode 0); the fastest is 15W", "sudo nvpmodel -m 1 && "),
        (BOTH_MAXN, "pmode:0000", "MAXN (mode 0); the fastest is MAXN_SUPER", "sudo nvpmodel -m 4 && "),
        (THOR_MODES, "pmode:0009", "unknown (mode 9); the fastest is MAXN", "sudo nvpmodel -m 0 && "),
    ],
)
def test_power_mode(tmp_path: Path, conf: str, status: str, found: str, fix: str) -> None:
    check = power_mode_of(tmp_path, {"etc/nvpmodel.conf": conf, "var/lib/nvpmodel/status": status})
    assert check is not None
    assert (check.ok, check.found, check.fix) == (not fix, found, fix and f"{fix}sudo jetson_clocks")


def test_nvpmodel_is_asked_where_the_status_is_not_kept(tmp_path: Path) -> None:
    files = {"etc/nvpmodel.conf": ORIN_NANO_MODES}
    check = power_mode_of(tmp_path, files, nvpmodel=lambda: "NV Power Mode: 25W\n1\n")
    assert check is not None
    assert check.found.startswith("25W (mode 1)")


def test_a_board_that_does_not_tell(tmp_path: Path) -> None:
    check = power_mode_of(tmp_path, {"etc/nvpmodel.conf": THOR_MODES})
    assert check is not None
    assert (check.ok, check.found) == (True, "unknown; the board has MAXN, 120W")


def test_no_modes(tmp_path: Path) -> None:
    assert power_mode_of(tmp_path, {}) is None
