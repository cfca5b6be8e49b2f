"""JSON as it leaves the program: one line that every reader takes."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["json_text"]


def json_text(value: Any) -> str:
    r"""The value as JSON on one line, in ASCII.

    Bytes of names that are not UTF-8 stand as text, such as ``\\udcfe``: halves of characters are no JSON for strict
    readers.

    Raises:
        ValueError: It holds a number that is not finite.
    """
    text = json.dumps(value, allow_nan=False)
    return json.dumps(_whole(value), allow_nan=False) if "\\ud" in text else text


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return "".join(f"\\u{ord(letter):04x}" if "\ud800" <= letter <= "\udfff" else letter for letter in value)
    if isinstance(value, dict):
        return {_whole(key): _whole(one) for key, one in value.items()}
    return [_whole(one) for one in value] if isinstance(value, list | tuple) else value
