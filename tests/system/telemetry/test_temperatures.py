from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.system.telemetry.temperatures import read_temperatures

from ...doctor.trees import written
from . import machines


@pytest.mark.parametrize(
    ("files", "degrees"),
    [
        (
            machines.ORIN_NANO,
            {"cpu-thermal": 50.125, "gpu-thermal": 51.343, "cv0-thermal": None, "tj-thermal": 51.343},
        ),
        (machines.DESKTOP, {"x86_pkg_temp": 71.0, "coretemp Package id 0": 71.0}),
        (machines.EPYC, {"k10temp Tctl": 58.75}),
        (machines.CLOUD, {}),
    ],
)
def test_temperatures(tmp_path: Path, files: dict[str, str], degrees: dict[str, float | None]) -> None:
    found = read_temperatures(written(tmp_path, files))
    assert {name: reading() for name, reading in found.items()} == degrees


def test_what_is_switched_off_has_no_temperature(tmp_path: Path) -> None:
    root = written(tmp_path, machines.ORIN_NANO)
    zone = root / "sys/class/thermal/thermal_zone1/temp"
    gpu = read_temperatures(root)["gpu-thermal"]
    for text in ("-256000\n", "", "no number\n"):
        zone.write_text(text)
        assert gpu() is None
    zone.write_text("-12000\n")
    assert gpu() == -12.0
