"""What the GPU check reads of the machine."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType


def test_a_board_s_clocks_are_read_where_it_keeps_them(gpu_check: ModuleType, tmp_path: Path) -> None:
    facts = import_module("gpu.facts")
    gpu = tmp_path / "sys/class/devfreq/17000000.ga10b"
    gpu.mkdir(parents=True)
    (gpu / "cur_freq").write_text("1020000000\n")
    assert facts.clocks(tmp_path)["devfreq_hz"] == {
        "17000000.ga10b": {"cur_freq": "1020000000", "min_freq": None, "max_freq": None}
    }
