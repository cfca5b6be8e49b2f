"""Writes ``tests/backends/tensorrt_api``: of each version's names those that the backends ask for, there or not.

python -m tests.backends.tensorrt.trim_api ../shared/tensorrt_api
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from .exercise import exercise
from .standin import Touched

TRIMMED = Path(__file__).parents[1] / "tensorrt_api"
VERSIONS = ("10.0.1", "10.3.0", "10.7.0", "10.13.0.35", "10.16.1.11", "11.4.0.106", "rtx-1.7.1")


def touched_in(full: Path) -> Touched:
    """What the backends ask of the versions whose complete lists lie in a directory."""
    touched = Touched()
    for version in VERSIONS:
        with tempfile.TemporaryDirectory() as directory:
            exercise(read(full / f"{version}.json"), Path(directory), touched)
    return touched


def trimmed(api: Any, touched: Touched) -> dict[str, Any]:
    """A version's list without what nobody asked for."""
    kept: dict[str, Any] = {"__version__": api["__version__"]}
    for name in sorted({kind for kind, _ in touched} & api.keys()):
        members = sorted(member for kind, member in touched if kind == name and member in api[name]["members"])
        part: dict[str, Any] = {"members": members}
        if "enum" in api[name]:
            part["enum"] = {member: api[name]["enum"][member] for member in members if member in api[name]["enum"]}
        else:
            signatures = api[name].get("signatures", {})
            part["signatures"] = {key: signatures[key] for key in ("__init__", *members) if key in signatures}
        kept[name] = part
    return kept


def read(path: Path) -> Any:
    """A version's list."""
    return json.loads(path.read_text(encoding="utf-8"))


def main() -> None:
    """Write the trimmed lists."""
    full = Path(sys.argv[1])
    touched = touched_in(full)
    TRIMMED.mkdir(exist_ok=True)
    for version in VERSIONS:
        text = json.dumps(trimmed(read(full / f"{version}.json"), touched), indent=1)
        (TRIMMED / f"{version}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
