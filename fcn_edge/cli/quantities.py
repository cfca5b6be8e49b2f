"""Durations and sizes of files on the command line: ``10m``, ``20GB``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from fcn_edge.text import printable

__all__ = ["BYTES", "DURATION"]

_QUANTITY = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*([a-zA-Z]*)")
_SECONDS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_BYTES |= {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BYTES |= {"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}

if TYPE_CHECKING:
    _DurationType = click.ParamType[float]
    _BytesType = click.ParamType[int]
else:
    _DurationType = _BytesType = click.ParamType  # takes no type argument before click 8.4


class _Duration(_DurationType):
    """``90s``, ``10m`` or ``1h`` on the command line, seconds in code."""

    name = "duration"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if not isinstance(value, str):
            return value
        found = _QUANTITY.fullmatch(value.strip())
        if found is None or found[2] not in _SECONDS:
            self.fail(f"'{printable(value, 80)}' is no duration; expected such as 90s, 10m or 1h.", param, ctx)
        return float(found[1]) * _SECONDS[found[2]]


class _Bytes(_BytesType):
    """``500MB`` or ``20GB`` on the command line, bytes in code; ``GB`` are 10^9, ``GiB`` 2^30."""

    name = "size"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if not isinstance(value, str):
            return value
        found = _QUANTITY.fullmatch(value.strip())
        if found is None or found[2].lower() not in _BYTES:
            self.fail(f"'{printable(value, 80)}' is no size of files; expected such as 500MB or 20GB.", param, ctx)
        return round(float(found[1]) * _BYTES[found[2].lower()])


DURATION = _Duration()
"""Parameter type of a duration; seconds."""
BYTES = _Bytes()
"""Parameter type of a size on disk; bytes."""
