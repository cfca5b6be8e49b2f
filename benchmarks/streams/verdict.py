"""What must hold of a measurement, and the file that says whether it did."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

__all__ = ["Verdict", "finish", "output_option", "result_path", "write_result"]

FOLDER = Path(__file__).resolve().parents[1] / "results" / "streams"

DEPTH = 3
"""Objects within objects that are shown with one key on each line."""


class Verdict:
    """Limits, each with what was measured.

    Attributes:
        checks: By name: what was measured, its limit, and whether it holds.
    """

    def __init__(self) -> None:
        self.checks: dict[str, dict[str, Any]] = {}

    def at_most(self, name: str, value: float | None, limit: float) -> None:
        """A value that must be there and must not exceed its limit."""
        holds = value is not None and value <= limit
        shown = None if value is None else round(value, 3)
        self.checks[name] = {"value": shown, "limit": round(limit, 3), "holds": holds}

    def equal(self, name: str, value: Any, expected: Any) -> None:
        """A value that must be a certain one."""
        self.checks[name] = {"value": value, "expected": expected, "holds": value == expected}

    @property
    def failed(self) -> list[str]:
        """Names of the checks that do not hold."""
        return [name for name, check in self.checks.items() if not check["holds"]]


def result_path(name: str) -> Path:
    """The committed result of a script."""
    return FOLDER / f"{name}.json"


def output_option(path: Path) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Where a script writes its result."""
    kind = click.Path(dir_okay=False, path_type=Path)
    return click.option("-o", "--output", type=kind, default=path, show_default=True)


def finish(path: Path, result: dict[str, Any]) -> None:
    """Write a result, with the load of the machine at its end, and end the script.

    Raises:
        SystemExit: Something is ``failed`` in it.
    """
    write_result(path, result | {"load_after": os.getloadavg()})
    if result.get("failed"):
        raise SystemExit(1)


def write_result(path: Path, result: dict[str, Any]) -> None:
    """Write a result whose lists of samples take a line each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_shown(result, 1) + "\n")


def _shown(value: Any, depth: int) -> str:
    """JSON, with one key on each line of the outer objects."""
    if not isinstance(value, dict) or not value or depth > DEPTH:
        return json.dumps(value, separators=(",", ": "))
    lines = [" " * depth + f"{json.dumps(key)}: {_shown(one, depth + 1)}" for key, one in value.items()]
    return "{\n" + ",\n".join(lines) + "\n" + " " * (depth - 1) + "}"
