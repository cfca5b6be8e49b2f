"""Training needs torch, and keeps its state outside of the work tree."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where trainings of this test keep their state; there from the first one on."""
    folder = tmp_path / "runs"
    monkeypatch.setenv("FCN_EDGE_RUNS", str(folder))
    return folder
