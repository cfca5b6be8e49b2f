"""The child process of the system's Python in which GStreamer runs: what readers and encoders have in common."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

__all__ = ["GStreamerChild", "ended_how"]

KILLED = 2.0
"""Seconds that a process takes to be gone, at most; one whose driver hangs in the kernel stays for as long as that."""


class GStreamerChild:
    """A running child that hears through its standard input and answers through a pipe of its own.

    It is told its pipeline through the former: arguments are seen by everybody. Whoever derives from this closes the
    descriptor ``_output``.

    Args:
        python: The interpreter, which has ``gi``.
        program: What it runs; its one argument is the number of the descriptor for its answers.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(self, python: str, program: Path) -> None:
        reading, writing = os.pipe()
        try:
            # a session of its own: Ctrl-C reaches this process, which ends the child. Its own words are dropped, since
            # plugins print addresses; GST_DEBUG_FILE keeps them for who needs them
            self._process = subprocess.Popen(
                [python, "-IB", str(program), str(writing)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(writing,),
                start_new_session=True,
                bufsize=0,
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        assert self._process.stdin is not None
        self._input = self._process.stdin
        self._output = reading

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def exit_status(self, timeout: float) -> int | None:
        """The exit status of the child, which is about to end; None where it does not in time."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def end_input(self) -> None:
        """Close its standard input: it takes its pipeline down and ends."""
        with suppress(OSError):
            self._input.close()

    def end(self, grace: float) -> None:
        """End it; kill it where that takes longer than ``grace`` seconds, and wait ``KILLED`` seconds for that."""
        self.end_input()
        if self.exit_status(grace) is None:
            with suppress(ProcessLookupError):  # it ends this moment
                os.killpg(self._process.pid, signal.SIGKILL)
            self.exit_status(KILLED)


def ended_how(status: int) -> str:
    """The rest of a sentence about a process.

    Args:
        status: Its exit status as ``subprocess`` gives it.
    """
    known = {-number.value: f"was ended by {number.name}" for number in signal.Signals}
    return known.get(status, f"was ended by signal {-status}" if status < 0 else f"ended with status {status}")
