"""Builds that measure nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest


def make_builds_quick(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Builds on few small frames, each candidate said to take 10 ms.

    Args:
        monkeypatch: Undoes it.

    Returns:
        To put other times in, by ``backend.precision``.
    """
    from fcn_edge.artifacts.records import Speed
    from fcn_edge.builder import build, tuner

    frames = [np.full((48, 64, 3), 100, np.uint8)]
    times: dict[str, float] = {}

    def speeds(sessions: dict[str, Any], frames: Any, *, source: str, devices: dict[str, str]) -> dict[str, Speed]:
        return {
            name: Speed(
                network_ms=1.0,
                end_to_end_ms=times.get(name, 10.0),
                frames=1,
                frame_size=frames[0].shape[:2],
                source=source,
                device=devices[name],
            )
            for name in sessions
        }

    for module in (build, tuner):
        monkeypatch.setattr(module, "frames_to_time", lambda: frames)
    monkeypatch.setattr(tuner, "GUARD_SEEDS", range(500, 503))
    monkeypatch.setattr(tuner, "speeds_of", speeds)
    return times
