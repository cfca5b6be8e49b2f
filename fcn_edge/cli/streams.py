"""The three standard streams, as a command needs them: open, and able to print every letter."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

__all__ = ["discard_output", "prepare_streams"]

_LAST = 2


def prepare_streams() -> None:
    """Open what the caller has closed (``>&-``) to nowhere, and show letters that an encoding lacks as escapes.

    Where a standard stream is closed, the next file that is opened takes its number, and what is printed, by a library
    for example, lands in that file.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= _LAST:  # the lowest that is free
        os.set_inheritable(number, True)
    os.close(number)
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def discard_output(stream: TextIO) -> None:
    """Send a standard stream nowhere, so that the interpreter does not fail once more when it flushes it at the end."""
    with suppress(OSError, ValueError):
        descriptor = stream.fileno()
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), descriptor)
