"""Texts of a result for terminals and browsers: a result may come from anywhere."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from fcn_edge.bench.result import BenchResult

__all__ = ["printable", "printable_result"]


def printable(text: str) -> str:
    r"""The text on one line, with line breaks and control characters as escapes, such as ``\n`` and ``\x1b``.

    So are characters that turn the direction of what follows, and spaces that look like others.
    """
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


def printable_result(result: BenchResult) -> BenchResult:
    """The result with all its texts printable."""
    cleaned: BenchResult = _cleaned(result)
    return cleaned


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, BaseModel):
        return value.model_copy(update={name: _cleaned(getattr(value, name)) for name in type(value).model_fields})
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(one) for key, one in value.items()}
    return type(value)(map(_cleaned, value)) if isinstance(value, list | tuple) else value
