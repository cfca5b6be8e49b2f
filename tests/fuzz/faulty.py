"""A reader that does what none may do, each where its input says so; the suite is tested on it."""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from fcn_edge.errors import FcnEdgeError, UsageError

from .parser import Parser, Shown

__all__ = ["INPUTS", "PARSERS", "WHOLES"]

INPUTS = {
    b"crash": "crash",
    b"hang": "hang",
    b"error": "internal",
    b"bare": "internal",
    b"greedy": "memory",
    b"greedy behind a refusal": "memory",
    b"escape": "message",
    b"surrogate": "message",
    b"long": "message",
    b"other words": "message",
    b"silent": "message",
    b"shown": "message",
    b"note": "message",
    b"print": "printed",
    b"print beneath Python": "printed",
    b"warn": "warning",
    b"refuse": "whole refused",
}
"""Inputs and the kind of fault that each is."""
WHOLES = [b"fine", *INPUTS, b"fine to the end"]


def read(path: Path, _: Path) -> object:
    content = path.read_bytes()
    messages = {
        b"escape": "red \x1b[31m",
        b"surrogate": "half \ud800",
        b"long": "a" * 1001,
        b"other words": "[ONNXRuntimeError] : 1",
        b"silent": "",
        b"refuse": "It is refused.",
    }
    if content in messages or content.startswith(b"damaged"):
        error = UsageError("It is damaged.")
        # behind the constructor, which makes every text printable and short
        error.message = messages.get(content, error.message)
        raise error
    match content:
        case b"crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case b"hang":
            while True:
                pass
        case b"error":
            raise KeyError("gone")
        case b"bare":
            raise FcnEdgeError("Internal error.")
        case b"greedy":
            bytearray(1 << 40)
        case b"greedy behind a refusal":
            try:
                bytearray(1 << 40)
            except MemoryError as error:
                raise UsageError("It is too large.") from error
        case b"shown":
            return Shown("a line\nanother, and a bell \a")
        case b"note":
            logging.getLogger("fcn_edge.fuzzed").warning("\x9b31m")
        case b"print":
            sys.stdout.write("a line")
        case b"print beneath Python":
            os.write(2, b"libpng warning")
        case b"warn":
            warnings.warn("old", stacklevel=1)
    return content


def damaged(whole: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    return b"damaged " + chance.randbytes(4) + whole


def made_once(folder: Path) -> list[bytes]:
    (folder / "made").touch(exist_ok=False)
    return [b"fine"]


PARSERS = (
    Parser("faulty", "input.txt", lambda _: WHOLES, read, (damaged,)),
    Parser("made once", "input.txt", made_once, read, (damaged,)),
)
