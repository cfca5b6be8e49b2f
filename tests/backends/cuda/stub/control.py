"""The driver without a GPU as the process that has loaded it steers it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["ILLEGAL_ADDRESS", "UNKNOWN", "Stub"]

UNKNOWN, ILLEGAL_ADDRESS = 999, 700
"""CUDA_ERROR_UNKNOWN and CUDA_ERROR_ILLEGAL_ADDRESS."""


class Stub:
    """What ``libcuda.c`` exports beside the driver's functions."""

    def __init__(self) -> None:
        self.library = ctypes.CDLL("libcuda.so.1")
        for text in (self.library.stub_failed, self.library.stub_misuses):
            text.restype = ctypes.c_char_p

    @contextmanager
    def logging(self, path: Path) -> Iterator[None]:
        """The calls of the block go to a file."""
        self.library.stub_log(str(path).encode())
        try:
            yield
        finally:
            self.library.stub_log(None)

    def pose(self, gpu: str) -> None:
        """Be another GPU from now on."""
        self.library.stub_gpu(gpu.encode())

    def lack(self, function: str) -> None:
        """Have no such function, for those who ask from now on."""
        self.library.stub_lack(function.encode())

    def wait(self, seconds: float) -> None:
        """Let every call that waits for the GPU take so long from now on."""
        self.library.stub_wait_us(round(seconds * 1e6))

    def fail_at(self, number: int, code: int = UNKNOWN, always: bool = False) -> None:
        """Let a call fail, counted from 1 and from now on; 0: none."""
        self.library.stub_fail_at(number, code, always)

    def idle(self, idle: bool) -> None:
        """Let kernels do nothing from now on, or their work again."""
        self.library.stub_idle(idle)

    def synchronize_and_hold(self, stream: int) -> None:
        """Wait for a stream as bindings would that keep the interpreter to themselves."""
        assert not ctypes.PyDLL("libcuda.so.1").cuStreamSynchronize(ctypes.c_void_p(stream))

    @property
    def made(self) -> int:
        """How many calls there were since ``fail_at``."""
        return int(self.library.stub_made())

    @property
    def failed(self) -> str:
        """The function that ``fail_at`` made fail; empty until then."""
        return str(self.library.stub_failed().decode())

    def taken_leftovers(self) -> str:
        """What was made and not given back, since the last time; empty when everything was."""
        text = ctypes.create_string_buffer(512)
        self.library.stub_leftovers(text, ctypes.c_size_t(len(text)))
        self.library.stub_start_over()
        return text.value.decode()

    def taken_misuses(self) -> str:
        """What should not have been called, a line each, since the last time."""
        text = self.library.stub_misuses().decode()
        self.library.stub_forget_misuses()
        return str(text)
