from __future__ import annotations

import errno
import os

import pytest

from fcn_edge.errors import ArtifactError, FcnEdgeError, MachineError, ModelError, SourceError
from fcn_edge.io.machine import fault_behind, machine_fault


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MemoryError(), "The memory is full."),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "The memory is full."),
        (RuntimeError("std::bad_alloc"), "The memory is full."),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
            "The memory is full.",
        ),
        (RuntimeError("Failed to allocate memory for requested buffer of size 9"), "The memory is full."),
        (RuntimeError("can't start new thread"), "starts no more threads"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "starts no more threads"),
        (RuntimeError("pthread_create failed, error code: 11"), "starts no more threads"),
        (OSError(errno.ENOSPC, "No space", "/a"), "The disk is full: /a could not be written."),
        (OSError(errno.ENOSPC, "No space", "/a", None, "/b"), "The disk is full: /b could not be written."),
        (OSError(errno.EDQUOT, "Quota exceeded"), "The disk is full: given could not be written."),
        (OSError(errno.EFBIG, "File too large"), "given could not be written: it became larger than"),
        (OSError(errno.EMFILE, "Too many open files", "/a"), "/a could not be opened: this program has"),
        (OSError(errno.ENFILE, "Too many open files", "/a"), "/a could not be opened: all programs"),
        (OSError(errno.EIO, "Input/output error", "/a"), "/a could not be read or written: the disk"),
        (OSError(errno.ESTALE, "Stale file handle", "/{a}"), "/{a} could not be read or written"),
    ],
)
def test_what_the_machine_lacks(error: Exception, says: str) -> None:
    fault = machine_fault(error, "given")
    assert fault is not None
    assert says in fault.message
    assert fault.fix
    assert fault.exit_code == 6
    assert fault_behind(made(ModelError("Export it again."), error)).message == machine_fault(error).message  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOENT, "No such file or directory", "/a"),
        OSError(errno.EROFS, "Read-only file system", "/a"),
        RuntimeError("Invalid model"),
        ValueError("memory of the past"),
        ModelError("It says bad_alloc."),
    ],
)
def test_what_is_the_fault_of_the_input(error: Exception) -> None:
    assert machine_fault(error) is None
    assert fault_behind(made(ModelError("Export it again."), error)) is None


def test_a_reader_that_is_too_slow_is_no_lack_of_threads() -> None:
    error = BlockingIOError(errno.EAGAIN, "write could not complete without blocking", 0)
    assert error.characters_written == 0
    assert machine_fault(error) is None


def test_a_fault_is_found_however_deep_it_lies() -> None:
    error = made(ArtifactError("a"), made(ValueError("b"), MemoryError()))
    assert isinstance(fault_behind(error), MachineError)


def test_an_error_that_hides_its_context_has_one_all_the_same() -> None:
    error = ModelError("/a cannot be read.")
    error.__context__ = OSError(errno.EMFILE, "Too many open files", "/a")
    error.__suppress_context__ = True  # as `from None` does
    assert isinstance(fault_behind(error), MachineError)


def test_a_camera_that_was_unplugged_stays_a_lost_source() -> None:
    for number in (errno.EIO, errno.EAGAIN):
        assert fault_behind(made(SourceError("The camera is lost."), OSError(number, os.strerror(number)))) is None
    assert fault_behind(made(SourceError("It cannot be read."), MemoryError())) is not None


def made(error: FcnEdgeError | ValueError, cause: Exception) -> FcnEdgeError:
    error.__cause__ = cause
    return error  # type: ignore[return-value]
