"""What GStreamer is asked to build for each kind of source, as ``gstreamer_worker.Pipeline`` takes it.

Addresses and passwords are values of properties here and never part of a pipeline's text, in which a space or a ``!``
would make further elements of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import unquote

from fcn_edge.artifacts.spec import Size

__all__ = ["DECODERS", "FLIPS", "JITTER", "Decoder", "Transport", "csi_pipeline", "rtsp_pipeline", "text_pipeline"]

Decoder = Literal["gstreamer", "nvv4l2decoder"]
Transport = Literal["tcp", "udp"]

DECODERS: tuple[Decoder, ...] = ("gstreamer", "nvv4l2decoder")
"""What decodes a stream of the network: whatever of GStreamer's is here, the board's first, or the board's only."""

FLIPS: Mapping[str, int] = MappingProxyType(
    {"counterclockwise": 1, "rotate-180": 2, "clockwise": 3, "horizontal": 4, "vertical": 6}
)
"""What ``transformed.FLIPS`` names, by its number in the board's ``nvvidconv``."""

JITTER = 0.1
"""Seconds for which packets wait for late ones before them; GStreamer's own choice is 2."""

_Element = dict[str, Any]
_Steps = list[list[list[_Element]]]


def text_pipeline(text: str) -> dict[str, Any]:
    """A pipeline in GStreamer's own language; without an appsink it is given ours, which takes BGR.

    Args:
        text: As ``gst-launch-1.0`` takes it.
    """
    text = text.strip().rstrip("!").rstrip()
    on_board = re.search(r"memory:NVMM|\bnv(arguscamerasrc|v4l2decoder|jpegdec)\b", text) and "nvvidconv" not in text
    board = " ! nvvidconv ! video/x-raw,format=BGRx" if on_board else ""
    tail = f"{board} ! videoconvert ! video/x-raw,format=BGR ! appsink name=fcn_edge max-buffers=1 sync=false"
    return {"text": text, "tail": tail}


def csi_pipeline(sensor: int, size: Size | None, fps: float | None, flip: str | None) -> dict[str, Any]:
    """A camera on a Jetson's CSI connector.

    Args:
        sensor: Its number among the sensors.
        size: ``(height, width)`` to ask for; the driver's choice when None. It is the size before a flip.
        fps: Frames a second to ask for; the driver's choice when None.
        flip: One of ``FLIPS``.
    """
    asked = ["video/x-raw(memory:NVMM)"]
    if size is not None:
        asked += [f"width={size[1]}", f"height={size[0]}"]
    if fps is not None:
        rate = Fraction(fps).limit_denominator(1001)
        asked.append(f"framerate={rate.numerator}/{rate.denominator}")
    scaler = _element("nvvidconv", **({"flip-method": FLIPS[flip]} if flip else {}))
    source = [_element("nvarguscamerasrc", **{"sensor-id": sensor}), _caps(",".join(asked))]
    return {"live": True, "steps": [[source], [[scaler, _caps("video/x-raw,format=BGRx")]], *_bgr()]}


def rtsp_pipeline(
    location: str, decoder: Decoder, transport: Transport, timeout: float, jitter: float = JITTER
) -> dict[str, Any]:
    """A camera or server that speaks RTSP.

    Args:
        location: Its address, with user and password where it has some.
        decoder: What decodes the pictures.
        transport: How packets come: ``tcp`` loses none.
        timeout: Seconds without an answer after which the connection is lost.
        jitter: Seconds for which a packet that came early waits for those before it.
    """
    place, user, password = _without_user(location)
    source = _element(
        "rtspsrc",
        **{
            "location": place,
            "user-id": user,
            "user-pw": password,
            "latency": round(jitter * 1000),
            "drop-on-latency": True,
            "protocols": transport,
            "timeout": round(timeout * 1e6),
            "tcp-timeout": round(timeout * 1e6),
            "add-reference-timestamp-meta": True,  # since 1.22, which JetPack 6 has not
        },
    )
    board = _element("nvv4l2decoder")
    software = {"H264": ("avdec_h264", "openh264dec"), "H265": ("avdec_h265",)}
    encodings: dict[str, _Steps] = {}
    for name, decoders in software.items():
        parts = [[_element(f"rtp{name.lower()}depay"), _element(f"{name.lower()}parse")]]
        others = [[_element(one)] for one in decoders if decoder == "gstreamer"]
        encodings[name] = [parts, [[board], *others]]
    if decoder == "gstreamer":
        encodings["JPEG"] = [[[_element("rtpjpegdepay"), _element("jpegdec")]]]
    from_board = [_element("nvvidconv"), _caps("video/x-raw,format=BGRx")]
    # the board's scaler takes the memory of its decoder, and any other; elsewhere an element that does nothing
    return {
        "live": True,
        "rtsp": source,
        "encodings": encodings,
        "steps": [[from_board, [_element("identity")]], *_bgr()],
    }


def _bgr() -> _Steps:
    sink = _element("appsink", **{"max-buffers": 1, "sync": False})
    return [[[_element("videoconvert"), _caps("video/x-raw,format=BGR"), sink]]]


def _element(factory: str, **properties: Any) -> _Element:
    return {"factory": factory, "properties": properties}


def _caps(text: str) -> _Element:
    return _element("capsfilter", caps=text)


def _without_user(location: str) -> tuple[str, str | None, str | None]:
    """An address without user and password, and both, decoded; a password may hold ``/`` or ``@`` unescaped."""
    scheme, _, rest = location.partition("://")
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    plain = re.fullmatch(r"(\[[^\]]*\]|[^:@]*)(:\d*)?", authority)
    cut = -1 if plain else rest.rfind("@") if "@" not in authority else authority.rfind("@")
    if cut < 0:
        return location, None, None
    user, _, password = rest[:cut].partition(":")
    return f"{scheme}://{rest[cut + 1 :]}", unquote(user), unquote(password)
