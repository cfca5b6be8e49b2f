"""``python -m fcn_edge``, before the command line is there."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from fcn_edge.__main__ import main


def with_command(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """A command line that ends with an error."""

    def command(**_: Any) -> None:
        raise error

    module = ModuleType("fcn_edge.cli.main")
    module.main = command  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fcn_edge.cli.main", module)


def wrapped() -> Exception:
    """What Python makes of Ctrl-C while a class is made."""
    error = RuntimeError("Error calling __set_name__")
    error.__cause__ = KeyboardInterrupt()
    return error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), wrapped()])
def test_ctrl_c_during_imports_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    with_command(monkeypatch, error)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 130
    assert capsys.readouterr() == ("", "Error: Interrupted.\n")


@pytest.mark.parametrize("error", [SystemExit(3), ZeroDivisionError()])
def test_other_ends_pass(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    with_command(monkeypatch, error)
    with pytest.raises(type(error)) as caught:
        main()
    assert caught.value is error
