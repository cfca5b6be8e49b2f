"""Files that are shorter than their own elements say, and whole ones that only seem to be."""

from __future__ import annotations

import logging
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcn_edge.errors import SourceError
from fcn_edge.runtime.frame import Frame
from fcn_edge.runtime.sources import open_source
from fcn_edge.runtime.sources.wholeness import runs_past_end

av = pytest.importorskip("av")

FRAMES = 50
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov"}


def write(
    path: Path,
    codec: str = "mpeg4",
    options: dict[str, str] | None = None,
    trimmed: int = 0,
    sound: tuple[str, float] | None = None,
    last: int = 0,
) -> Path:
    """A video of ``FRAMES`` frames at 25 a second.

    Args:
        path: The file; its suffix chooses the container.
        codec: What encodes it.
        options: The muxer's.
        trimmed: Frames at the start that an edit list leaves out.
        sound: Codec and seconds of a sound.
        last: Frame times that the last frame comes later.
    """
    with av.open(str(path), "w", options=options or {}) as container:
        stream: Any = container.add_stream(codec, rate=25, options={"g": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        listened: Any = container.add_stream(sound[0], rate=48_000) if sound else None
        for index in range(FRAMES):
            image = np.random.default_rng(index).integers(0, 256, (48, 64, 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format="yuv420p")
            frame.pts, frame.time_base = index - trimmed + (last if index == FRAMES - 1 else 0), Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound and listened is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, round(48_000 * sound[1])), np.int16), "s16", "mono")
            silence.sample_rate, silence.pts = 48_000, 0
            resampled = av.AudioResampler(listened.format, listened.layout, 48_000, listened.frame_size or None)
            for part in (*resampled.resample(silence), *resampled.resample(None)):
                container.mux(listened.encode(part))
            container.mux(listened.encode(None))
    return path


def cut(path: Path, share: float = 0.6) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


@pytest.fixture(params=["pyav", "opencv"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("fcn_edge.runtime.sources.video.has_pyav", lambda: request.param == "pyav")
    return str(request.param)


ANNOUNCING = [
    ("a.mp4", "mpeg4", {"movflags": "faststart"}),
    ("a.mkv", "mpeg4", {}),  # and WebM, which has the same elements
    ("a.avi", "mpeg4", {}),
    ("a.flv", "flv1", {}),
    ("a.asf", "msmpeg4", {}),
]


class TestElements:
    @pytest.mark.parametrize(("name", "codec", "options"), ANNOUNCING)
    def test_of_a_whole_file_end_with_it(
        self, tmp_path: Path, name: str, codec: str, options: dict[str, str], reader: str
    ) -> None:
        path = write(tmp_path / name, codec, options)
        assert not runs_past_end(path)
        with open_source(path) as source:
            assert len(list(source)) == FRAMES

    @pytest.mark.parametrize(("name", "codec", "options"), ANNOUNCING)
    def test_of_a_cut_file_run_past_its_end(
        self, tmp_path: Path, name: str, codec: str, options: dict[str, str], reader: str
    ) -> None:
        path = cut(write(tmp_path / name, codec, options))
        assert runs_past_end(path)
        frames: list[Frame] = []
        with open_source(path) as source, pytest.raises(SourceError, match="is cut off or damaged") as caught:
            frames.extend(source)
        assert 0 < len(frames) < FRAMES
        assert f"ends after {len(frames)}" in caught.value.message

    @pytest.mark.parametrize(("name", "codec", "options"), ANNOUNCING)
    def test_end_before_what_a_phone_put_behind_them(
        self, tmp_path: Path, name: str, codec: str, options: dict[str, str]
    ) -> None:
        path = write(tmp_path / name, codec, options)
        with path.open("ab") as file:
            file.write(b"SEFT: a trailer of a phone, which is no element of any container")
        assert not runs_past_end(path)

    def test_of_an_odd_length_need_no_byte_behind_them(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.avi")
        content = bytearray(path.read_bytes() + b"JUNK" + struct.pack("<I", 3) + b"abc")
        struct.pack_into("<I", content, 4, len(content) - 8)
        path.write_bytes(content)
        assert not runs_past_end(path)
        path.write_bytes(content[:-1])
        assert runs_past_end(path)

    def test_that_were_never_counted_are_told_of(
        self, tmp_path: Path, reader: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A recording in fragments whose writer was killed within one: what it has is all that there ever was."""
        path = write(tmp_path / "a.mp4", options=FRAGMENTED)
        assert not runs_past_end(path)
        content = path.read_bytes()
        path.write_bytes(content[: content.rindex(b"moof") + 20])
        with caplog.at_level(logging.WARNING, "fcn_edge"), open_source(path) as source:
            frames = len(list(source))
        assert 0 < frames < FRAMES
        assert f"{path} lacks its end. All {frames} frames" in caplog.text

    def test_of_a_stream_that_knew_no_length_run_past_its_end(self, tmp_path: Path, reader: str) -> None:
        path = write(tmp_path / "a.mkv", options={"live": "1"})
        assert b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" in path.read_bytes()
        assert not runs_past_end(path)
        with open_source(path) as source:
            assert len(list(source)) == FRAMES
        with open_source(cut(path)) as source, pytest.raises(SourceError, match="is cut off or damaged"):
            list(source)

    def test_of_other_files_tell_nothing(self, tmp_path: Path) -> None:
        assert not runs_past_end(cut(write(tmp_path / "a.ts", "mpeg2video")))
        for content in (b"", b"RIFF", b"text that is longer than any header of them", bytes(40)):
            (tmp_path / "b").write_bytes(content)
            assert not runs_past_end(tmp_path / "b")

    @pytest.mark.parametrize(
        "unfinished",
        [
            b"RIFF" + struct.pack("<I", 0) + b"AVI " + bytes(40),
            struct.pack(">I4s8x", 16, b"ftyp") + struct.pack(">I4s", 0, b"mdat") + bytes(40),
            b"\x1a\x45\xdf\xa3\x80" + b"\x18\x53\x80\x67" + b"\x01" + b"\xff" * 7 + bytes(40),
        ],
        ids=["avi", "mp4", "matroska"],
    )
    def test_whose_length_nobody_knew_tell_nothing(self, tmp_path: Path, unfinished: bytes) -> None:
        (tmp_path / "a").write_bytes(unfinished)
        assert not runs_past_end(tmp_path / "a")


class TestWholeFiles:
    """They play to their end, whatever their headers announce."""

    def told(self, path: Path, caplog: pytest.LogCaptureFixture) -> tuple[int, bool]:
        """How many frames came, and whether it was noted that fewer came than announced."""
        with caplog.at_level(logging.WARNING, "fcn_edge"), open_source(path) as source:
            frames = len(list(source))
        return frames, "plays" in caplog.text

    def test_that_were_trimmed_by_an_edit_list(
        self, tmp_path: Path, reader: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = write(tmp_path / "a.mp4", trimmed=13)
        assert b"elst" in path.read_bytes()
        frames, noted = self.told(path, caplog)
        assert frames == FRAMES - 13
        assert noted == (reader == "opencv")  # which tells the count of all frames only

    @pytest.mark.parametrize(
        ("name", "codec", "sound"), [("a.mkv", "mpeg4", "pcm_s16le"), ("a.ts", "mpeg2video", "mp2")]
    )
    def test_whose_sound_goes_on(
        self, tmp_path: Path, reader: str, caplog: pytest.LogCaptureFixture, name: str, codec: str, sound: str
    ) -> None:
        frames, noted = self.told(write(tmp_path / name, codec, sound=(sound, 4.0)), caplog)
        assert frames == FRAMES
        assert noted == (reader == "opencv")

    def test_that_are_removed_while_they_are_played(self, tmp_path: Path, reader: str) -> None:
        path = write(tmp_path / "a.mkv")
        with open_source(path) as source:
            path.unlink()
            assert len(list(source)) == FRAMES

    def test_of_a_variable_rate(self, tmp_path: Path, reader: str, caplog: pytest.LogCaptureFixture) -> None:
        assert self.told(write(tmp_path / "a.mkv", last=60), caplog) == (FRAMES, False)


class TestDamagedEnds:
    def test_are_known_where_the_decoder_tells(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("fcn_edge.runtime.sources.video.has_pyav", lambda: True)
        path = write(tmp_path / "a.mp4", "libx264")
        content = path.read_bytes()
        start, end = content.index(b"mdat") + 4, content.index(b"moov") - 4
        half = (start + end) // 2
        path.write_bytes(content[:half] + bytes(end - half) + content[end:])
        assert not runs_past_end(path)
        with open_source(path) as source, pytest.raises(SourceError, match=f"of {FRAMES} frames: the file is cut off"):
            list(source)
