"""Ctrl-C and SIGTERM end a command once, however often they come."""

from __future__ import annotations

import atexit
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["INTERRUPTED", "interrupts_once", "quiet_until_exit"]

INTERRUPTED = 130
"""Exit code after Ctrl-C."""

GRACE = 1.0
"""Seconds after an interrupt in which further ones are the same wish: a key that bounces, a script that hands on what
its whole group got. They must not break into the closing of files; later ones may, which ends a close that hangs."""


class _Interrupts:
    """The handler of both signals, for the main thread."""

    def __init__(self) -> None:
        self.last: float | None = None
        self.terminated: list[bool] = []

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.last is not None and now - self.last < GRACE:
            return
        self.last = now
        if number == signal.SIGTERM:
            self.terminated.append(True)
        raise KeyboardInterrupt


_interrupts = _Interrupts()


@contextmanager
def interrupts_once() -> Iterator[list[bool]]:
    """Turn Ctrl-C and SIGTERM into KeyboardInterrupt inside the block, and several within a second into one.

    Where Ctrl-C is to be ignored, as in background jobs of a shell, it stays so.

    Yields:
        A list that is filled when it was SIGTERM.
    """
    if threading.current_thread() is not threading.main_thread():
        yield []  # only the main thread may set handlers
        return
    _interrupts.last, _interrupts.terminated = None, []
    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, _interrupts)}
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        before[signal.SIGINT] = signal.signal(signal.SIGINT, _interrupts)
    try:
        yield _interrupts.terminated
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def quiet_until_exit() -> None:
    """For a process that runs one command: what follows an interrupt does not break into the interpreter's end either.

    Without it, that end would be a traceback, or the threads that still run would abort it.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupts)
        atexit.register(_ignore)


def _ignore() -> None:
    if _interrupts.last is not None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
