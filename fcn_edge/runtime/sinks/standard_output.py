"""Standard output, written so that another thread can end a write that nobody reads."""

from __future__ import annotations

import os
import select
import sys

from fcn_edge.errors import MachineError

__all__ = ["StandardOutput"]

SLICE_MS = 100
ATOMIC = select.PIPE_BUF
"""Bytes that a pipe with room takes at once, whole and without waiting."""


class StandardOutput:
    """Texts to standard output, past Python's own buffer.

    A thread that waits inside that holds a lock, which the summary and the end of the interpreter would wait for.
    Where it is no file of the system, as in a notebook, ``sys.stdout`` itself is written.
    """

    def __init__(self) -> None:
        self._stopped = False

    def stop(self) -> None:
        """End a write that waits for a reader, from another thread, and refuse further ones."""
        self._stopped = True

    def write(self, text: str) -> None:
        """Write a text and wait until it is handed over.

        Args:
            text: Whole lines.

        Raises:
            BrokenPipeError: The reader went away.
            MachineError: ``stop`` was called.
        """
        try:
            descriptor = sys.stdout.fileno()
        except (OSError, ValueError):
            sys.stdout.write(text)
            sys.stdout.flush()
            return
        sys.stdout.flush()  # what others wrote comes first; mostly nothing
        left = memoryview(text.encode())
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        while left:
            if self._stopped:
                raise MachineError("Nobody reads standard output.", "Check what reads it.")
            if poll.poll(SLICE_MS):
                left = left[_written(descriptor, left[:ATOMIC]) :]


def _written(descriptor: int, some: memoryview) -> int:
    try:
        return os.write(descriptor, some)
    except BlockingIOError:  # somebody else filled it, and it is set not to wait
        return 0
