"""What a machine lacks, told from the errors of the system and of other libraries: memory, room, files, threads."""

from __future__ import annotations

import errno
import re
from os import PathLike

from fcn_edge.errors import FcnEdgeError, MachineError, SourceError

__all__ = ["fault_behind", "machine_fault"]

_MEMORY = ("The memory is full.", "Choose a smaller size or batch, or close other programs.")
_THREADS = (
    "The system starts no more threads or processes for this program.",
    "Raise the limit (ulimit -u, TasksMax of a service, --pids-limit of a container), or close other programs.",
)
_DISK = ("The disk is full: {path} could not be written.", "Free some space.")
_DEVICE = (
    "{path} could not be read or written: the disk or the network under it failed (input/output error).",
    "Look for the cause with dmesg; check the disk, the card or the connection.",
)
_BY_NUMBER = {
    errno.ENOSPC: _DISK,
    errno.EDQUOT: _DISK,
    errno.EFBIG: (
        "{path} could not be written: it became larger than its file system or a limit allows (FAT takes 4 GB).",
        "Write to a file system that takes larger files, such as ext4, or raise the limit (ulimit -f).",
    ),
    errno.EMFILE: (
        "{path} could not be opened: this program has as many files open as it may.",
        "Raise the limit, such as with ulimit -n 4096, or give fewer sources and sinks.",
    ),
    errno.ENFILE: (
        "{path} could not be opened: all programs together have as many files open as the system allows.",
        "Close other programs, or raise fs.file-max with sysctl.",
    ),
    errno.ENOMEM: _MEMORY,
    errno.EAGAIN: _THREADS,
    errno.EIO: _DEVICE,
    errno.ESTALE: _DEVICE,
}
_OF_SOURCES = frozenset({errno.EIO, errno.ESTALE, errno.EAGAIN})
"""What FFmpeg says too of a camera that was unplugged or sends nothing: a lost SOURCE, which has its own sentence."""
_NO_MEMORY = re.compile(
    r"bad_alloc|bad allocation|(?:cannot|can't|unable to|failed to) allocate|insufficient memory|out of memory",
    re.IGNORECASE,
)
_NO_THREADS = re.compile(
    r"can't start new thread|pthread_create failed|thread constructor failed|resource temporarily unavailable",
    re.IGNORECASE,
)
_LONGEST = 10_000
_MOST_CAUSES = 20


def machine_fault(error: BaseException, path: str | PathLike[str] | None = None) -> MachineError | None:
    """What the machine lacks, where an error of the system or of a library means that; else None.

    Args:
        error: Any error but one of ours.
        path: The file that it was about, where the error does not say.
    """
    if isinstance(error, FcnEdgeError):
        return None
    if isinstance(error, MemoryError):
        return MachineError(*_MEMORY)
    if isinstance(error, OSError):
        if error.errno not in _BY_NUMBER or hasattr(error, "characters_written"):  # of a reader that is too slow
            return None
        message, fix = _BY_NUMBER[error.errno]
        named = error.filename2 or error.filename or path or "the output"
        return MachineError(message.replace("{path}", str(named)), fix)
    said = str(error)[:_LONGEST]
    if _NO_MEMORY.search(said):
        return MachineError(*_MEMORY)
    return MachineError(*_THREADS) if _NO_THREADS.search(said) else None


def fault_behind(error: FcnEdgeError) -> MachineError | None:
    """What the machine lacks, where that is why one of our errors was raised; else None.

    A checkpoint cannot be read for want of memory, for example: that does not make it damaged.
    """
    cause, seen = error.__cause__ or error.__context__, 0
    while cause is not None and seen < _MOST_CAUSES:
        lost = isinstance(error, SourceError) and isinstance(cause, OSError) and cause.errno in _OF_SOURCES
        fault = None if lost else machine_fault(cause)
        if fault is not None:
            return fault
        cause, seen = cause.__cause__ or cause.__context__, seen + 1
    return None
