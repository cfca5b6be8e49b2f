"""Measurements of kernels, kept from build to build: later builds are faster and choose the same kernels.

A cache holds for one version of the library and one device, so both are in its file's name, and what of the device is
switched on as well: a build in another power mode is to measure anew. One that is damaged or refused counts as empty.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from fcn_edge.artifacts.device import DeviceInfo
from fcn_edge.backends.cuda.kernel_cache import cache_directory
from fcn_edge.errors import FcnEdgeError
from fcn_edge.io.private import read_private, write_private

__all__ = ["keep_timings", "timing_file", "use_timings"]


def timing_file(version: str, device: DeviceInfo) -> Path | None:
    """Where the measurements of a library's version on a device are kept; None where the user has no directory."""
    try:
        base = cache_directory().parent
    except RuntimeError:
        return None
    parts = version, device.title, device.capability, device.state
    name = re.sub(r"[^A-Za-z0-9.]+", "_", "-".join(part for part in parts if part))
    return base / "timings" / name


def use_timings(config: Any, path: Path) -> int:
    """Give a builder's configuration the measurements of a file, or none when it does not take them.

    Returns:
        Bytes of measurements that it took.
    """
    kept = read_private(path) or b""
    for content in (kept, b""):
        cache = config.create_timing_cache(content)
        if cache is not None and config.set_timing_cache(cache, False):
            return len(content)
    return 0


def keep_timings(config: Any, path: Path) -> None:
    """Write a configuration's measurements to a file; where that may not be written they are lost."""
    cache = config.get_timing_cache()
    if cache is None:
        return
    with suppress(OSError, FcnEdgeError):
        write_private(path, bytes(cache.serialize()))
