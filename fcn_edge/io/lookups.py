"""Paths that cannot even be looked at: a folder on the way may not be entered, or a name is longer than any may be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fcn_edge.errors import FcnEdgeError
from fcn_edge.io.machine import machine_fault
from fcn_edge.io.redaction import without_passwords

__all__ = ["lookup_errors"]


@contextmanager
def lookup_errors(kind: type[FcnEdgeError]) -> Iterator[None]:
    """Say in one of our errors what keeps a path from being looked at, where texts from outside become paths.

    ``Path.is_file`` and its like answer that nothing is there, but raise where they cannot tell.

    Args:
        kind: What to raise.

    Raises:
        FcnEdgeError: It is of that kind.
        MachineError: The machine lacks something, such as a file that it could still open.
    """
    try:
        yield
    except OSError as error:
        fault = machine_fault(error)
        if fault is not None:
            raise fault from error
        if error.filename is None:
            raise
        # not chained: the system's error shows the name, which may be a mistyped address with its password
        raise kind(
            f"{without_passwords(str(error.filename))} cannot be used: {error.strerror}.",
            "Check the path and its permissions.",
        ) from None
