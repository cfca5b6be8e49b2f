from __future__ import annotations

from pathlib import Path

from fcn_edge.system.nvidia import has_nvidia_gpu


def test_gpu_is_seen_by_its_device_files(tmp_path: Path) -> None:
    assert not has_nvidia_gpu(tmp_path)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvhost-gpu").touch()
    assert has_nvidia_gpu(tmp_path)
