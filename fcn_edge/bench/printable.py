"""Texts of a result for terminals and browsers: a result may come from anywhere."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from fcn_edge.bench.result import BenchResult
from fcn_edge.text import printable

__all__ = ["printable_result"]


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
