"""Where long work keeps its state."""

from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.io.runs import runs_directory


def test_in_the_users_cache_or_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FCN_EDGE_RUNS", str(tmp_path / "runs"))
    assert runs_directory() == tmp_path / "runs"
    monkeypatch.delenv("FCN_EDGE_RUNS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert runs_directory() == tmp_path / "fcn_edge" / "runs"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert runs_directory() == tmp_path / ".cache" / "fcn_edge" / "runs"
