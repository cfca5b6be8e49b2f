"""What a pickle costs, found out before it is unpickled: its extent, its memo and the hashing of its keys.

Python's unpickler trusts all of them: it allocates the memo up to the largest index, and hashes tuples of tuples as
deep and as often as they are nested. The opcodes are walked with their stack, on which every value is the number of
steps that its hash takes.

Opcodes: https://github.com/python/cpython/blob/main/Lib/pickletools.py.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import IO, Any, BinaryIO, cast

from fcn_edge.artifacts.weights.damage import DamagedError

__all__ = ["MOST_BYTES", "pickle_bytes"]

MOST_BYTES = 64 << 20
MOST_OPCODES = 2_000_000
LONGEST_LINE = 1 << 16
MOST_HASHING = 10_000_000
"""Steps that hashing all keys together may take."""
MOST_KEY = 1000
"""Steps that hashing one key may take: it is done as deep on the C stack as tuples are nested."""
MEMO_GAP = 1000
"""How far a memo index may run ahead of the values in it."""
WIDEST_KEY = 63
"""Bits of an integer that may be a key: longer ones can be made to have all the same hash."""

_REFUSED = frozenset({"EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"})
_PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def pickle_bytes(file: BinaryIO, limit: int = MOST_BYTES) -> bytes:
    """The pickle that begins where a file stands, which is then left at its end.

    Raises:
        DamagedError: It is not a pickle, does not end, or would take too much memory or time.
    """
    start = file.tell()
    window = _Window(file, limit)
    _walk(window)
    end = file.tell()
    file.seek(start)
    return file.read(end - start)


class _Window:
    """A file as ``pickletools.genops`` reads it, of which no more than ``limit`` bytes are read."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file = file
        self._left = limit
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        if size > self._left:
            raise DamagedError(f"its pickle is damaged or cut off, or larger than {MOST_BYTES >> 20} MiB")
        self._left -= size
        return self._file.read(size)

    def readline(self) -> bytes:
        line = self._file.readline(min(self._left, LONGEST_LINE))
        self._left -= len(line)
        return line


def _walk(window: _Window) -> None:
    walk = _Walk()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(cast("IO[bytes]", window))):
            if count > MOST_OPCODES:
                raise DamagedError("its pickle holds too many objects")
            walk.step(opcode, argument)
    except (ValueError, IndexError, KeyError, OverflowError) as error:
        raise DamagedError("its pickle is damaged or cut off") from error


class _Walk:
    """The stack and the memo of an unpickler, with the steps that hashing takes in place of the values."""

    def __init__(self) -> None:
        self._stack: list[int] = []
        self._marks: list[int] = []
        self._memo: dict[int, int] = {}
        self._hashing = 0
        self._special: dict[str, Callable[[], None]] = {
            "MARK": lambda: self._marks.append(len(self._stack)),
            "POP": self._drop,
            "DUP": lambda: self._stack.append(self._top()),
            "POP_MARK": lambda: self._slice().clear(),
            "MEMOIZE": lambda: self._put(len(self._memo)),
            "TUPLE": lambda: self._push_tuple(self._slice()),
            "FROZENSET": lambda: self._push_tuple(self._hashed(self._slice())),
            "DICT": lambda: self._collect(self._slice()[::2], popped=0),
            "SETITEM": lambda: self._collect([self._pop(), self._pop()][1:], popped=1),
            "SETITEMS": lambda: self._collect(self._slice()[::2], popped=1),
            "ADDITEMS": lambda: self._collect(self._slice(), popped=1),
        }

    def step(self, opcode: pickletools.OpcodeInfo, argument: Any) -> None:
        name = opcode.name
        if name in _PUTS:
            self._put(argument)
        elif name in _GETS:
            self._stack.append(self._memo[argument])
        elif name in _TUPLES:
            self._push_tuple([self._pop() for _ in range(_TUPLES[name])])
        elif name in self._special:
            self._special[name]()
        elif name in _REFUSED:
            raise DamagedError("its pickle refers to what is not in the file")
        else:
            self._plain(opcode, argument)

    def _plain(self, opcode: pickletools.OpcodeInfo, argument: Any) -> None:
        """An opcode whose values are hashed at once, by where they are in memory, or not at all."""
        before = opcode.stack_before
        if pickletools.markobject in before:
            self._slice()
            before = before[: before.index(pickletools.markobject)]
        for _ in before:
            self._pop()
        is_long = isinstance(argument, int) and argument.bit_length() > WIDEST_KEY
        self._stack.extend([MOST_KEY + 1 if is_long else 1] * len(opcode.stack_after))

    def _push_tuple(self, items: list[int]) -> None:
        self._stack.append(min(1 + sum(items), MOST_KEY + 1))

    def _collect(self, keys: list[int], popped: int) -> None:
        self._hashed(keys)
        for _ in range(popped):
            self._pop()
        self._stack.append(1)

    def _hashed(self, keys: list[int]) -> list[int]:
        self._hashing += sum(keys)
        if self._hashing > MOST_HASHING or max(keys, default=0) > MOST_KEY:
            raise DamagedError("its pickle holds keys that would take too long to look up")
        return keys

    def _put(self, index: int) -> None:
        if not 0 <= index <= len(self._memo) + MEMO_GAP:
            raise DamagedError("its pickle would take too much memory")
        self._memo[index] = self._top()

    def _is_marked(self) -> bool:
        return bool(self._marks) and self._marks[-1] == len(self._stack)

    def _top(self) -> int:
        if self._is_marked():
            raise IndexError
        return self._stack[-1]

    def _pop(self) -> int:
        value = self._top()
        del self._stack[-1]
        return value

    def _drop(self) -> None:
        if self._is_marked():
            self._marks.pop()
        else:
            self._pop()

    def _slice(self) -> list[int]:
        at = self._marks.pop()
        values = self._stack[at:]
        del self._stack[at:]
        return values
