from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from fcn_edge.runtime.sources.bgr import BgrConverter
from fcn_edge.runtime.sources.decoding import Decoder
from fcn_edge.runtime.sources.timeline import KEPT, Timeline

from ...servers.frame_numbers import number_of
from ...servers.videos import write_video


def packets(path: Path) -> Iterator[tuple[Any, Any]]:
    """Stream and packet, the empty one at the end too."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for packet in container.demux(stream):
            yield stream, packet


class TestDecoder:
    @pytest.mark.parametrize("live", [False, True])
    @pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mjpeg", "libx265"])
    def test_gives_every_frame_in_the_order_shown(self, tmp_path: Path, codec: str, live: bool) -> None:
        path = write_video(tmp_path / "a.mkv", 30, "matroska", codec)
        decoder: Decoder | None = None
        converter, numbers, times = BgrConverter(), [], []
        for stream, packet in packets(path):
            decoder = decoder or Decoder(stream, live)
            for frame in decoder.frames_of(packet):
                numbers.append(number_of(converter(frame)))
                times.append(frame.pts)
        assert numbers == list(range(30))
        assert times == sorted(times)
        assert decoder is not None
        assert decoder.errors == 0

    @pytest.mark.parametrize("codec", ["libx264", "mpeg4", "libx265"])
    def test_gives_nothing_before_a_keyframe(self, tmp_path: Path, codec: str) -> None:
        options = (
            {"x265-params": "keyint=10:bframes=0:log-level=none"} if codec == "libx265" else {"g": "10", "bf": "0"}
        )
        path = write_video(tmp_path / "a.mkv", 30, "matroska", codec, options)
        decoder: Decoder | None = None
        converter, numbers, first = BgrConverter(), [], 0
        for place, (stream, packet) in enumerate(packets(path)):
            decoder = decoder or Decoder(stream, live=True)
            assert decoder.waiting == (not numbers)
            if place < 5:
                continue
            first = first or (place if packet.is_keyframe else 0)
            numbers += [number_of(converter(frame)) for frame in decoder.frames_of(packet)]
        assert 5 < first < 30
        assert numbers == list(range(first, 30))

    def test_a_live_one_keeps_no_frame_back(self, tmp_path: Path) -> None:
        path = write_video(tmp_path / "a.mkv", 20, "matroska", options={"tune": "zerolatency"})
        decoder: Decoder | None = None
        for stream, packet in packets(path):
            decoder = decoder or Decoder(stream, live=True)
            if packet.size:
                assert len(decoder.frames_of(packet)) == 1

    def test_counts_what_is_damaged_and_goes_on(self, tmp_path: Path) -> None:
        path = write_video(tmp_path / "a.mkv", 30, "matroska", "mjpeg")
        decoder: Decoder | None = None
        numbers = []
        for place, (stream, packet) in enumerate(packets(path)):
            decoder = decoder or Decoder(stream, live=True)
            if place == 7:
                packet = av.Packet(b"\x00" * 100)
            numbers += [number_of(BgrConverter()(frame)) for frame in decoder.frames_of(packet)]
        assert decoder is not None
        assert decoder.errors == 1
        assert numbers == [number for number in range(30) if number != 7]

    def test_forgets_what_was_begun(self, tmp_path: Path) -> None:
        path = write_video(tmp_path / "a.mkv", 20, "matroska", options={"g": "10", "bf": "0"})
        decoder: Decoder | None = None
        numbers = []
        for place, (stream, packet) in enumerate(packets(path)):
            decoder = decoder or Decoder(stream, live=True)
            if place == 5:
                decoder.flush()
                assert decoder.waiting
            numbers += [number_of(BgrConverter()(frame)) for frame in decoder.frames_of(packet)]
        assert numbers[:5] == list(range(5))
        assert numbers[-10:] == list(range(10, 20))


class TestBgrConverter:
    @pytest.mark.parametrize("form", ["yuv420p", "yuvj420p", "nv12", "yuv444p", "rgb24", "bgr24", "gray"])
    def test_gives_bgr_of_any_format_and_size(self, form: str) -> None:
        converter = BgrConverter()
        for height, width in ((48, 64), (35, 70), (48, 64)):
            gray = form == "gray"
            color = (100, 100, 100) if gray else (200, 100, 30)
            image = np.full((height, width, 3), color, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format=form)
            given = converter(frame)
            assert (given.shape, given.dtype, given.flags.c_contiguous) == ((height, width, 3), np.uint8, True)
            assert given.flags.writeable
            assert np.abs(given.reshape(-1, 3).mean(0) - color).max() < 4


class TestTimeline:
    def packet(self, pts: int | None) -> Any:
        packet = av.Packet(b"x")
        packet.pts = pts
        packet.time_base = Fraction(1, 1000)
        return packet

    def test_a_frame_has_the_arrival_of_its_packet(self) -> None:
        timeline = Timeline(live=True)
        for index in range(1000):
            last = timeline.arrived(self.packet(40 * index), index, index + 5)
        assert timeline.arrival_of(40 * 998, last).captured_ns == 998
        assert timeline.arrival_of(None, last) is last
        assert timeline.arrival_of(40, last) is last  # long ago
        assert len(timeline._arrivals) <= KEPT

    def test_seconds_begin_at_the_first_frame(self) -> None:
        timeline = Timeline(live=False)
        times = [timeline.seconds_of(pts, Fraction(1, 1000), 0) for pts in (5000, 5040, 5040, None, 95_080)]
        assert times == [0, pytest.approx(0.04), None, None, pytest.approx(90.08)]

    def test_seconds_of_live_frames_without_stamps_go_by_their_arrival(self) -> None:
        timeline = Timeline(live=True)
        stamps = [None, 9000, 9040, None, 9120]
        times = [timeline.seconds_of(a, Fraction(1, 1000), 40_000_000 * i) for i, a in enumerate(stamps)]
        assert times == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])

    @pytest.mark.parametrize("anew", [0, 10_000_000])
    def test_seconds_of_a_live_stream_grow_where_its_stamps_are_set_anew(self, anew: int) -> None:
        timeline = Timeline(live=True)
        stamps = [5000, 5040, anew, anew + 40]
        arrivals = [0, 40_000_000, 90_000_000, 130_000_000]
        times = [timeline.seconds_of(a, Fraction(1, 1000), b) for a, b in zip(stamps, arrivals, strict=True)]
        assert times == pytest.approx([0, 0.04, 0.09, 0.13])
