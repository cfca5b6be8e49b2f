from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.system.telemetry.clocks import read_clocks, read_gpu_load

from ...doctor.trees import written
from . import machines


@pytest.mark.parametrize(
    ("files", "clocks"),
    [
        (machines.ORIN_NANO, {"cpu": (1728, 1728), "gpu": (612, 1020), "emc": (3199, 3199)}),
        (machines.AGX_ORIN, {"gpu": (1300.5, None)}),
        (machines.THOR, {"gpu": (1575, 1575), "emc": (4266, 4266)}),
        (machines.DESKTOP, {"cpu": (4900, 5200)}),
        (machines.CLOUD, {}),
    ],
)
def test_clocks(tmp_path: Path, files: dict[str, str], clocks: dict[str, tuple[float, float | None]]) -> None:
    found = read_clocks(written(tmp_path, files))
    assert set(found) == set(clocks)
    for name, (mhz, limit) in clocks.items():
        assert found[name].mhz() == pytest.approx(mhz)
        assert found[name].limit_mhz == (None if limit is None else pytest.approx(limit))


def test_a_clock_that_only_root_may_read_is_absent(tmp_path: Path) -> None:
    root = written(tmp_path, machines.ORIN_NANO)
    rate = root / "sys/kernel/debug/bpmp/debug/clk/emc/rate"
    rate.unlink()
    rate.mkdir()
    assert "emc" not in read_clocks(root)


def test_the_load_of_a_gpu(tmp_path: Path) -> None:
    load = read_gpu_load(written(tmp_path, machines.ORIN_NANO))
    assert load is not None
    assert load() == pytest.approx(0.735)
    assert read_gpu_load(written(tmp_path / "thor", machines.THOR)) is None
