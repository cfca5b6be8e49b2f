"""Child processes that a run speaks with through pipes, above all those in which GStreamer runs."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ["Child", "GStreamerChild", "ended_how"]

KILLED = 2.0
"""Seconds that a process takes to be gone, at most; one whose driver hangs in the kernel stays for as long as that."""


class Child:
    """A running child that hears through its standard input and answers through a pipe of its own.

    It is told its work through the former: arguments are seen by everybody. Whoever derives from this closes the
    descriptor ``_output``.

    Args:
        words: What is run; the number of the descriptor for its answers is its last argument.
        environment: What its environment has beside this process's.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(self, words: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        reading, writing = os.pipe()
        try:
            # a session of its own: Ctrl-C reaches this process, which ends the child. Its own words are dropped, since
            # plugins print addresses; GST_DEBUG_FILE keeps them for who needs them
            self._process = subprocess.Popen(
                [*words, str(writing)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(writing,),
                start_new_session=True,
                bufsize=0,
                env=None if environment is None else {**os.environ, **environment},
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
            self.kill()
            self.exit_status(KILLED)

    def kill(self) -> None:
        """Kill it, unless it has ended and was waited for."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):  # it ends this moment
                os.killpg(self._process.pid, signal.SIGKILL)


class GStreamerChild(Child):
    """A child of the system's Python.

    Args:
        python: The interpreter, which has ``gi``.
        program: What it runs; its one argument is the number of the descriptor for its answers.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(self, python: str, program: Path) -> None:
        super().__init__([python, "-IB", str(program)])


def ended_how(status: int) -> str:
    """The rest of a sentence about a process.

    Args:
        status: Its exit status as ``subprocess`` gives it.
    """
    known = {-number.value: f"was ended by {number.name}" for number in signal.Signals}
    return known.get(status, f"was ended by signal {-status}" if status < 0 else f"ended with status {status}")
