"""Standard input and named pipes."""

from __future__ import annotations

import os
import pty
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from fcn_edge.errors import SourceError, UsageError
from fcn_edge.runtime.runner import run
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.sources import SourceAddress, open_source
from fcn_edge.testing.engine import FakeEngine

av = pytest.importorskip("av")

from benchmarks.streams.damages import picture  # noqa: E402 (needs PyAV)

pytestmark = pytest.mark.usefixtures("no_thread_left")

FRAMES = 15
STREAMS = {
    "ts": ("mpegts", "libx264", {}),
    "mkv": ("matroska", "libx264", {}),
    "mp4": ("mp4", "libx264", {"movflags": "frag_keyframe+empty_moov"}),
    "avi": ("avi", "mpeg4", {}),
    "mjpeg": ("mjpeg", "mjpeg", {}),
    "y4m": ("yuv4mpegpipe", "rawvideo", {}),
}


@pytest.fixture(scope="module")
def stream_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A file that holds a stream which can be read without seeking."""
    folder = tmp_path_factory.mktemp("streams")

    def make(name: str) -> Path:
        path = folder / f"clip.{name}"
        if path.exists():
            return path
        container_format, codec, options = STREAMS[name]
        with av.open(str(path), "w", format=container_format, options=options) as container:
            stream = container.add_stream(codec, rate=25)
            stream.height, stream.width = 48, 64
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for index in range(FRAMES):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index, 48, 64), format="bgr24")))
            container.mux(stream.encode(None))
        return path

    return make


@contextmanager
def standard_input(descriptor: int) -> Iterator[None]:
    """The descriptor is standard input; it is closed in the end."""
    before = os.dup(0)
    os.dup2(descriptor, 0)
    os.close(descriptor)
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)


@contextmanager
def piped(content: bytes, end: bool = True) -> Iterator[None]:
    """Standard input gets these bytes, and then its end, or nothing more."""
    reading, writing = os.pipe()
    left = threading.Event()

    def write() -> None:
        try:
            with os.fdopen(writing, "wb", buffering=0) as pipe:
                pipe.write(content)
                if not end:
                    left.wait(60)
        except BrokenPipeError:
            pass

    writer = threading.Thread(target=write)
    with standard_input(reading):
        writer.start()
        try:
            yield
        finally:
            left.set()
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # the writer's pipe breaks
            writer.join()


class TestStandardInput:
    @pytest.mark.parametrize("name", STREAMS)
    def test_gives_every_frame_of_any_stream(self, stream_of: Callable[[str], Path], name: str) -> None:
        path = stream_of(name)
        with open_source(path) as file:
            expected = list(file)
        with piped(path.read_bytes()), open_source("-") as source:
            assert (source.live, source.size, source.id, source.length) == (False, (48, 64), "-", None)
            frames = list(source)
        assert len(frames) == FRAMES
        for one, other in zip(frames, expected, strict=True):
            assert np.array_equal(one.image, other.image)
        assert [frame.index for frame in frames] == list(range(FRAMES))
        assert [frame.time for frame in frames] == pytest.approx([index / 25 for index in range(FRAMES)], abs=1e-3)

    def test_may_be_a_file_whose_index_is_at_its_end(self, video: Path) -> None:
        with standard_input(os.open(video, os.O_RDONLY)), open_source("-") as source:
            assert len(list(source)) == 20

    def test_that_ends_before_the_first_byte(self) -> None:
        with piped(b""), pytest.raises(SourceError, match="is empty") as caught:
            open_source("-")
        assert caught.value.exit_code == 5

    def test_that_is_no_video(self) -> None:
        with piped(b"hello" * 1000), pytest.raises(SourceError, match="is not a video") as caught:
            open_source("-")
        assert "mpegts" in caught.value.fix

    def test_that_is_a_playlist(self, video: Path) -> None:
        with piped(f"ffconcat version 1.0\nfile {video}\n".encode()), pytest.raises(SourceError, match="not a video"):
            open_source("-")

    def test_that_is_a_terminal(self) -> None:
        controller, terminal = pty.openpty()
        try:
            with standard_input(terminal), pytest.raises(SourceError, match="is a terminal"):
                open_source("-")
        finally:
            os.close(controller)

    def test_whose_writer_falls_silent_is_lost(self, stream_of: Callable[[str], Path]) -> None:
        content = stream_of("ts").read_bytes()
        with piped(content[: len(content) // 2], end=False):
            source = SourceAddress.of("-#timeout=0.3").connection()
            with source, pytest.raises(SourceError, match=r"gave nothing for 0\.3 s"):
                list(source)
            assert source.state == "lost"

    def test_that_gives_nothing_in_time(self) -> None:
        with piped(b"", end=False), pytest.raises(SourceError, match=r"no frame within 0\.2 s"):
            SourceAddress.of("-").open(0.2)

    def test_can_be_interrupted_while_the_writer_is_silent(self) -> None:
        with piped(b"", end=False):
            source = SourceAddress.of("-").connection()
            waker = threading.Timer(0.2, source.interrupt)
            waker.start()
            started = time.monotonic()
            with source, pytest.raises(SourceError, match="interrupted"):
                source.connect()
            waker.join()
            assert time.monotonic() - started < 20
            assert source.state == "ended"

    def test_that_is_closed_midway_ends_its_thread(self, stream_of: Callable[[str], Path]) -> None:
        with piped(stream_of("mkv").read_bytes(), end=False), open_source("-") as source:
            next(source)

    def test_that_is_not_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("fcn_edge.runtime.sources.pipe.STANDARD_INPUT", 1 << 20)
        with pytest.raises(SourceError, match="cannot be read: Bad file descriptor"):
            open_source("-")

    @pytest.mark.parametrize(
        ("options", "message"),
        [("timeout=0", "seconds from 0.1 to 3600"), ("size=3x4", "no option 'size'"), ("loop=2", "no option 'loop'")],
    )
    def test_refuses_options_that_make_no_sense(self, options: str, message: str) -> None:
        with pytest.raises(UsageError, match=message):
            SourceAddress.of(f"-#{options}").connection()

    def test_goes_through_a_run_to_standard_output(
        self, stream_of: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        with piped(stream_of("ts").read_bytes()):
            report = run("-", Segmenter(FakeEngine()), "-")
        assert report.frames == FRAMES
        assert len(capsys.readouterr().out.splitlines()) == FRAMES

    def test_has_a_name_that_takes_options_on_the_command_line(self, stream_of: Callable[[str], Path]) -> None:
        with piped(stream_of("ts").read_bytes()), open_source("/dev/stdin#fps=5") as source:
            assert [frame.index for frame in source] == [0, 5, 10]


class TestNamedPipe:
    def test_gives_every_frame(self, tmp_path: Path, stream_of: Callable[[str], Path]) -> None:
        path = tmp_path / "camera"
        os.mkfifo(path)
        writer = threading.Thread(target=lambda: path.write_bytes(stream_of("ts").read_bytes()))
        with SourceAddress.of(path).connection() as source:
            writer.start()
            assert len(list(source)) == FRAMES
        writer.join()

    def test_that_nobody_writes_to(self, tmp_path: Path) -> None:
        path = tmp_path / "camera"
        os.mkfifo(path)
        with pytest.raises(SourceError, match=r"gave nothing for 0\.2 s"):
            open_source(f"{path}#timeout=0.2")

    def test_of_a_shell(self, stream_of: Callable[[str], Path]) -> None:
        reading, writing = os.pipe()
        content = stream_of("ts").read_bytes()

        def write() -> None:
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(content)

        writer = threading.Thread(target=write)
        writer.start()
        with open_source(f"/dev/fd/{reading}") as source:
            assert len(list(source)) == FRAMES
        writer.join()
        os.close(reading)

    def test_leaves_no_descriptor_and_no_thread(self, tmp_path: Path, stream_of: Callable[[str], Path]) -> None:
        path = tmp_path / "camera"
        os.mkfifo(path)
        content = stream_of("ts").read_bytes()

        def once() -> int:
            writer = threading.Thread(target=lambda: path.write_bytes(content))
            with SourceAddress.of(path).connection() as source:
                writer.start()
                list(source)
            writer.join()
            return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

        assert once() == [once() for _ in range(20)][-1]
