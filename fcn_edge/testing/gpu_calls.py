"""The calls of a fake GPU: one at a time, recorded, in a thread in which the GPU is current, failing when it is due."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fcn_edge.backends.cuda.errors import cuda_error
from fcn_edge.testing.gpu_memory import CudaMisuseError
from fcn_edge.testing.gpu_streams import FakeStreams

__all__ = ["FakeCalls"]


class FakeCalls:
    """Keeps the rules of a driver's calls.

    Args:
        streams: Streams of the same GPU.
        fail_at: Number of the call, from 1, that fails (or the next one that can).
        sticky: All calls after it fail, too.

    Attributes:
        made: Every call with what identifies it, in order.
        failed: Name of the call that ``fail_at`` made fail; empty until then.
        closed: The context was given back.
        waits: How often the host waited for the GPU.
        lock: Held while a call is made.
    """

    def __init__(self, streams: FakeStreams, fail_at: int | None, sticky: bool) -> None:
        self.made: list[tuple[Any, ...]] = []
        self.failed = ""
        self.closed = False
        self.waits = 0
        self._streams = streams
        self._fail_at = fail_at
        self._sticky = sticky
        self.lock = threading.RLock()
        self._depth = threading.local()

    @property
    def entered(self) -> int:
        """How often this thread made the GPU current and did not undo it."""
        return getattr(self._depth, "value", 0)

    def enter(self) -> None:
        """The GPU becomes current in this thread."""
        self._depth.value = self.entered + 1

    def leave(self) -> None:
        """Undo the last ``enter`` of this thread.

        Raises:
            CudaMisuseError: There is none.
        """
        if self.entered < 1:
            raise CudaMisuseError("leave() without enter() in this thread")
        self._depth.value = self.entered - 1

    @contextmanager
    def call(
        self,
        name: str,
        *details: Any,
        current: bool = True,
        waits: bool = False,
        allocates: bool = False,
        fails: bool = True,
        undo: Callable[[], Any] | None = None,
    ) -> Iterator[None]:
        """A call; its work is done in the block.

        Args:
            name: Name of the call.
            details: What identifies it.
            current: It needs the GPU to be current.
            waits: It waits for the GPU, which a capture does not allow.
            allocates: It allocates or frees, which a capture does not allow either.
            fails: It can fail.
            undo: Gives back what it is to give back, done although it fails.

        Raises:
            CudaMisuseError: It must not be made.
            MachineError: It is due to fail.
        """
        with self.lock:
            if self.closed:
                raise CudaMisuseError(f"{name} after the context was given back")
            if current and self.entered < 1:
                raise CudaMisuseError(f"{name} in a thread in which the GPU is not current")
            self.made.append((name, *details))
            self.waits += waits
            due = self._fail_at is not None and len(self.made) >= self._fail_at
            if fails and due and (self._sticky or not self.failed):
                self.failed = self.failed or name
                if undo is not None:
                    undo()
                if waits:
                    self._streams.abandon()
                raise cuda_error(name, "CUDA_ERROR_UNKNOWN")
            if (waits or allocates) and self._streams.break_capture():
                raise cuda_error(name, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED")
            yield
