"""Access units as fragmented MP4 for a browser's Media Source: one fragment for each picture, as soon as it is there.

PyAV's muxer writes the init segment. It does not write the fragments: it holds each picture back until the next one has
come, which at 10 pictures a second alone is 100 ms of delay.

Boxes after ISO/IEC 14496-12, samples after ISO/IEC 14496-15.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from fcn_edge.errors import MachineError
from fcn_edge.runtime.sinks.encoders.units import TICKS, AccessUnit

__all__ = ["InitSegment", "fragment", "init_segment", "parameter_sets"]

DURATION = TICKS
"""Of every picture, however soon the next one comes: Media Source drops pictures up to the next keyframe after a gap of
more than twice the last duration, and a camera's pictures come when they come."""
SPS, PPS, DELIMITER = 7, 8, 9
START = b"\0\0\1"
BASE_IS_MOOF = 0x020000
TRUN_FLAGS = 0x000001 | 0x000100 | 0x000200 | 0x000400
"""Data offset, duration, size and flags of the sample are there."""
NEEDS_NONE, NEEDS_OTHERS = 0x02000000, 0x01010000
MOVFLAGS = "empty_moov+default_base_moof+frag_every_frame"


@dataclass(frozen=True)
class InitSegment:
    """What a browser needs before the first fragment.

    Attributes:
        codec: What Media Source calls it, such as ``avc1.42c01e``.
        data: The boxes ``ftyp`` and ``moov``.
        parameters: The parameter sets that it holds; other ones need another init segment.
    """

    codec: str
    data: bytes
    parameters: tuple[bytes, ...]


def parameter_sets(unit: AccessUnit) -> tuple[bytes, ...]:
    """The sequence and picture parameter sets of a keyframe."""
    return tuple(nal for nal in _nal_units(unit.data) if nal[0] & 31 in (SPS, PPS))


def init_segment(unit: AccessUnit) -> InitSegment:
    """The init segment of a stream.

    Args:
        unit: A keyframe of it.

    Raises:
        MachineError: The encoder wrote no parameter sets.
    """
    import av

    parameters = parameter_sets(unit)
    sps = next((nal for nal in parameters if nal[0] & 31 == SPS), b"")
    written = io.BytesIO()
    try:
        with av.open(io.BytesIO(unit.data), format="h264") as raw:
            container = av.open(written, "w", format="mp4", options={"movflags": MOVFLAGS})
            stream = container.add_stream_from_template(raw.streams.video[0], opaque=True)
            stream.time_base = Fraction(1, TICKS)
            packet = av.Packet(unit.data)
            packet.stream, packet.pts, packet.dts, packet.is_keyframe = stream, 0, 0, True
            packet.time_base = stream.time_base
            container.mux(packet)
            container.close()
    except (av.error.FFmpegError, IndexError, ValueError):
        sps = b""
    head, mark, _ = written.getvalue().partition(b"moof")
    if len(sps) < 4 or not mark:
        raise MachineError(
            "The video encoder wrote a stream that no browser can play: its parameter sets are missing.",
            "Let the processor encode: http://:8080#encoder=libx264.",
        )
    return InitSegment(f"avc1.{sps[1:4].hex()}", head[:-4], parameters)


def fragment(unit: AccessUnit, sequence: int) -> bytes:
    """The boxes ``moof`` and ``mdat`` of one picture.

    Args:
        unit: The picture.
        sequence: Number of the fragment, from 1.
    """
    nals = [nal for nal in _nal_units(unit.data) if nal[0] & 31 not in (SPS, PPS, DELIMITER)]
    sample = b"".join(part for nal in nals for part in (len(nal).to_bytes(4, "big"), nal))
    flags = NEEDS_NONE if unit.keyframe else NEEDS_OTHERS
    header = _full_box(b"mfhd", 0, 0, struct.pack(">I", sequence))
    track = _full_box(b"tfhd", 0, BASE_IS_MOOF, struct.pack(">I", 1))
    time = _full_box(b"tfdt", 1, 0, struct.pack(">Q", unit.ticks))
    run_bytes = 12 + 4 + 4 + 3 * 4
    offset = 8 + len(header) + 8 + len(track) + len(time) + run_bytes + 8  # of the sample, from the moof on
    run = _full_box(b"trun", 0, TRUN_FLAGS, struct.pack(">IiIII", 1, offset, DURATION, len(sample), flags))
    return _box(b"moof", header, _box(b"traf", track, time, run)) + _box(b"mdat", sample)


def _nal_units(data: bytes) -> Iterator[bytes]:
    """The NAL units of a byte stream (Annex B), none of which is empty."""
    at = data.find(START)
    while at >= 0:
        begin = at + len(START)
        at = data.find(START, begin)
        # no unit ends in a zero; that before a start code belongs to it
        nal = data[begin : None if at < 0 else at].rstrip(b"\0")
        if nal:
            yield nal


def _box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I", 8 + len(content)) + kind + content


def _full_box(kind: bytes, version: int, flags: int, content: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), content)
