"""SINK on the command line: where masks go.

out.mp4, .mkv, .webm, .avi  a video of overlays; out.mp4#encoder=libx264 by this encoder
masks/                      a folder of masks: one PNG of class ids per frame
out.png, out.jpg            the overlay, where the source is one image
-                           one JSON object per frame on standard output
display                     a window
null:                       nothing; the run only measures

What opens each kind is in ``registry``; a new kind is a line there.
"""

from __future__ import annotations

from fcn_edge.runtime.sinks.base import Overlays, Sink, SinkContext
from fcn_edge.runtime.sinks.registry import (
    OPENERS,
    AnySink,
    check_series,
    checked_sinks,
    is_for_all,
    is_mask_of,
    is_same_file,
    is_stream,
    of_source,
    open_sink,
    prepare_sink,
)

__all__ = [
    "OPENERS",
    "AnySink",
    "Overlays",
    "Sink",
    "SinkContext",
    "check_series",
    "checked_sinks",
    "is_for_all",
    "is_mask_of",
    "is_same_file",
    "is_stream",
    "of_source",
    "open_sink",
    "prepare_sink",
]
