"""What the score of rendered frames is made from."""

from __future__ import annotations

from ..results import make_result

__all__ = ["make_result"]
