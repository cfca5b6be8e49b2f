"""Whether this machine may have a video encoder of its own: a look at files, which costs nothing."""

from __future__ import annotations

from pathlib import Path

from fcn_edge.system.gstreamer import SYSTEM_PYTHON
from fcn_edge.system.jetson import is_jetson
from fcn_edge.system.text import text_of

__all__ = ["may_have_encoder"]


def may_have_encoder(root: Path = Path("/")) -> bool:
    """Whether to look for an encoder with GStreamer: this is a Jetson, or the kernel names a device that encodes.

    Not all Jetsons have one: an Orin Nano has none.

    Args:
        root: Where the system's files are found.
    """
    if not (root / SYSTEM_PYTHON.lstrip("/")).exists():
        return False
    if is_jetson(root):
        return True
    names = (root / "sys/class/video4linux").glob("video*/name")
    return any("enc" in text_of(name) for name in names)
