"""Texts without control characters: names come from users, and reports are read in terminals and browsers."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel

from fcn_edge.bench.result import BenchResult

__all__ = ["printable", "without_controls"]

CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069]")
"""All but white space, such as ESC and BEL, and those that turn the direction of what follows."""


def without_controls(text: str) -> str:
    """A text without control characters; white space stays."""
    return CONTROLS.sub("", text)


def printable(result: BenchResult) -> BenchResult:
    """The result with all its texts without control characters."""
    cleaned: BenchResult = _cleaned(result)
    return cleaned


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return without_controls(value)
    if isinstance(value, BaseModel):
        return value.model_copy(update={name: _cleaned(getattr(value, name)) for name in type(value).model_fields})
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(one) for key, one in value.items()}
    return type(value)(map(_cleaned, value)) if isinstance(value, list | tuple) else value
