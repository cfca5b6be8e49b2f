from __future__ import annotations

import io
import sys

import pytest

from fcn_edge.cli.progress import progress_bar


class Terminal(io.StringIO):
    """What standard error is for people."""

    def isatty(self) -> bool:
        return True


def test_a_bar_shows_only_while_its_step_works(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress_bar("idle"), progress_bar("first") as first, progress_bar("second") as second:
        assert terminal.getvalue() == ""
        first(1, 2)
        first(2, 2)
        assert "first" in terminal.getvalue()
        assert "second" not in terminal.getvalue()
        before = len(terminal.getvalue())
        second(1, 3)
        assert "second" in terminal.getvalue()[before:]
        assert "first" not in terminal.getvalue()[before:]
    assert "idle" not in terminal.getvalue()


def test_there_is_no_bar_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    with progress_bar("step") as moved:
        moved(1, 2)
    assert file.getvalue() == ""
