from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fcn_edge import doctor
from fcn_edge.doctor import Check
from fcn_edge.version import __version__

Run = Callable[..., Any]


def test_every_check_has_the_promised_keys(fcn_edge: Run) -> None:
    outcome = fcn_edge("doctor", "--json")
    assert outcome.code == 0
    checks = outcome.json["checks"]
    for check in checks:
        assert {"name", "ok", "found", "fix"} <= set(check)
        assert check["found"]
        assert check["ok"] or check["fix"], "what is missing comes with what fixes it"
    names = [check["name"] for check in checks]
    assert len(set(names)) == len(names)
    assert __version__ in checks[0]["found"]


def test_the_machine_is_reported_with_the_checks(fcn_edge: Run) -> None:
    machine = fcn_edge("doctor", "--json").json["machine"]
    assert machine["cpu"]["name"]
    assert machine["software"]["packages"]["numpy"]


def test_people_see_what_is_missing_with_its_fix_below(fcn_edge: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        Check("one", True, "is there", required=True),
        Check("a camera", False, "none", "Plug one in."),
        Check("vital", False, "gone", "Bring it back.", required=True),
    ]
    monkeypatch.setattr(doctor, "all_checks", lambda facts: found)
    outcome = fcn_edge("doctor")
    assert outcome.code == 0, "a report was asked for and given"
    assert [line.split() for line in outcome.out.splitlines()] == [
        ["ok", "one", "is", "there"],
        ["no", "a", "camera", "none"],
        ["->", "Plug", "one", "in."],
        ["FAIL", "vital", "gone"],
        ["->", "Bring", "it", "back."],
    ]
