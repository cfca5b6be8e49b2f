"""The configuration that OpenMMLab's checkpoints carry as Python text, read without running it.

``Config.pretty_text`` (mmengine 0.10.7, ``config/config.py``; mmcv 1.x wrote the same) prints one assignment for each
top-level key, whose value is built of ``dict(...)``, lists, tuples, texts, numbers and names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

__all__ = ["assigned"]

TOKEN = re.compile(
    r"""(?P<space>[\s]+|\#[^\n]*)
    |(?P<name>[A-Za-z_][\w.]*)
    |(?P<text>[rRbBuU]?(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))
    |(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<mark>[()\[\]{},:=])""",
    re.VERBOSE,
)
LONGEST_NUMBER = 30
DEEPEST = 30
CLOSING = {"(": ")", "[": "]", "{": "}"}
CONSTANTS = {"True": True, "False": False}


class _NotThisLanguageError(Exception):
    """The text is no configuration."""


def assigned(text: str, name: str) -> Any:
    """The value of a top-level assignment.

    Args:
        text: The configuration.
        name: What is assigned to.

    Returns:
        Dictionaries, lists (for tuples too), texts, numbers and booleans; None for everything else, where nothing is
        assigned to the name, and where the text cannot be read.
    """
    found = re.search(rf"^{re.escape(name)} *= *", text, re.MULTILINE)
    if found is None:
        return None
    try:
        return _Reader(text, found.end()).value(DEEPEST)
    except _NotThisLanguageError:
        return None


class _Reader:
    """Reads one value, token by token."""

    def __init__(self, text: str, start: int) -> None:
        self._tokens = _tokens(text, start)
        self._next = next(self._tokens)

    def value(self, depth: int) -> Any:
        if depth == 0:
            raise _NotThisLanguageError
        kind, token = self._take()
        if kind == "text":
            # as it stands: names of classes and paths, in which no escape matters
            return token.lstrip("rRbBuU")[1:-1]
        if kind == "number":
            return _number(token) if len(token) <= LONGEST_NUMBER else None
        if kind == "name":
            if self._next[1] != "(":
                return CONSTANTS.get(token)
            self._take()
            arguments = self._items(")", depth)
            return _dictionary(arguments) if token == "dict" else None
        if token == "{":
            return _dictionary(self._items("}", depth))
        if token in ("(", "["):
            return self._sequence(CLOSING[token], depth)
        raise _NotThisLanguageError

    def _sequence(self, closing: str, depth: int) -> Any:
        """A list; a single value in parentheses is that value."""
        values, comma = [], False
        while self._next[1] != closing:
            values.append(self.value(depth - 1))
            if self._next[1] == ",":
                comma = True
                self._take()
            elif self._next[1] != closing:
                raise _NotThisLanguageError
        self._take()
        return values[0] if closing == ")" and len(values) == 1 and not comma else values

    def _items(self, closing: str, depth: int) -> list[tuple[Any, Any]]:
        """Keys and values of a dictionary or of a call; the key of a positional argument is None."""
        items: list[tuple[Any, Any]] = []
        while self._next[1] != closing:
            named = self._next[1] if self._next[0] == "name" else None
            key = self.value(depth - 1)
            if self._next[1] in ("=", ":"):
                is_keyword = self._take()[1] == "="
                items.append((named if is_keyword else key, self.value(depth - 1)))
            else:
                items.append((None, key))
            if self._next[1] == ",":
                self._take()
            elif self._next[1] != closing:
                raise _NotThisLanguageError
        self._take()
        return items

    def _take(self) -> tuple[str, str]:
        taken = self._next
        if taken[0] == "end":
            raise _NotThisLanguageError
        self._next = next(self._tokens)
        return taken


def _tokens(text: str, at: int) -> Iterator[tuple[str, str]]:
    """Kind and text of each token; the last is an end, also where something unknown follows."""
    while (found := TOKEN.match(text, at)) is not None:
        at = found.end()
        kind = found.lastgroup or ""
        if kind != "space":
            yield kind, found[0]
    yield "end", ""


def _number(token: str) -> float:
    return int(token) if token.lstrip("+-").isdecimal() else float(token)


def _dictionary(items: list[tuple[Any, Any]]) -> dict[str, Any]:
    """A dictionary of keys that are texts; ``dict({...})`` is what is inside."""
    if len(items) == 1 and items[0][0] is None and isinstance(items[0][1], dict):
        return items[0][1]
    return {key: value for key, value in items if isinstance(key, str)}
