"""The text that names a source or a sink: a path, a camera's number, or ``scheme://place``, and our options.

Our options stand behind the last ``#`` as ``key=value&key=value``: a camera's own query string is the camera's. Such
an address may hold a password. It is kept for whoever connects; every text for people, logs and reports hides it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_plus

from typing_extensions import Self

from fcn_edge.errors import UsageError
from fcn_edge.io.redaction import without_passwords
from fcn_edge.text import printable, whole

__all__ = ["Uri", "frame_size_from_text"]

_LARGEST_SIDE = 1 << 15
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://(.*)", re.DOTALL)
_WHOLE = frozenset({"gst"})
"""Schemes whose text is somebody else's language, in which ``#`` means something: they take flags, not options."""
_QUERIED = frozenset({"synthetic"})
"""Schemes of our own: their query holds our options too."""


@dataclass(frozen=True, repr=False)
class Uri:
    """A source or sink, taken apart. Printing it never shows a password.

    Attributes:
        text: As it was given, without passwords: for messages, logs and reports.
        scheme: In lower case; empty for a path or number.
        location: As it was given, without our options and otherwise unchanged, with passwords: for the library that
            connects, and for nothing that is printed.
        options: Our options by key, as text.
    """

    text: str
    scheme: str
    location: str
    options: Mapping[str, str] = field(default_factory=dict, hash=False)

    @classmethod
    def parse(cls, text: str, keys: Collection[str] = ()) -> Self:
        """Take a text apart. Only ``scheme://`` makes a URI: ``a:b.mp4`` is a path, and so is ``what?.png``.

        What stands behind the last ``#`` is taken for our options if it is ``key=value`` pairs of ``keys`` only,
        without ``@``, and no file has the whole text as its name; else it belongs to the place.

        Args:
            text: A path, a number or an address.
            keys: Names of our options.

        Raises:
            UsageError: An option is given twice, or an address is not UTF-8.
        """
        match = _SCHEME.fullmatch(text)
        if match and match[1].lower() != "file" and any("\ud800" <= letter <= "\udfff" for letter in text):
            shown = printable(without_passwords(text))
            raise UsageError(f"The address {shown} is not UTF-8.", "Write such letters as %XX, by their bytes.")
        scheme = match[1].lower() if match else ""
        is_file = _exists(unquote(match[2]) if match and scheme == "file" else "" if scheme else text)
        location, options = text, ""
        if scheme not in _WHOLE and not is_file:
            before, mark, behind = text.rpartition("#")
            # an @ ends a password, and this # is part of it
            if mark and "@" not in behind and _are_options(behind, keys):
                location, options = before, behind
        pairs = parse_qsl(options, keep_blank_values=True)
        if scheme in _QUERIED:
            location, _, query = location.partition("?")
            pairs = [*parse_qsl(query, keep_blank_values=True), *pairs]
        shown = text if is_file else without_passwords(text)
        return cls(shown, scheme, location, _once(pairs, shown))

    @property
    def place(self) -> str:
        """What stands behind the scheme, as it is; of a ``file://`` address the path. May hold a password."""
        if not self.scheme:
            return self.location
        place = self.location.partition("://")[2]
        return unquote(place) if self.scheme == "file" else place

    def read_options(self, readers: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
        """The values of our options, read.

        Args:
            readers: What makes a value of each key's text; it raises ValueError on a bad one.

        Raises:
            UsageError: An option is not one of this kind of source or sink, or its value makes no sense.
        """
        values = {}
        for key, text in self.options.items():
            if key not in readers:
                raise UsageError(
                    f"{self.text} has no option {key!r}.",
                    f"It takes: {', '.join(readers)}." if readers else "It takes none: leave it out.",
                )
            try:
                values[key] = readers[key](text)
            except ValueError as error:
                raise UsageError(
                    f"{key}={without_passwords(text)} in {self.text} makes no sense: {error}.", "Correct the value."
                ) from error
        return values

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"


def frame_size_from_text(text: str) -> tuple[int, int]:
    """``(height, width)`` of a text such as ``480x640``; any sides, unlike a network's size.

    Raises:
        ValueError: It is no size.
    """
    parts = text.lower().partition("x")
    height, width = whole(parts[0]) or 0, whole(parts[2]) or 0
    if not 0 < height <= _LARGEST_SIDE >= width > 0:
        raise ValueError("height x width in pixels was expected, such as 480x640")
    return height, width


def _are_options(text: str, keys: Collection[str]) -> bool:
    """Whether a text is ``key=value`` pairs of these keys, at least one."""
    pairs = [pair.partition("=") for pair in text.split("&")]
    return all(mark and unquote_plus(key) in keys for key, mark, _ in pairs)


def _once(pairs: list[tuple[str, str]], shown: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for key, value in pairs:
        if key in options:
            raise UsageError(f"{shown} gives {key!r} twice.", "Give it once.")
        options[key] = value
    return options


def _exists(text: str) -> bool:
    try:
        return bool(text) and Path(text).exists()
    except (OSError, ValueError):  # a name that no file can have, or a folder that may not be entered
        return False
