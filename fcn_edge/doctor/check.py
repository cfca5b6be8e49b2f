"""One line of the doctor's report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Check"]


@dataclass(frozen=True)
class Check:
    """What was found of one thing.

    Attributes:
        name: What was looked for.
        ok: It is there and fit for use.
        found: What is there, for people.
        fix: Command or sentence that fixes it; empty when there is nothing to fix.
        required: Without it fcn_edge cannot run a model at all; the rest serves single commands.
    """

    name: str
    ok: bool
    found: str
    fix: str = ""
    required: bool = False

    def to_json(self) -> dict[str, Any]:
        """The check as plain values."""
        return {"name": self.name, "ok": self.ok, "found": self.found, "fix": self.fix, "required": self.required}
