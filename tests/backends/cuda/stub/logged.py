"""The calls that the driver without a GPU has logged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Call", "calls_of", "lookups_of"]


@dataclass(frozen=True)
class Call:
    """A call.

    Attributes:
        name: The function.
        values: Its arguments by name, as logged; of a kernel without its own.
        arguments: A kernel's own arguments: bytes of each and its bits, as a number.
        result: What it returned; 0 when it was done.
        gave: The handle, pointer or number that it gave.
    """

    name: str
    values: dict[str, str]
    arguments: tuple[tuple[int, int], ...]
    result: int
    gave: int

    def said(self, *keys: str) -> str:
        """The function and some of its arguments."""
        return " ".join((self.name, *(f"{key}={self.values[key]}" for key in keys if key in self.values)))


def calls_of(path: Path) -> list[Call]:
    """The calls in a log, in order."""
    return [_call(line) for line in _lines(path) if line.split()[1] != "lookup"]


def lookups_of(path: Path) -> list[tuple[str, int, int]]:
    """Names of the functions that were looked up, the version that was asked for, and that which was given; 0: none."""
    found = [_call(line) for line in _lines(path) if line.split()[1] == "lookup"]
    return [(one.values["name"], int(one.values["version"]), one.result) for one in found]


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _call(line: str) -> Call:
    made, _, came = line.partition(" -> ")
    _thread, name, *words = made.split()
    values = dict(word.split("=", 1) for word in words if "=" in word)
    own = [word.split(":") for word in words if ":" in word and "=" not in word]
    result, *gave = came.split()
    arguments = tuple((int(size), int(bits, 16)) for size, bits in own)
    return Call(name, values, arguments, int(result), int(gave[0], 16) if gave else 0)
