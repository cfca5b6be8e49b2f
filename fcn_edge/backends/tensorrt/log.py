"""What TensorRT says while it works. It takes one logger a process, and crashes when that is collected before it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cache
from typing import Any

__all__ = ["LAYERS", "Log", "Message", "log_of"]

LAYERS = "Layers:"
"""Begin of the message in which TensorRT-RTX describes the plan, and the only one of its level that is kept."""

_MOST_MESSAGES = 10_000


@dataclass(frozen=True)
class Message:
    """Something that TensorRT said.

    Attributes:
        severity: ``INTERNAL_ERROR``, ``ERROR``, ``WARNING``, ``INFO`` or ``VERBOSE``.
        text: As it came.
    """

    severity: str
    text: str


class Log:
    """Collects messages.

    Args:
        trt: The library.

    Attributes:
        logger: What the library's objects take; lives as long as the process.
    """

    def __init__(self, trt: Any) -> None:
        self._messages: deque[Message] = deque(maxlen=_MOST_MESSAGES)
        self.logger = _logger(trt, self._messages)

    def take(self) -> list[Message]:
        """The messages since the last call."""
        return [self._messages.popleft() for _ in range(len(self._messages))]


@cache
def log_of(trt: Any) -> Log:
    """The process's only log of a library."""
    return Log(trt)


def _logger(trt: Any, messages: deque[Message]) -> Any:
    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, msg: str) -> None:
            if severity.name != "VERBOSE" or msg.startswith(LAYERS):
                messages.append(Message(severity.name, msg))

    return Logger()
