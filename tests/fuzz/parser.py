"""What is fuzzed: a reader of one kind of file or text, its good inputs, and how they are damaged."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

__all__ = ["Damage", "Parser", "Shown", "case_of", "parsers_of"]

Damage = Callable[[bytes, random.Random, Sequence[bytes]], bytes]
"""``(whole, random, all whole inputs)`` to a damaged input."""


class Shown(str):
    """What a command prints for people: held to the rules for messages, but for their length."""

    __slots__ = ()


@dataclass(frozen=True)
class Parser:
    """A reader under test.

    Attributes:
        name: Such as ``image.png``.
        file: Name of the file that an input is written to.
        wholes: Makes good inputs by script, and files that lie beside them, in a folder.
        read: Reads ``(input, folder of wholes)`` to the end; what it gives is accepted, and ``FcnEdgeError`` refuses.
        damages: Ways to damage a whole input; one is drawn for each.
        share: How many inputs it gets, beside the 1 of others.
        needs: Modules without which it cannot run.
        refuses: Every input is refused, also the whole ones.
    """

    name: str
    file: str
    wholes: Callable[[Path], Sequence[bytes]]
    read: Callable[[Path, Path], object]
    damages: Sequence[Damage]
    share: float = 1.0
    needs: tuple[str, ...] = ()
    refuses: bool = False

    @property
    def missing(self) -> str:
        """The first module that it needs and that is not installed; empty where all are."""
        return next((name for name in self.needs if find_spec(name) is None), "")


def parsers_of(module: str) -> dict[str, Parser]:
    """The parsers by name that a module lists in ``PARSERS``."""
    found: Sequence[Parser] = import_module(module).PARSERS
    return {parser.name: parser for parser in found}


def case_of(parser: Parser, wholes: Sequence[bytes], seed: int, index: int) -> bytes:
    """An input by its number, always the same for a seed; the first ones are whole."""
    if index < len(wholes):
        return wholes[index]
    # a text as seed: Python hashes it the same way in every process
    chance = random.Random(f"{seed}/{parser.name}/{index}")
    return chance.choice(parser.damages)(chance.choice(wholes), chance, wholes)
