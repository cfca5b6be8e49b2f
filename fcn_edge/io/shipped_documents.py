"""TOML files that ship in a folder of the package and are named without their path; users give their own by path."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["document_path", "shipped_names"]


def shipped_names(folder: Path) -> tuple[str, ...]:
    """Names of the ``.toml`` files in a folder, without their ending, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


def document_path(name: str | Path, folder: Path) -> Path | None:
    """Where a document lies that is named, or given as a path; None where there is neither.

    Args:
        name: One of ``shipped_names(folder)``, or the path of any file; a pipe is one, too.
        folder: Where those lie that ship.
    """
    path = folder / f"{name}.toml" if str(name) in shipped_names(folder) else Path(name)
    # not of pathlib, which raises for a name that is too long
    return path if os.path.exists(path) and not os.path.isdir(path) else None  # noqa: PTH110, PTH112
