"""What the committed measurements of the live page say, and that they are of the scripts as they are."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("starlette")

from benchmarks.page import delay, hour, viewers

RESULTS = {module: module.RESULTS for module in (delay, viewers, hour)}


@pytest.mark.parametrize("module", RESULTS, ids=lambda module: module.__name__)
def test_every_check_held(module: Any) -> None:
    result = json.loads(RESULTS[module].read_text())
    assert result["failed"] == []
    assert result["checks"]
    assert all(check["holds"] for check in result["checks"].values())


def test_the_delay_was_measured_at_both_rates_with_the_shipped_model() -> None:
    result = json.loads(delay.RESULTS.read_text())
    assert result["model"] == delay.MODEL
    assert [row["camera_fps"] for row in result["rows"]] == [10, 25]
    assert all(row["shown"] > 100 for row in result["rows"])
    assert all(row["camera_to_screen_ms"]["p50"] <= delay.MOST_MS for row in result["rows"])


def test_twenty_viewers_were_compared_with_one_in_turns() -> None:
    result = json.loads(viewers.RESULTS.read_text())
    assert {len(rounds) for rounds in result["rounds"].values()} == {len(result["rounds"]["1"])}
    assert len(result["rounds"]["1"]) >= 3
    assert result["rounds"]["20"][0]["viewers"] == sum(viewers.TWENTY.values()) == 20


def test_the_hour_was_an_hour_with_viewers_who_came_and_went() -> None:
    result = json.loads(hour.RESULTS.read_text())
    assert result["frames"] == 60 * 60 * hour.FPS
    assert result["encoded"] > 0.95 * result["frames"]
    assert result["visits"] > 50
    assert len(result["memory_mb"]) == 60
