from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.artifacts.device import DeviceInfo
from fcn_edge.backends.tensorrt.compile.timing_cache import keep_timings, timing_file, use_timings

ORIN = DeviceInfo("cuda", "Orin (nvgpu)", "8.7")


class Config:
    """A builder's configuration that takes some timing caches."""

    def __init__(self, *takes: bytes) -> None:
        self.takes = takes
        self.given: list[bytes] = []

    def create_timing_cache(self, content: bytes) -> Any:
        return None if content == b"garbage" else content

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        assert ignore_mismatch is False
        self.given.append(cache)
        return cache in self.takes

    def get_timing_cache(self) -> Any:
        return type("Cache", (), {"serialize": lambda self: b"new"})()


def test_a_file_holds_for_one_version_and_one_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FCN_EDGE_CACHE", str(tmp_path))
    path = timing_file("10.3.0", ORIN)
    assert path == tmp_path / "timings" / "10.3.0_Orin_nvgpu_8.7"
    others = [timing_file("10.3.1", ORIN), timing_file("10.3.0", DeviceInfo("cuda", "Orin Nano", "8.7"))]
    assert path not in others
    board = DeviceInfo("cuda", "Orin", "8.7", "NVIDIA Jetson AGX Orin Developer Kit", 8, "30W")
    file = timing_file("10.3.0", board)
    assert file is not None
    assert file.name == "10.3.0_NVIDIA_Jetson_AGX_Orin_Developer_Kit_8.7_8_SM_power_mode_30W"
    assert timing_file("10.3.0", replace(board, multiprocessors=16, power_mode="MAXN")) != file, "it measures anew"


def test_a_user_without_a_home_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FCN_EDGE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert timing_file("10.3.0", ORIN) is None


@pytest.mark.parametrize(
    ("kept", "given"),
    [
        (b"old", [b"old"]),
        (b"of another version", [b"of another version", b""]),
        (b"garbage", [b""]),
        (None, [b""]),
    ],
)
def test_what_is_refused_counts_as_empty(kept: bytes | None, given: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "timings"
    if kept is not None:
        path.write_bytes(kept)
    config = Config(b"old", b"")
    use_timings(config, path)
    assert config.given == given


def test_new_measurements_take_the_place_of_old_ones(tmp_path: Path) -> None:
    path = tmp_path / "new" / "timings"
    keep_timings(Config(), path)
    assert path.read_bytes() == b"new"
    assert [one.name for one in path.parent.iterdir()] == ["timings"]


def test_what_may_not_be_written_is_lost_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    keep_timings(Config(), tmp_path / "file" / "timings")
    assert (tmp_path / "file").read_text() == "no directory"
