"""What tests of the live page share."""

from __future__ import annotations

from ..results import make_result
from ..runtime.conftest import no_thread_left

__all__ = ["make_result", "no_thread_left"]
