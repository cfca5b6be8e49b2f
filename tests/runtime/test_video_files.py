"""Video files, read with PyAV and with OpenCV: the same frames at the same times."""

from __future__ import annotations

import io
import os
import shlex
import socket
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.errors import SourceError
from fcn_edge.runtime.frame import Frame
from fcn_edge.runtime.runner import run
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.sources import SourceAddress, open_source
from fcn_edge.runtime.sources.ffmpeg_limits import DECODER_LIMITS
from fcn_edge.runtime.sources.times import TimesAfterFirst
from fcn_edge.testing.engine import FakeEngine

av = pytest.importorskip("av")

from benchmarks.streams.damages import damaged_videos, picture, write_sizes  # noqa: E402 (needs PyAV)

Write = Callable[..., Path]
READERS = ("pyav", "opencv")


def choose(reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcn_edge.runtime.sources.video.has_pyav", lambda: reader == "pyav")


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    choose(request.param, monkeypatch)
    return str(request.param)


@pytest.fixture
def by_both(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], tuple[list[Frame], list[Frame]]]:
    """All frames of a file, as each reader gives them."""

    def read(path: Path) -> tuple[list[Frame], list[Frame]]:
        frames = []
        for name in READERS:
            choose(name, monkeypatch)
            with open_source(path) as source:
                frames.append(list(source))
        return frames[0], frames[1]

    return read


def encode(
    path: Path,
    pictures: list[NDArray[np.uint8]],
    codec: str = "libx264",
    pts: list[int] | None = None,
    pixels: str = "yuv420p",
    **colors: Any,
) -> Path:
    """A video of pictures at 25 frames a second, or with time stamps in 1/1000 s."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"bf": "2"} if codec == "libx264" else {})
        stream.height, stream.width, stream.pix_fmt = *pictures[0].shape[:2], pixels
        if pts is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for name, value in colors.items():
            setattr(stream.codec_context, name, value)
        for index, image in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format=pixels)
            if pts is not None:
                frame.pts, frame.time_base = pts[index], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def turn_upright(path: Path, degrees: int) -> None:
    """Say in an MP4's track header how a player turns its pictures, as phones do."""
    quarter = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    a, b, c, d = (value << 16 for value in quarter)
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 44
    content[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


class TestPixels:
    @pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuv420p10le"])
    @pytest.mark.parametrize("matrix", [1, 2, 6])  # BT.709, not told, BT.601
    def test_are_those_of_opencv(self, tmp_path: Path, by_both: Any, pixels: str, matrix: int) -> None:
        path = encode(
            tmp_path / "a.mp4", [picture(index, 98, 130) for index in range(5)], pixels=pixels, colorspace=matrix
        )
        ours, opencvs = by_both(path)
        assert len(ours) == len(opencvs) == 5
        for one, other in zip(ours, opencvs, strict=True):
            assert np.abs(one.image.astype(int) - other.image).max() <= 1

    def test_do_not_change_when_the_next_frame_is_read(self, tmp_path: Path, reader: str) -> None:
        path = encode(tmp_path / "a.mp4", [picture(index) for index in range(6)])
        with open_source(path) as source:
            first = next(source)
            kept = first.image.copy()
            images = [frame.image for frame in source]
        assert np.array_equal(first.image, kept)
        assert not any(np.shares_memory(first.image, image) for image in images)
        assert first.image.flags.c_contiguous

    @pytest.mark.parametrize("degrees", [90, 180, 270])
    def test_of_a_phone_come_upright(self, tmp_path: Path, write_video: Write, by_both: Any, degrees: int) -> None:
        path = encode(tmp_path / "a.mp4", [picture(index, 96, 128) for index in range(3)])
        (flat, _) = by_both(path)
        turn_upright(path, degrees)
        ours, opencvs = by_both(path)
        for one, other, before in zip(ours, opencvs, flat, strict=True):
            assert np.array_equal(one.image, other.image)
            assert np.array_equal(one.image, np.rot90(before.image, -degrees // 90))

    def test_take_no_more_memory_with_every_frame(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def resident() -> int:
            return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

        choose("pyav", monkeypatch)
        path = encode(tmp_path / "a.mp4", [picture(index) for index in range(40)])
        with open_source(f"{path}#loop=true") as source:
            for _ in range(200):
                next(source)
            before = resident()
            for _ in range(800):
                next(source)
            assert resident() - before < 32 << 20  # a context of swscale per frame took 1 GB


class TestTimes:
    def test_of_a_variable_rate_are_kept(self, tmp_path: Path, by_both: Any) -> None:
        stamps = [0, 40, 200, 210, 1400, 1500]
        path = encode(tmp_path / "a.mkv", [picture(index) for index in range(6)], pts=stamps)
        for frames in by_both(path):
            assert [frame.time for frame in frames] == pytest.approx([stamp / 1000 for stamp in stamps])

    def test_count_from_the_first_frame(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        choose("pyav", monkeypatch)
        stamps = [500, 540, 700, 710, 1900, 2000]
        path = encode(tmp_path / "a.mkv", [picture(index) for index in range(6)], pts=stamps)
        with open_source(path) as source:
            assert [frame.time for frame in source] == pytest.approx([(stamp - 500) / 1000 for stamp in stamps])

    @pytest.mark.parametrize("name", ["a.mp4", "a.ts", "a.mkv"])
    def test_are_in_the_order_of_presentation(self, tmp_path: Path, by_both: Any, name: str) -> None:
        path = encode(tmp_path / name, [picture(index) for index in range(12)])
        for frames in by_both(path):
            assert [frame.time for frame in frames] == pytest.approx([index / 25 for index in range(12)], abs=1e-3)

    def test_that_do_not_grow_are_none(self) -> None:
        times = TimesAfterFirst()
        assert [times(stamp) for stamp in (7.0, 7.5, 7.5, None, 6.0, float("nan"), 9.0)] == [
            0.0,
            0.5,
            None,
            None,
            None,
            None,
            2.0,
        ]

    def test_begin_at_0_where_the_first_stamp_is_none(self) -> None:
        times = TimesAfterFirst()
        assert [times(stamp) for stamp in (None, 0.5)] == [0.0, 0.5]

    def test_and_rate_and_length_agree(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = encode(tmp_path / "a.mkv", [picture(index) for index in range(6)], pts=[0, 40, 80, 300, 400, 900])
        told = []
        for name in READERS:
            choose(name, monkeypatch)
            with open_source(path) as source:
                told.append((source.fps, source.length, source.size))
        assert told[0] == told[1]


class TestNames:
    @pytest.mark.parametrize("name", ["a:b.mp4", "-a.mp4", "100%03d.mp4", "concat:x.mp4", "file:x.mp4", "a?b=c.mp4"])
    def test_are_never_taken_for_anything_else(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_video: Write, reader: str, name: str
    ) -> None:
        write_video(tmp_path / "plain.mp4", 3).rename(tmp_path / name)
        monkeypatch.chdir(tmp_path)
        with open_source(name) as source:
            assert len(list(source)) == 3

    def test_that_are_no_utf8(self, tmp_path: Path, write_video: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        """OpenCV's binding would end the process."""
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/in\xfe.mp4"))
        write_video(tmp_path / "plain.mp4", 3).rename(path)
        choose("pyav", monkeypatch)
        with open_source(path) as source:
            assert len(list(source)) == 3
        choose("opencv", monkeypatch)
        with pytest.raises(SourceError, match=r"in\\xfe.mp4 is not UTF-8"):
            open_source(path)


class TestNoVideos:
    """FFmpeg takes the first three for pictures: text for ANSI art, noise for raw video."""

    def written(self, kind: str) -> bytes:
        if kind == "text":
            return b"# A heading\n\n" + b"Some text, and more of it.\n" * 200
        if kind == "noise":
            return np.random.default_rng(3).bytes(200_000)
        if kind == "bare H.263":
            content = io.BytesIO()
            with av.open(content, "w", format="h263") as container:
                stream = container.add_stream("h263", rate=25)
                stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
                for index in range(5):
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), format="bgr24")))
                container.mux(stream.encode(None))
            return content.getvalue()
        return b""

    @pytest.mark.parametrize("name", ["README.txt", "a.mp4", "a name"])
    @pytest.mark.parametrize("kind", ["text", "noise", "bare H.263", "nothing"])
    def test_are_refused(self, tmp_path: Path, reader: str, kind: str, name: str) -> None:
        path = tmp_path / name
        path.write_bytes(self.written(kind))
        with pytest.raises(SourceError, match="is not a video or image") as caught:
            open_source(path)
        assert (caught.value.exit_code, shlex.split(caught.value.fix)[-2:]) == (5, ["ffprobe", str(path)])


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


class TestPlaylists:
    TEXTS = (
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{url}\n#EXTINF:2,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {url}\n",
        "ffconcat version 1.0\nfile inside.mp4\n",
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 5004 RTP/AVP 96\r\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{url}</BaseURL></MPD>',
    )

    @pytest.mark.parametrize("named", ["clip.mp4", "clip.m3u8"])
    @pytest.mark.parametrize("text", TEXTS)
    @pytest.mark.parametrize("looked_at", [True, False], ids=["by its text", "by FFmpeg's reader"])
    def test_in_a_file_are_not_opened(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        write_video: Write,
        listener: socket.socket,
        reader: str,
        named: str,
        text: str,
        looked_at: bool,
    ) -> None:
        write_video(tmp_path / "inside.mp4", 3)
        path = tmp_path / named
        path.write_text(text.format(url=f"http://127.0.0.1:{listener.getsockname()[1]}/a.ts"))
        if not looked_at:
            monkeypatch.setattr("fcn_edge.runtime.sources.video.refuse_playlist", lambda path: None)
        with pytest.raises(SourceError, match="is a playlist" if looked_at else "is not a video") as caught:
            open_source(path)
        assert caught.value.exit_code == 5
        with pytest.raises(BlockingIOError):  # nobody has asked
            listener.accept()

    def test_the_options_of_opencv_are_the_users_again(self, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        choose("opencv", monkeypatch)
        key = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
        for value in (None, "threads;1"):
            if value is not None:
                monkeypatch.setenv(key, value)
            open_source(video).close()
            assert os.environ.get(key) == value


class TestDamage:
    def test_in_the_middle_is_skipped_and_counted(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        choose("pyav", monkeypatch)
        path = encode(tmp_path / "a.mp4", [picture(index) for index in range(30)])
        content = bytearray(path.read_bytes())
        start, length = content.index(b"mdat"), content.index(b"moov") - content.index(b"mdat")
        for place in range(start + length // 3, start + length // 2, 50):
            content[place] ^= 0xFF
        path.write_bytes(content)
        with open_source(path) as source:
            frames = list(source)
            assert source.damaged >= 1
        assert 15 <= len(frames) <= 30
        report = run(path, Segmenter(FakeEngine()))
        assert report.error is None
        assert report.to_json()["sources"][0]["damaged"] >= 1

    def test_of_any_kind_ends_with_frames_or_one_sentence(self, tmp_path: Path, reader: str) -> None:
        ends = set()
        for damaged in damaged_videos(tmp_path, 20):
            frames: list[Frame] = []
            error = None
            try:
                with open_source(damaged.path) as source:
                    frames.extend(source)
            except SourceError as caught:
                error = caught
            assert (error is None) <= (len(frames) > 0)
            assert {frame.image.dtype.name for frame in frames} <= {"uint8"}
            if error is not None:
                assert error.exit_code == 5
                assert error.message.startswith(str(damaged.path))
                assert "\n" not in error.message
            ends.add((error is None, len(frames) > 0))
        assert ends == {(True, True), (False, True), (False, False)}

    def test_a_reader_that_was_interrupted_does_not_call_the_file_cut_off(self, video: Path, reader: str) -> None:
        with open_source(video) as source:
            next(source)
            source.interrupt()
            assert list(source) == []
            assert source.state == "ended"


class TestSizes:
    def test_that_change_midway_go_through_a_run(self, tmp_path: Path, reader: str) -> None:
        sizes = [(48, 64), (64, 48), (31, 57)]
        path = write_sizes(tmp_path / "a.mjpeg", sizes, frames=3)
        report = run(path, Segmenter(FakeEngine()), [tmp_path / "out.mp4", tmp_path / "masks"])
        assert (report.frames, report.error) == (9, None)
        masks = [cv2.imread(str(mask), cv2.IMREAD_UNCHANGED) for mask in sorted((tmp_path / "masks").iterdir())]
        followed = sizes if reader == "pyav" else sizes[:1] * 3
        assert [mask.shape for mask in masks] == [size for size in followed for _ in range(3)]
        with open_source(tmp_path / "out.mp4") as video:
            assert {frame.image.shape for frame in video} == {(48, 64, 3)}

    @pytest.mark.parametrize("sides", [(16, 20_000), (20_000, 16)])
    def test_longer_than_any_codec_of_video_takes_are_refused(
        self, tmp_path: Path, reader: str, sides: tuple[int, int]
    ) -> None:
        with pytest.raises(SourceError, match="announces pictures of more than 16384 pixels a side"):
            open_source(write_sizes(tmp_path / "a.mjpeg", [sides], frames=2))

    def test_that_grow_too_large_midway_are_skipped(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        choose("pyav", monkeypatch)
        path = write_sizes(tmp_path / "a.mjpeg", [(16, 16), (16, 20_000), (16, 16)], frames=1)
        with open_source(path) as source:
            assert [frame.image.shape for frame in source] == [(16, 16, 3)] * 2
            assert source.damaged == 1

    def test_of_too_many_pixels_are_never_decoded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(DECODER_LIMITS, "max_pixels", "1000")
        choose("pyav", monkeypatch)
        with pytest.raises(SourceError, match="no frame that can be decoded"):
            open_source(write_sizes(tmp_path / "a.mjpeg", [(48, 64)], frames=2))

    def test_larger_than_any_camera_are_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        choose("pyav", monkeypatch)
        path = write_sizes(tmp_path / "a.mjpeg", [(16, 16)], frames=2)
        content = path.read_bytes()
        header = content.index(b"\xff\xc0")
        path.write_bytes(content[: header + 5] + struct.pack(">HH", 65000, 65000) + content[header + 9 :])
        with open_source(path) as source:
            assert {frame.image.shape for frame in source} == {(16, 16, 3)}


def test_without_pyav_nothing_changes_but_the_reader(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choose("opencv", monkeypatch)
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with SourceAddress.of(video).open() as source:
        assert len(list(source)) == 20
        assert source.damaged == 0


@pytest.mark.parametrize(("stamps", "peak"), [(range(0, 1000, 40), None), ([*range(0, 400, 40), 2000, 2040], 25.0)])
def test_the_peak_of_a_rate_that_is_uneven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stamps: list[int], peak: float | None
) -> None:
    choose("pyav", monkeypatch)
    path = encode(tmp_path / "a.mp4", [picture(index) for index in range(len(stamps))], "mpeg4", list(stamps))
    with open_source(path) as source:
        assert source.peak_fps == peak
    with open_source(f"{path}#fps=20&loop=2") as source:
        assert source.peak_fps == (None if peak is None else 20)
