"""SOURCE on the command line and in ``stream()``: where frames come from."""

from __future__ import annotations

from fcn_edge.runtime.sources.base import Picture, Source
from fcn_edge.runtime.sources.registry import OPENERS, open_source

__all__ = ["OPENERS", "Picture", "Source", "open_source"]
