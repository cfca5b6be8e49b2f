"""Folders, made with those that they lie in."""

from __future__ import annotations

from pathlib import Path

__all__ = ["make_folder"]


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder and those around it, where they are not there yet.

    ``Path.mkdir`` and ``os.makedirs`` call themselves for each one around it, and a path has place for two thousand.

    Args:
        folder: The folder.
        mode: Its permissions, less those that the process gives to no folder; those around it have the usual ones.

    Raises:
        OSError: It cannot be made, or one of them is no folder.
    """
    missing = []
    for place in (folder, *folder.parents):
        try:
            place.mkdir(mode if place is folder else 0o777, exist_ok=True)
            break
        except FileNotFoundError:
            missing.append(place)
    for place in reversed(missing):
        place.mkdir(mode if place is folder else 0o777, exist_ok=True)
