"""What placeholders of a pickle mean: dictionaries, networks, and plain values."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from fcn_edge.artifacts.weights.inert import Inert, Named
from fcn_edge.artifacts.weights.numpy_values import array_of, scalar_of
from fcn_edge.artifacts.weights.torch_tensors import IS_OF_TENSORS, numbers_of

__all__ = ["attribute_of", "mapping_of", "plain_fields"]

MOST_FIELDS = 200
MOST_VALUES = 10_000
"""Values of one field, those inside it counted; 128 letters of a text count as one."""
DEEPEST = 12
LARGEST_ARRAY = 1000
LARGEST_INTEGER = (1 << 64) - 1

_PATHS = re.compile(r"pathlib(\._local)?\.(Pure)?(Posix|Windows)Path")
"""Python 3.13 pickles them by the name of a module inside: Lib/pathlib/_local.py of CPython."""


def mapping_of(value: Any) -> dict[Any, Any] | None:
    """A dictionary, or what a dictionary of another class holds; None for everything else.

    Keys that are no texts stay as they are.
    """
    if isinstance(value, dict):
        return value
    if not isinstance(value, Inert):
        return None
    pairs = list(value.pairs)
    if value.named in ("collections.OrderedDict", "collections.Counter", "builtins.dict") and value.args:
        # as Python 2 wrote them: a list of pairs
        content = value.args[0]
        items = list(content.items()) if isinstance(content, dict) else content
        if not isinstance(items, list | tuple) or not all(isinstance(i, list | tuple) and len(i) == 2 for i in items):
            return None
        pairs = [(key, item) for key, item in items] + pairs
    elif not pairs and value.named not in ("collections.OrderedDict", "collections.defaultdict"):
        return None
    return {key: item for key, item in pairs if _is_key(key)}


def _is_key(key: Any) -> bool:
    return isinstance(key, str | Named) or (isinstance(key, int) and abs(key) <= LARGEST_INTEGER)


def attribute_of(value: Any, name: str) -> Any:
    """An attribute that an object was given; None where it was not."""
    for state in reversed(_states_of(value)):
        if name in state:
            return state[name]
    return None


def _states_of(value: Any) -> list[dict[Any, Any]]:
    """The dictionaries of attributes that an object was given: those of its own, and those of its slots."""
    if not isinstance(value, Inert):
        return []
    states = value.state[:2] if isinstance(value.state, tuple) else (value.state,)
    return [state for state in states if isinstance(state, dict)]


def plain_fields(mapping: dict[Any, Any]) -> dict[str, Any]:
    """The values of a dictionary without tensors, as ``Weights.fields`` says; bounded in number, depth and length."""
    fields: dict[str, Any] = {}
    for key, value in mapping.items():
        if isinstance(key, str) and len(fields) < MOST_FIELDS:
            found = _Plain().of(value, DEEPEST)
            if found is not _NOTHING:
                fields[key] = found
    return fields


_NOTHING = object()
"""In place of what is left out: tensors, and what is beyond the bounds."""


class _Plain:
    """Makes plain values until there are too many."""

    def __init__(self) -> None:
        self._left = MOST_VALUES

    def of(self, value: Any, depth: int) -> Any:
        self._left -= _cost(value)
        if self._left < 0 or depth == 0:
            return _NOTHING
        if value is None or isinstance(value, bool | float | str):
            return value
        if isinstance(value, int):
            return value if abs(value) <= LARGEST_INTEGER else _NOTHING
        if isinstance(value, list | tuple | set | frozenset):
            return self._list(value, depth)
        if isinstance(value, Named):
            return value.named
        mapping = mapping_of(value)
        if mapping is not None:
            return self._dict(mapping, depth) | self._attributes(value, depth)
        return self._object(value, depth) if isinstance(value, Inert) else _NOTHING

    def _list(self, values: Any, depth: int) -> list[Any]:
        found = []
        for value in values:
            if self._left < 0:
                break
            plain = self.of(value, depth - 1)
            if plain is not _NOTHING:
                found.append(plain)
        return found

    def _dict(self, mapping: dict[Any, Any], depth: int) -> dict[str, Any]:
        found = {}
        for key, value in mapping.items():
            if self._left < 0:
                break
            plain = self.of(value, depth - 1)
            if plain is not _NOTHING:
                found[key.named if isinstance(key, Named) else str(key)] = plain
        return found

    def _attributes(self, value: Any, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for state in _states_of(value):
            found |= self._dict(state, depth)
        return found

    def _object(self, value: Inert, depth: int) -> Any:
        number = scalar_of(value)
        if number is not None:
            return number
        size = numbers_of(value)
        if size is not None:
            return list(size)
        if _PATHS.fullmatch(value.named):
            return str(PurePosixPath(*(part for part in value.args if isinstance(part, str))))
        if value.named in ("builtins.set", "builtins.frozenset", "builtins.tuple", "builtins.list") and value.args:
            return self._list(value.args[0], depth) if isinstance(value.args[0], list | tuple) else []
        array = array_of(value, LARGEST_ARRAY)
        if array is not None:
            self._left -= array.size
            return array.tolist()
        if value.named == "torch.device" and len(value.args) == 1 and isinstance(value.args[0], str):
            return value.args[0]
        if IS_OF_TENSORS.fullmatch(value.named):
            return _NOTHING
        return self._attributes(value, depth) or self._list(value.items, depth) or value.named


def _cost(value: Any) -> int:
    """What a value takes of the bound on values: as much as must be gone through to know what is in it."""
    if isinstance(value, str):
        return 1 + (len(value) >> 7)
    if isinstance(value, Inert):
        return (
            1 + len(value.pairs) + (len(value.args[0]) if value.args and isinstance(value.args[0], list | dict) else 0)
        )
    return 1
