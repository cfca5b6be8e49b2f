"""The checks by name, in the order of what they are worth, and how long each may take."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from types import MappingProxyType

from gpu.subject import Row, Subject

__all__ = ["CHECKS", "PARTS", "function_of"]

CHECKS = MappingProxyType(
    {
        "compile": ("compiling", 60),
        "agreement": ("agreement", 120),
        "sanitizers": ("sanitizers", 120),
        "sessions": ("sessions", 60),
        "speed": ("speed", 60),
        "counters": ("counters", 90),
        "integrated": ("integrated", 60),
        "network": ("torch_network", 90),
        "threads": ("threads", 60),
        "interop": ("interop", 60),
        "gaps": ("gaps", 45),
        "failures": ("resilience", 90),
        "leaks": ("leaks", 60),
        "engines": ("engines", 1800),
    }
)
"""Module of each check, and seconds after which it is ended."""

PARTS = MappingProxyType({"small": "small_launches", "large": "large_launches", "illegal": "illegal_address"})
"""Modules of what checks run in processes of their own, by name."""


def function_of(check: str) -> Callable[[Subject], Iterable[Row]]:
    """What runs a check, or a part of one.

    Args:
        check: A name of ``CHECKS`` or ``PARTS``.
    """
    module = CHECKS[check][0] if check in CHECKS else PARTS[check]
    function: Callable[[Subject], Iterable[Row]] = import_module(f"gpu.{module}").check
    return function
