from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.system.telemetry.load import CpuTime, load_average, read_cpu_time

from ...doctor.trees import written
from . import machines


def test_a_machine_that_others_share(tmp_path: Path) -> None:
    root = written(tmp_path, machines.CLOUD)
    assert load_average(root) == 0.5
    before = read_cpu_time(root)
    assert before == CpuTime(total=1000, stolen=100)
    written(root, {"proc/stat": machines.STAT.format(user=150, idle=820, steal=130)})
    after = read_cpu_time(root)
    assert after is not None
    assert after.steal_since(before) == pytest.approx(0.3)
    assert after.steal_since(after) is None
    assert CpuTime(total=10, stolen=20).steal_since(CpuTime(total=0, stolen=0)) == 1.0


@pytest.mark.parametrize("text", ["", "\n", "cpu  1 2 3\n", "cpu a b c d e f g h\n", "intr 1 2 3 4 5 6 7 8\n"])
def test_a_machine_that_tells_nothing(tmp_path: Path, text: str) -> None:
    root = written(tmp_path, {"proc/stat": text, "proc/loadavg": text})
    assert (load_average(root), read_cpu_time(root)) == (None, None)


def test_this_machine() -> None:
    assert load_average(Path("/")) is not None
    assert read_cpu_time(Path("/")) is not None
