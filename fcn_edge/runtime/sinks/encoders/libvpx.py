"""libvpx in PyAV's wheel: VP9 for WebM, which takes no H.264."""

from __future__ import annotations

from typing import Final

from fcn_edge.runtime.sinks.encoders.pyav import PyAvEncoder

__all__ = ["LIBVPX", "LibvpxEncoder"]

LIBVPX: Final = "libvpx-vp9"


class LibvpxEncoder(PyAvEncoder):
    """VP9 on the processor, as fast as libvpx makes it: on moving noise of 1024x512 no slower than libx264's preset."""

    name = LIBVPX
    codec = "VP9"
    options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "crf": "30", "b": "0"}  # noqa: RUF012
