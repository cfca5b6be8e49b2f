"""Documents damaged in their structure: values of another type, keys more and fewer; sealed with a right digest."""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fcn_edge.io.documents import document_text

from .damages import WORDS

__all__ = ["json_bytes", "json_damaged", "sealed", "sealed_damaged", "toml_bytes", "toml_of", "tree_damaged"]

NUMBERS: tuple[Any, ...] = (
    *(0, -1, 1, 2, 3, 7, 255, 256, 30_016, 65504, 65535, 65536, *(1 << power for power in (31, 32, 53, 62, 63, 64))),
    10**400,
    *(0.5, -0.0, 1e-320, 1e308, -1e308, math.inf, -math.inf, math.nan),
)
DEEP = b"a = " + b"[" * 1000 + b"]" * 1000 + b"\n"
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [[]], [None], {"": 0}, [0] * 300, ["a"] * 300)


def tree_damaged(tree: Any, chance: random.Random) -> Any:
    """A copy of lists, dictionaries and values in which one to three places differ."""
    tree = {"": copy.deepcopy(tree)}
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        if places := list(_places(tree)):
            _change(tree, *chance.choice(places), chance)
    return tree.get("", {})


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every value by what holds it and where in it."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in list(pairs):
        yield tree, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _change(tree: Any, parent: Any, key: Any, chance: random.Random) -> None:
    value = parent[key]
    what = chance.random()
    if what < 0.12:
        del parent[key]
    elif what < 0.2 and isinstance(parent, list):
        parent[:] = parent * chance.choice((2, 50)) if len(parent) < 50 else parent[:1]
    elif what < 0.28 and isinstance(value, list):
        chance.shuffle(value)
        parent[key] = value[: chance.randrange(len(value) + 1)]
    elif what < 0.36 and isinstance(parent, dict):
        parent[chance.choice(WORDS)] = value
    elif what < 0.44:
        holder, other = chance.choice(list(_places(tree)))
        parent[key] = copy.deepcopy(holder[other])
    elif what < 0.5:
        parent[key] = [value]
    elif what < 0.56:
        nested: Any = value
        for _ in range(chance.choice((30, 150))):
            nested = [nested] if chance.random() < 0.5 else {"a": nested}
        parent[key] = nested
    elif what < 0.72 and isinstance(value, int | float) and abs(value) < 1e300:
        parent[key] = chance.choice((value + 1, value - 1, value * 2, value / 2, -value, *NUMBERS))
    elif what < 0.66:
        parent[key] = chance.choice(NUMBERS)
    elif what < 0.9:
        parent[key] = _word(value, chance)
    else:
        parent[key] = copy.deepcopy(chance.choice(OTHERS))


def _word(value: Any, chance: random.Random) -> str:
    word = chance.choice(WORDS)
    if isinstance(value, str) and chance.random() < 0.4:
        place = chance.randrange(len(value) + 1)
        return value[:place] + word + value[place:]
    return word


def json_bytes(tree: Any) -> bytes:
    """JSON, with what Python can write and JSON does not have; control characters escaped."""
    return json.dumps(tree).encode()


def json_damaged(whole: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """A JSON text damaged in its structure."""
    return json_bytes(tree_damaged(json.loads(whole), chance))


def sealed(tree: Any) -> bytes:
    """A document with a right digest, where one can be made."""
    try:
        return document_text(tree).encode()
    except (ValueError, AttributeError, TypeError):  # numbers that are none, or no object
        return json_bytes(tree)


def sealed_damaged(whole: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """A sealed document damaged in its structure and sealed again."""
    tree = json.loads(whole)
    tree.pop("digest")
    return sealed(tree_damaged(tree, chance))


def toml_bytes(tree: dict[str, Any]) -> bytes:
    """A TOML text; dictionaries are tables, lists of dictionaries arrays of tables, and None is left out."""
    lines = [
        f"{_key(key)} = {_value(value)}" for key, value in tree.items() if not _tabled(value) and value is not None
    ]
    for key, value in tree.items():
        for table in [value] if isinstance(value, dict) else value if _tabled(value) else ():
            lines.append(f"[{_key(key)}]" if isinstance(value, dict) else f"[[{_key(key)}]]")
            lines += [f"{_key(name)} = {_value(each)}" for name, each in table.items() if each is not None]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")


def toml_of(trees: Sequence[dict[str, Any]]) -> Callable[[bytes, random.Random, Sequence[bytes]], bytes]:
    """A damage that writes one of the trees anew, changed in its structure."""

    def damaged(_: bytes, chance: random.Random, __: Sequence[bytes]) -> bytes:
        try:
            tree = tree_damaged(chance.choice(trees), chance)
            return toml_bytes(tree if isinstance(tree, dict) else {"": tree})
        except RecursionError:  # a nest in a nest, deeper than Python copies and writes it
            return DEEP

    return damaged


def _tabled(value: Any) -> bool:
    listed = value if isinstance(value, list) else [value]
    return bool(listed) and all(isinstance(each, dict) for each in listed)


def _key(key: str) -> str:
    return key if key.isascii() and key.isalnum() else json.dumps(key)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_value(each)}" for key, each in value.items() if each is not None) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(each) for each in value if each is not None) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    # TOML has no escapes for surrogates: they stand there raw, as bytes that are no UTF-8
    return json.dumps(value, ensure_ascii=not isinstance(value, str)).replace("\x7f", "\\u007f")
