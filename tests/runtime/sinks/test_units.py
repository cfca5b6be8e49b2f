"""Access units that are sent on as they come."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("av")

from fcn_edge.runtime.sinks.encoders.base import EncoderError
from fcn_edge.runtime.sinks.encoders.choice import Choice
from fcn_edge.runtime.sinks.encoders.libx264 import Libx264Encoder
from fcn_edge.runtime.sinks.encoders.units import AccessUnit, UnitEncoder

LIBX264 = Choice("libx264", Libx264Encoder)
FRAME_NS = 40_000_000
SPS = b"\0\0\0\1\x67"


def units_of(encoder: UnitEncoder, pictures: int, size: tuple[int, int] = (48, 64)) -> list[AccessUnit]:
    found = []
    for number in range(pictures):
        found += encoder.encode(np.full((*size, 3), 8 * number % 256, np.uint8), number * FRAME_NS)
    return found


def test_each_picture_comes_out_at_once_and_every_second_begins_with_a_keyframe() -> None:
    with UnitEncoder(LIBX264, 25.0) as encoder:
        units = units_of(encoder, 60)
    assert [unit.ticks for unit in units] == [3600 * number for number in range(60)]
    assert [number for number, unit in enumerate(units) if unit.keyframe] == [0, 25, 50]
    assert [unit.data.startswith(SPS) for unit in units] == [unit.keyframe for unit in units]


def test_a_decoder_takes_them_from_any_keyframe_on() -> None:
    import av

    with UnitEncoder(LIBX264, 25.0) as encoder:
        units = units_of(encoder, 60, (99, 131))
    assert {unit.size for unit in units} == {(100, 132)}
    with av.open(io.BytesIO(b"".join(unit.data for unit in units[25:])), format="h264") as stream:
        pictures = [frame.to_ndarray(format="gray") for frame in stream.decode(video=0)]
    assert len(pictures) == 35
    assert abs(float(pictures[0].mean()) - 8 * 25) < 4


def test_times_only_grow_and_a_picture_of_another_size_is_fitted_in() -> None:
    with UnitEncoder(LIBX264, 25.0) as encoder:
        units = [
            *encoder.encode(np.zeros((48, 64, 3), np.uint8), 0),
            *encoder.encode(np.ones((20, 90, 3), np.uint8), 0),
        ]
    assert [unit.ticks for unit in units] == [0, 1]
    assert {unit.size for unit in units} == {(48, 64)}


class _Broken(Libx264Encoder):
    name = "libx264"

    def encode(self, planes, ticks, keyframe):  # type: ignore[no-untyped-def]
        raise EncoderError("The encoder is gone.", "Take another.")


def test_the_spare_encoder_goes_on_with_a_keyframe() -> None:
    with UnitEncoder(replace(LIBX264, make=_Broken, spare=Libx264Encoder), 25.0) as encoder:
        units = units_of(encoder, 3)
    assert [unit.keyframe for unit in units] == [True, False, False]


def test_without_a_spare_it_fails_in_a_sentence() -> None:
    with UnitEncoder(replace(LIBX264, make=_Broken), 25.0) as encoder, pytest.raises(EncoderError, match="is gone"):
        units_of(encoder, 1)
