"""JSON, TOML and plain text from outside, read once for everybody: bounded, and refused in our own words.

A text that is read here has at most 64 levels, numbers of at most 40 digits that are finite, no key twice, and strings
that can be written again: no halves of surrogate pairs.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from fcn_edge.errors import ArtifactError
from fcn_edge.io.files import opened_now
from fcn_edge.text import printable

__all__ = ["MalformedError", "json_of", "read_json", "read_text", "read_toml", "toml_of"]

MOST_BYTES = 1 << 20
_DEEPEST = 64
_MOST_DIGITS = 40
_TOO_LONG = f"it holds a number of more than {_MOST_DIGITS} digits"
_TOO_DEEP = f"it is nested more than {_DEEPEST} levels deep"
_LONG_KEY = re.compile(rf"(?<![\w\"'-])(?:[\w\"'-]+[ \t]*\.[ \t]*){{{_DEEPEST}}}", re.ASCII)
"""A key of too many parts, for which TOML's readers take time by the square."""
_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)")


class MalformedError(ValueError):
    """A text that is not what it should be; its text is a phrase that says why, such as "it is not valid JSON"."""


def json_of(data: bytes | str) -> Any:
    """What a JSON text holds.

    Raises:
        MalformedError: It is not JSON, or holds what no text of ours does.
    """
    try:
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
        content = json.loads(
            text, object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_integer, parse_float=_number
        )
    except MalformedError:
        raise
    except json.JSONDecodeError as error:
        raise MalformedError(f"it is not valid JSON (line {error.lineno}, column {error.colno})") from error
    except RecursionError as error:
        raise MalformedError(f"it is not valid JSON: {_TOO_DEEP}") from error
    except UnicodeDecodeError as error:
        raise MalformedError(f"it is not valid JSON: {_not_utf8(error)}") from error
    _check(content, "JSON")
    return content


def toml_of(data: bytes | str) -> dict[str, Any]:
    """The tables of a TOML text.

    Raises:
        MalformedError: It is not TOML, or holds what no text of ours does.
    """
    try:
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
        if _LONG_KEY.search(text):
            raise MalformedError(f"it is not valid TOML: {_TOO_DEEP}")
        content = tomllib.loads(text)
    except MalformedError:
        raise
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        where = f"line {place[1]}, column {place[2]}" if place else "at its end"
        raise MalformedError(f"it is not valid TOML ({where})") from error
    except RecursionError as error:
        raise MalformedError(f"it is not valid TOML: {_TOO_DEEP}") from error
    except UnicodeDecodeError as error:
        raise MalformedError(f"it is not valid TOML: {_not_utf8(error)}") from error
    except ValueError as error:  # of a number that int() does not take, or a date that does not exist
        raise MalformedError(f"it is not valid TOML: {_TOO_LONG}, or a date that does not exist") from error
    _check(content, "TOML")
    return content


def read_json(path: Path, kind: type[ArtifactError], fix: str, most: int = MOST_BYTES) -> Any:
    """What a JSON file holds.

    Args:
        path: The file.
        kind: What to raise when it cannot be read or is not JSON.
        fix: What to do about that.
        most: Bytes that it may have.
    """
    data = _bytes(path, kind, fix, most)
    try:
        return json_of(data)
    except MalformedError as error:
        raise kind(f"{path} cannot be read: {error}.", fix) from error


def read_toml(path: Path, kind: type[ArtifactError], fix: str, most: int = MOST_BYTES) -> dict[str, Any]:
    """The tables of a TOML file; for the arguments see ``read_json``."""
    data = _bytes(path, kind, fix, most)
    try:
        return toml_of(data)
    except MalformedError as error:
        raise kind(f"{path} cannot be read: {error}.", fix) from error


def read_text(path: Path, kind: type[ArtifactError], fix: str, most: int = MOST_BYTES) -> str:
    """The text of a file in UTF-8; for the arguments see ``read_json``."""
    data = _bytes(path, kind, fix, most)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise kind(f"{path} cannot be read: {_not_utf8(error)}.", fix) from error
    if "\0" in text:
        raise kind(f"{path} cannot be read: it is no text, it holds NUL characters.", fix)
    return text


def _bytes(path: Path, kind: type[ArtifactError], fix: str, most: int) -> bytes:
    try:
        with opened_now(path) as file:
            data = file.read(most + 1)
    except OSError as error:
        raise kind(f"{path} cannot be read: {error.strerror}.", "Check the path and its permissions.") from error
    if len(data) > most:
        raise kind(f"{path} cannot be read: it is larger than {most >> 20} MB.", fix)
    return data


def _not_utf8(error: UnicodeDecodeError) -> str:
    line = error.object[: error.start].count(b"\n") + 1
    return f"it is not text in UTF-8 (line {line})"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        (twice, _), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise MalformedError(f"it is not valid JSON: the key '{printable(twice, 80)}' occurs twice in one object")
    return made


def _no_constant(name: str) -> NoReturn:
    raise MalformedError(f"it is not valid JSON: {name} is no JSON number")


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise MalformedError(f"it is not valid JSON: {_TOO_LONG}")
    return int(digits)


def _number(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise MalformedError("it is not valid JSON: it holds a number that is too large")
    return number


def _check(content: object, form: str) -> None:
    """Refuse depths, numbers and texts on which what comes later would fail; without recursion, for any depth."""
    level, depth = [content], 0
    while level:
        depth += 1
        if depth > _DEEPEST and any(isinstance(value, Mapping | list) for value in level):
            raise MalformedError(f"it is not valid {form}: {_TOO_DEEP}")
        below: list[object] = []
        for value in level:
            if isinstance(value, str):
                if not _is_unicode(value):
                    raise MalformedError(f"it is not valid {form}: a text in it holds half a character (a surrogate)")
            elif isinstance(value, int):
                if abs(value) >= 10**_MOST_DIGITS:
                    raise MalformedError(f"it is not valid {form}: {_TOO_LONG}")
            elif isinstance(value, Mapping):
                below += value.keys()
                below += value.values()
            elif isinstance(value, list):
                below += value
        level = below


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
