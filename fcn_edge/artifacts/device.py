"""What a network runs on, and the values that a manifest can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["DeviceInfo", "ManifestValue"]

ManifestValue = str | int | float | bool | None | list[str]
"""A value that a manifest can hold."""


@dataclass(frozen=True)
class DeviceInfo:
    """What a network runs on.

    Attributes:
        kind: ``cpu`` or ``cuda``.
        name: What it calls itself, such as ``AMD EPYC``.
        capability: Instruction-set class of a processor (``avx2``, ``avx512_vnni``, ``dotprod``), compute capability
            of a GPU (``8.7``).
    """

    kind: Literal["cpu", "cuda"]
    name: str
    capability: str
