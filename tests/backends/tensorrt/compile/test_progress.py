from __future__ import annotations

import pytest

from fcn_edge.backends.tensorrt.compile import progress as monitor
from fcn_edge.backends.tensorrt.compile.progress import monitor_of

from ..standin import standin
from ..trim_api import TRIMMED, read


def run(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """What two nested phases tell, at the times of the clock."""
    monkeypatch.setattr(monitor.time, "monotonic", lambda: clock.pop(0))
    told: list[tuple[str, int, int]] = []
    made = monitor_of(standin(read(TRIMMED / "10.3.0.json")), lambda *step: told.append(step))
    made.phase_start("Building engine", None, 2)
    made.phase_start("Timing tactics", "Building engine", 3)
    assert made.step_complete("Timing tactics", 0) is True
    made.phase_finish("Timing tactics")
    assert made.step_complete("Building engine", 1) is True
    made.phase_finish("Building engine")
    return told


def test_the_innermost_phase_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run([1.0, 2.0, 3.0, 4.0], monkeypatch) == [
        ("Building engine", 0, 2),
        ("Timing tactics", 0, 3),
        ("Timing tactics", 1, 3),
        ("Building engine", 2, 2),
    ]


def test_steps_that_follow_fast_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run([1.0, 1.01, 1.02, 1.2], monkeypatch) == [("Building engine", 0, 2), ("Building engine", 2, 2)]
