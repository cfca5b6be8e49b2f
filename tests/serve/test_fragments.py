"""Fragments for Media Source, read back by FFmpeg."""

from __future__ import annotations

import io
import struct
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("av")

from fcn_edge.errors import MachineError
from fcn_edge.runtime.sinks.encoders.choice import Choice
from fcn_edge.runtime.sinks.encoders.libx264 import Libx264Encoder
from fcn_edge.runtime.sinks.encoders.units import AccessUnit, UnitEncoder
from fcn_edge.serve.fragments import fragment, init_segment, parameter_sets

FRAME_NS = 40_000_000
PICTURES = 30


@pytest.fixture(scope="module")
def units() -> list[AccessUnit]:
    with UnitEncoder(Choice("libx264", Libx264Encoder), 25.0) as encoder:
        return [
            unit
            for number in range(PICTURES)
            for unit in encoder.encode(np.full((48, 64, 3), 8 * number, np.uint8), number * FRAME_NS)
        ]


def boxes(data: bytes) -> list[str]:
    """The names of the boxes at the top, whose sizes add up to the whole."""
    names, at = [], 0
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        names.append(data[at + 4 : at + 8].decode())
        at += size
    assert at == len(data)
    return names


def test_each_picture_is_a_fragment_of_its_own_that_ffmpeg_decodes_at_its_time(units: list[AccessUnit]) -> None:
    import av

    init = init_segment(units[0])
    fragments = [fragment(unit, number) for number, unit in enumerate(units, 1)]
    assert boxes(init.data) == ["ftyp", "moov"]
    assert {tuple(boxes(one)) for one in fragments} == {("moof", "mdat")}
    with av.open(io.BytesIO(init.data + b"".join(fragments))) as video:
        stream = video.streams.video[0]
        assert (stream.width, stream.height, stream.time_base.denominator) == (64, 48, 90_000)
        frames = list(video.decode(stream))
    assert [frame.pts for frame in frames] == [3600 * number for number in range(PICTURES)]
    levels = [float(frame.to_ndarray(format="gray").mean()) for frame in frames]
    assert levels == pytest.approx([8 * number for number in range(PICTURES)], abs=4)


def test_who_joins_later_begins_at_the_keyframe(units: list[AccessUnit]) -> None:
    import av

    late = [fragment(unit, number) for number, unit in enumerate(units[25:], 1)]
    with av.open(io.BytesIO(init_segment(units[25]).data + b"".join(late))) as video:
        assert [frame.pts for frame in video.decode(video=0)] == [3600 * number for number in range(25, PICTURES)]


def test_the_codec_is_named_by_profile_and_level(units: list[AccessUnit]) -> None:
    init = init_segment(units[0])
    sps = next(nal for nal in parameter_sets(units[0]) if nal[0] & 31 == 7)
    assert init.codec == f"avc1.{sps[1]:02x}{sps[2]:02x}{sps[3]:02x}"
    assert init.parameters == parameter_sets(units[25])


def test_only_keyframes_are_marked_as_such(units: list[AccessUnit]) -> None:
    marks = [struct.unpack_from(">I", one, one.index(b"mdat") - 8)[0] for one in (fragment(unit, 1) for unit in units)]
    assert [mark >> 16 & 1 for mark in marks] == [0 if unit.keyframe else 1 for unit in units]


@pytest.mark.parametrize("data", [b"", b"\0\0\0\1\x09\xf0", b"no video at all", b"\0\0\1\x67\x42"])
def test_what_is_no_video_is_said_in_a_sentence(units: list[AccessUnit], data: bytes) -> None:
    with pytest.raises(MachineError, match="no browser can play"):
        init_segment(replace(units[0], data=data))
