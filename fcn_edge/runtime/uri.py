"""The text that names a source or a sink: a path, a camera's number, or ``scheme://place?key=value``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from fcn_edge.errors import UsageError

__all__ = ["Uri", "frame_size_from_text"]

_LARGEST_SIDE = 1 << 15


@dataclass(frozen=True)
class Uri:
    """A source or sink, taken apart.

    Attributes:
        text: As it was given.
        scheme: In lower case; empty for a path or number.
        place: What stands behind the scheme, without the query.
        query: ``key=value`` pairs behind the question mark.
    """

    text: str
    scheme: str
    place: str
    query: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> Uri:
        """Take a text apart. Only ``scheme://`` makes a URI: ``a:b.mp4`` is a path, and so is ``what?.png``."""
        scheme, separator, rest = text.partition("://")
        if not separator or not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9+.-]*", scheme):
            return cls(text, "", text, {})
        place, _, query = rest.partition("?")
        return cls(text, scheme.lower(), unquote(place), dict(parse_qsl(query, keep_blank_values=True)))

    def options(self, readers: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
        """The query's values, read.

        Args:
            readers: What makes a value of each key's text; it raises ValueError or UsageError on a bad one.

        Raises:
            UsageError: A key is not known or its value makes no sense.
        """
        values = {}
        for key, text in self.query.items():
            if key not in readers:
                raise UsageError(f"{self.text} has no option {key!r}.", f"It takes: {', '.join(readers)}.")
            try:
                values[key] = readers[key](text)
            except ValueError as error:
                raise UsageError(
                    f"{key}={text} in {self.text} makes no sense: {error}.", "Correct the value."
                ) from error
        return values


def frame_size_from_text(text: str) -> tuple[int, int]:
    """``(height, width)`` of a text such as ``480x640``; any sides, unlike a network's size.

    Raises:
        ValueError: It is no size.
    """
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal() and 0 < int(height) <= _LARGEST_SIDE >= int(width) > 0):
        raise ValueError("height x width in pixels was expected, such as 480x640")
    return int(height), int(width)
