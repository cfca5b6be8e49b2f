"""What makes values of our options: ``#size=720x1280&timeout=3``. Each reader raises ValueError on a bad text."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from fcn_edge.runtime.uri import frame_size_from_text
from fcn_edge.text import whole

__all__ = [
    "CAMERA_OPTIONS",
    "COMMON_OPTIONS",
    "CSI_OPTIONS",
    "FILE_OPTIONS",
    "GSTREAMER_OPTIONS",
    "HTTP_OPTIONS",
    "OPTIONS",
    "PIPE_OPTIONS",
    "RTSP_OPTIONS",
    "Readers",
]

Readers = Mapping[str, Callable[[str], Any]]


def _rate(text: str) -> float:
    rate = _number(text)
    if not (rate > 0 and math.isfinite(rate)):
        raise ValueError("a positive number of frames a second was expected")
    return rate


def _seconds(text: str) -> float:
    seconds = _number(text)
    if not 0.1 <= seconds <= 3600:
        raise ValueError("seconds from 0.1 to 3600 were expected")
    return seconds


def _number(text: str) -> float:
    """The number; NaN, which is in no range, where the text is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _milliseconds(text: str) -> float:
    milliseconds = whole(text)
    if milliseconds is None or milliseconds > 10_000:
        raise ValueError("whole milliseconds from 0 to 10000 were expected")
    return milliseconds / 1000


def _transport(text: str) -> str:
    if text not in ("tcp", "udp"):
        raise ValueError("tcp or udp was expected")
    return text


def _decoder(text: str) -> str:
    if text not in ("gstreamer", "nvv4l2decoder"):
        raise ValueError("gstreamer or nvv4l2decoder was expected")
    return text


def _yes(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError("yes or no was expected")
    return text == "yes"


def _bits(text: str) -> int:
    if text not in [str(bits) for bits in range(8, 17)]:
        raise ValueError("a number of bits from 8 to 16 was expected")
    return int(text)


def _loops(text: str) -> int | None:
    from fcn_edge.runtime.sources.looped import loops_from_text

    return loops_from_text(text)


def _region(text: str) -> Any:
    from fcn_edge.runtime.sources.transformed import Region

    return Region.from_text(text)


def _name(text: str) -> str:
    if not re.fullmatch(r"[\w-]{1,64}", text, re.ASCII):
        raise ValueError("letters, digits, _ and - were expected")
    return text


def _flip(text: str) -> str:
    from fcn_edge.runtime.sources.transformed import flip_from_text

    return flip_from_text(text)


COMMON_OPTIONS: Readers = {"roi": _region, "flip": _flip, "name": _name}
"""Options of every kind of source; what opens a kind does not see them."""

CAMERA_OPTIONS: Readers = {"size": frame_size_from_text, "fps": _rate}
CSI_OPTIONS: Readers = {**CAMERA_OPTIONS, "flip": _flip, "timeout": _seconds}
FILE_OPTIONS: Readers = {"loop": _loops, "fps": _rate, "bits": _bits}
PIPE_OPTIONS: Readers = {"timeout": _seconds, "fps": _rate}
NETWORK_OPTIONS: Readers = {"fps": _rate, "timeout": _seconds, "verify": _yes}
HTTP_OPTIONS: Readers = {**NETWORK_OPTIONS, "elsewhere": _yes}
RTSP_OPTIONS: Readers = {**NETWORK_OPTIONS, "jitter": _milliseconds, "transport": _transport}
GSTREAMER_OPTIONS: Readers = {
    "decoder": _decoder,
    "timeout": _seconds,
    "fps": _rate,
    "jitter": _milliseconds,
    "transport": _transport,
}
"""Options of RTSP that GStreamer reads and decodes."""

OPTIONS = frozenset({"frames", "seed"}).union(
    COMMON_OPTIONS, CAMERA_OPTIONS, FILE_OPTIONS, PIPE_OPTIONS, HTTP_OPTIONS, RTSP_OPTIONS, GSTREAMER_OPTIONS
)
"""Our options of all kinds of sources: what is taken for one behind ``#``."""
