"""Fragmented MP4 as the page expects it, for the stand-in: one picture a fragment, in units of 1/90000 s."""

from __future__ import annotations

import io
import struct
from fractions import Fraction

import av

from fcn_edge.runtime.sinks.encoders.units import TICKS, AccessUnit

__all__ = ["codec_of", "fragment", "init_segment"]

PARAMETER_SETS = {7, 8}
DELIMITER = 9
MOVFLAGS = "empty_moov+default_base_moof+frag_every_frame"


def nal_units(data: bytes) -> list[bytes]:
    """The NAL units of Annex B."""
    return [one.rstrip(b"\0") for one in data.split(b"\0\0\1")[1:]]


def codec_of(unit: AccessUnit) -> str:
    """The codec's name, of a keyframe."""
    sps = next(one for one in nal_units(unit.data) if one[0] & 31 == 7)
    return f"avc1.{sps[1:4].hex()}"


def init_segment(unit: AccessUnit) -> bytes:
    """What precedes the fragments, of a keyframe."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4", options={"movflags": MOVFLAGS}) as container:
        stream = container.add_mux_stream("h264", width=unit.size[1], height=unit.size[0])
        stream.time_base = Fraction(1, TICKS)
        packet = av.Packet(unit.data)
        packet.stream, packet.time_base = stream, Fraction(1, TICKS)
        packet.pts = packet.dts = 0
        packet.is_keyframe = True
        container.mux(packet)
    whole = target.getvalue()
    return whole[: whole.index(b"moof") - 4]


def fragment(unit: AccessUnit) -> bytes:
    """``moof`` and ``mdat`` of one picture; it says that it lasts 1 s."""
    kept = [one for one in nal_units(unit.data) if one[0] & 31 not in {*PARAMETER_SETS, DELIMITER}]
    data = b"".join(struct.pack(">I", len(one)) + one for one in kept)

    def moof(offset: int) -> bytes:
        flags = 0x02000000 if unit.keyframe else 0x01010000
        header = box(b"tfhd", struct.pack(">II", 0x020000, 1))
        time = box(b"tfdt", struct.pack(">IQ", 1 << 24, unit.ticks))
        run = box(b"trun", struct.pack(">IIiIII", 0x000701, 1, offset, TICKS, len(data), flags))
        return box(b"moof", box(b"mfhd", struct.pack(">II", 0, 1)) + box(b"traf", header + time + run))

    return moof(len(moof(0)) + 8) + box(b"mdat", data)


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content
