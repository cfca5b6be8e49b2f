"""What tests of the live page share."""

from __future__ import annotations

from ..results import make_result

__all__ = ["make_result"]
