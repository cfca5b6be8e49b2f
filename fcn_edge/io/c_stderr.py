"""What C libraries print on standard error, caught where it arises: libjpeg tells of damage in no other way."""

from __future__ import annotations

import ctypes
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

__all__ = ["Caught", "caught"]

_lock = threading.Lock()


class Caught:
    """The lines that were printed while the block ran.

    Attributes:
        lines: Known when the block has ended; without their line ends.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []


class _Stream:
    """A C stream into memory, and the variable by which C code finds standard error.

    The variable is exchanged, not the file descriptor: what Python and child processes write meanwhile still arrives.
    Nothing is ever closed, so that a thread that has just looked the variable up writes into a stream that lives.
    """

    def __init__(self, libc: ctypes.CDLL) -> None:
        self._start, self._size = ctypes.c_void_p(), ctypes.c_size_t()
        libc.open_memstream.restype = ctypes.c_void_p
        libc.open_memstream.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_size_t)]
        for function in (libc.rewind, libc.fflush, libc.flockfile, libc.funlockfile):
            function.argtypes = [ctypes.c_void_p]
        self._libc = libc
        self._memory = libc.open_memstream(ctypes.byref(self._start), ctypes.byref(self._size))
        if not self._memory:
            raise MemoryError
        self._variable = ctypes.c_void_p.in_dll(libc, "stderr")
        self._terminal = self._variable.value

    def begin(self) -> None:
        self._variable.value = self._memory

    def restore(self) -> None:
        self._variable.value = self._terminal

    def end(self) -> str:
        self.restore()
        # a thread that still writes would move what is read here
        self._libc.flockfile(self._memory)
        try:
            self._libc.fflush(self._memory)
            size = self._size.value
            text = ctypes.string_at(self._start.value, size) if self._start.value and size else b""
            self._libc.rewind(self._memory)
            self._libc.fflush(self._memory)
        finally:
            self._libc.funlockfile(self._memory)
        return text.decode("utf-8", "replace")


@cache
def _stream() -> _Stream | None:
    """None where the C library is not glibc: others keep the variable where it cannot be written."""
    if platform.libc_ver()[0] != "glibc":
        return None
    try:
        return _Stream(ctypes.CDLL(None))
    except (OSError, AttributeError, ValueError):
        return None


@contextmanager
def caught() -> Iterator[Caught]:
    """C code prints into memory while the block runs, one thread at a time; with glibc alone, elsewhere as ever.

    Blocks do not nest. What other threads' C code prints meanwhile is caught, too: take a line for what it says only if
    the same work says it again.
    """
    found = Caught()
    with _lock:
        stream = _stream()
        if stream is None:
            yield found
            return
        try:
            stream.begin()
            yield found
        finally:
            found.lines = stream.end().splitlines()


def _renew() -> None:
    """In a child process: another thread may have been catching at the fork, and is not there any more."""
    global _lock
    _lock = threading.Lock()
    stream = _stream() if _stream.cache_info().currsize else None
    if stream is not None:
        stream.restore()


os.register_at_fork(after_in_child=_renew)
