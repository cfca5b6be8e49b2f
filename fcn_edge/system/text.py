"""Reading files of the operating system, which may be absent."""

from __future__ import annotations

from pathlib import Path

__all__ = ["text_of"]


def text_of(path: Path) -> str:
    """The text of a system file; empty where it is absent or may not be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
