"""Packets of one stream of a container, with PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

__all__ = ["packets_of"]


def packets_of(container: Any, stream: Any) -> Iterator[Any]:
    """Packets of a stream to the container's end, where an empty one has the decoder give out what it holds.

    A container may get further streams midway, and a damaged one may seem to. PyAV does not know them and stops at
    their first packet, with an IndexError; what follows can be read.

    Args:
        container: An open ``av.container.InputContainer``.
        stream: One of its streams.

    Raises:
        av.FFmpegError: It cannot be read on.
    """
    whole = False
    while not whole:
        with suppress(IndexError):
            yield from container.demux(stream)
            whole = True
