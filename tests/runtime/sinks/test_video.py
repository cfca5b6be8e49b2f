from __future__ import annotations

import dataclasses
import itertools
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from fcn_edge.errors import MachineError
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks import Overlays, SinkContext, open_sink
from fcn_edge.runtime.sinks.backlog import WAITING
from fcn_edge.runtime.sinks.recording import Recording
from fcn_edge.runtime.sinks.video import VideoSink
from fcn_edge.runtime.sinks.video_file import VideoFile
from fcn_edge.runtime.sources import open_source

pytestmark = pytest.mark.usefixtures("no_thread_left")

MakeResult = Callable[..., Result]
CONTEXT = SinkContext(Overlays(), fps=12.5)
LIVE = dataclasses.replace(CONTEXT, live=True)
RATE = 25
KILLED = 2.0
"""Seconds that may be lost when the process is killed."""


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def read_back(path: Path) -> list[Any]:
    with open_source(path) as source:
        return [frame.image for frame in source]


def times_of(path: Path, killed: bool = False) -> list[float]:
    """Seconds at which the frames of a video are shown, decoded by FFmpeg.

    The kill of its writer may have cut the last packet, in the middle of a system call.
    """
    times = []
    with av.open(str(path)) as container, suppress(*[av.error.InvalidDataError] * killed):
        for frame in container.decode(video=0):
            # AVI has no pts: PyAV invents them; no frame is coded out of order
            seconds = float(frame.dts * frame.time_base) if path.suffix == ".avi" else frame.time
            times.append(seconds)
    return times


def at(result: Result, seconds: float | None, captured: float = 0.0) -> Result:
    """A result whose frame has another time."""
    frame = dataclasses.replace(result.frame, time=seconds, captured_ns=round(captured * 1e9))
    return dataclasses.replace(result, frame=frame)


class TestFile:
    @pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv", ".mov", ".m4v", ".MP4"])
    def test_holds_the_overlays(self, tmp_path: Path, make_result: MakeResult, suffix: str) -> None:
        path = tmp_path / f"out{suffix}"
        with open_sink(str(path), CONTEXT) as sink:
            for index in range(10):
                sink.write(at(make_result(index), None))
        assert sink.wrote == (path,)
        with open_source(path) as source:
            assert source.fps == pytest.approx(12.5)
        images = read_back(path)
        assert len(images) == 10
        expected = make_result(9).segmentation.overlay(0.5)
        assert np.abs(images[9][10:-10, 40:].astype(int) - expected[10:-10, 40:]).mean() < 6
        assert names_in(tmp_path) == [path.name]

    @pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi"])
    def test_is_what_browsers_play(self, tmp_path: Path, make_result: MakeResult, suffix: str) -> None:
        with open_sink(str(tmp_path / f"out{suffix}"), CONTEXT) as sink:
            for index in range(3):
                sink.write(at(make_result(index), None))
        with av.open(str(tmp_path / f"out{suffix}")) as container:
            stream = container.streams.video[0]
            context = stream.codec_context
            assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
            assert not context.has_b_frames
            assert (context.colorspace, context.color_range) == (6, 1)  # BT.601, limited
        with open_source(tmp_path / f"out{suffix}") as source:
            assert source.length == 3

    def test_keeps_its_colors(self, tmp_path: Path, make_result: MakeResult) -> None:
        """By the matrix that the file names, which players use."""
        result = make_result(20)
        with open_sink(str(tmp_path / "out.mp4"), CONTEXT) as sink:
            sink.write(result)
        with av.open(str(tmp_path / "out.mp4")) as container:
            decoded = next(container.decode(video=0)).to_ndarray(format="bgr24")
        expected = result.overlay(0.5)
        for columns in (slice(4, 28), slice(36, 60)):
            assert np.abs(decoded[:, columns].mean((0, 1)) - expected[:, columns].mean((0, 1))).max() < 4

    def test_has_its_name_from_the_start_and_no_other(self, tmp_path: Path, make_result: MakeResult) -> None:
        with open_sink(str(tmp_path / "out.mp4"), CONTEXT) as sink:
            for index in range(20):  # five seconds, by the times of the frames
                sink.write(make_result(index))
            assert names_in(tmp_path) == ["out.mp4"]
            assert len(times_of(tmp_path / "out.mp4")) >= 20 - WAITING - 2 * 4

    @pytest.mark.parametrize(("live", "boxes"), [(False, [b"moov"]), (True, [b"moov", b"moof"])])
    def test_is_an_ordinary_mp4_in_the_end_where_the_source_has_an_end(
        self, tmp_path: Path, make_result: MakeResult, live: bool, boxes: list[bytes]
    ) -> None:
        with open_sink(str(tmp_path / "out.mp4"), dataclasses.replace(CONTEXT, live=live)) as sink:
            for index in range(20):
                sink.write(at(make_result(index), index / 4, captured=index / 4))
                time.sleep(0.02 * live)  # a live source that the encoder keeps up with
        content = (tmp_path / "out.mp4").read_bytes()
        found = []
        while content:
            found.append(content[4:8])
            content = content[int.from_bytes(content[:4], "big") :]
        assert [box for box in (b"moov", b"moof") if box in found] == boxes

    def test_is_whole_after_an_error(self, tmp_path: Path, make_result: MakeResult) -> None:
        path = tmp_path / "out.mp4"

        def interrupted() -> None:
            with open_sink(str(path), CONTEXT) as sink:
                for index in range(7):
                    sink.write(make_result(index))
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert len(read_back(path)) == 7
        assert names_in(tmp_path) == ["out.mp4"]

    def test_replaces_an_older_one(self, tmp_path: Path, make_result: MakeResult) -> None:
        path = tmp_path / "out.mp4"
        path.write_bytes(b"older" * 10_000)
        with open_sink(str(path), CONTEXT) as sink:
            assert path.read_bytes()[:5] == b"older"  # until there is a frame
            sink.write(make_result())
        assert len(read_back(path)) == 1
        assert path.stat().st_size < 10_000

    def test_without_a_frame_is_not_made(self, tmp_path: Path) -> None:
        with open_sink(str(tmp_path / "out.mp4"), CONTEXT) as sink:
            sink.close()
        assert (names_in(tmp_path), sink.wrote) == ([], ())

    @pytest.mark.parametrize(("height", "width"), [(49, 65), (1, 1), (33, 2)])
    def test_takes_odd_sizes(self, tmp_path: Path, make_result: MakeResult, height: int, width: int) -> None:
        with open_sink(str(tmp_path / "out.mp4"), CONTEXT) as sink:
            sink.write(make_result(20, height, width))
        (image,) = read_back(tmp_path / "out.mp4")
        assert image.shape == (height + height % 2, width + width % 2, 3)
        expected = make_result(20, height, width).segmentation.overlay(0.5)
        assert abs(float(image[:height, :width].mean()) - float(expected.mean())) < 6

    def test_keeps_its_first_size_and_the_aspect_of_the_others(self, tmp_path: Path, make_result: MakeResult) -> None:
        with open_sink(str(tmp_path / "out.mp4"), CONTEXT) as sink:
            sink.write(make_result(20))
            sink.write(make_result(20, height=96, width=64))
        _, second = read_back(tmp_path / "out.mp4")
        assert second.shape == (48, 64, 3)
        assert second[:, 40:].mean() < 20  # 48x32 to the left, black to the right
        assert second[:, :24].mean() > 60

    @pytest.mark.parametrize("fps", [None, 0.01, 90_000.0])
    def test_plays_at_25_where_the_rate_makes_no_sense(
        self, tmp_path: Path, make_result: MakeResult, fps: float | None
    ) -> None:
        with open_sink(str(tmp_path / "out.mp4"), SinkContext(Overlays(), fps=fps)) as sink:
            sink.write(at(make_result(), None))
            sink.write(at(make_result(1), None))
        with open_source(tmp_path / "out.mp4") as source:
            assert source.fps == 25


class TestTimes:
    GIVEN = (7.0, 7.04, 7.2, 7.201, 8.0, 8.5, 12.25)
    """Of a file of variable rate, which does not begin at 0."""

    @pytest.mark.parametrize(("suffix", "exactness"), [(".mp4", 1 / 90_000), (".mov", 1 / 90_000), (".mkv", 0.001)])
    def test_are_those_of_the_source(
        self, tmp_path: Path, make_result: MakeResult, suffix: str, exactness: float
    ) -> None:
        path = tmp_path / f"out{suffix}"
        with open_sink(str(path), CONTEXT) as sink:
            for index, seconds in enumerate(self.GIVEN):
                sink.write(at(make_result(index), seconds))
        assert times_of(path) == pytest.approx([seconds - 7.0 for seconds in self.GIVEN], abs=exactness)

    def test_are_multiples_of_the_frame_time_in_avi(self, tmp_path: Path, make_result: MakeResult) -> None:
        with open_sink(str(tmp_path / "out.avi"), CONTEXT) as sink:
            for index, seconds in enumerate([0, 0.09, 0.1, 0.8]):
                sink.write(at(make_result(index), seconds))
        assert times_of(tmp_path / "out.avi") == pytest.approx([0, 0.08, 0.16, 0.8], abs=0.001)

    def test_of_an_uneven_source_leave_nothing_out_in_avi(self, tmp_path: Path, make_result: MakeResult) -> None:
        times = [0, 0.04, 0.08, 0.12, 0.16, 2.0]
        context = dataclasses.replace(CONTEXT, fps=3.0, peak_fps=25.0)
        with open_sink(str(tmp_path / "out.avi"), context) as sink:
            for index, seconds in enumerate(times):
                sink.write(at(make_result(index), seconds))
        assert times_of(tmp_path / "out.avi") == pytest.approx(times, abs=0.001)

    def test_are_those_of_the_captures_of_a_camera(self, tmp_path: Path, make_result: MakeResult) -> None:
        captured = [5.0, 5.1, 5.35, 6.0]
        with open_sink(str(tmp_path / "out.mp4"), LIVE) as sink:
            for index, seconds in enumerate(captured):
                sink.write(at(make_result(index), None, seconds))
        assert times_of(tmp_path / "out.mp4") == pytest.approx([0, 0.1, 0.35, 1.0], abs=1 / 90_000)

    def test_begin_with_a_keyframe_each_second(self, tmp_path: Path, make_result: MakeResult) -> None:
        with open_sink(str(tmp_path / "out.mp4"), CONTEXT) as sink:
            for index in range(50):
                sink.write(at(make_result(index % 7), index / 10))
        with av.open(str(tmp_path / "out.mp4")) as container:
            keys = [frame.time for frame in container.decode(video=0) if frame.key_frame]
        assert keys[0] == 0
        assert keys[-1] >= 4
        assert all(after - before <= 1.01 for before, after in itertools.pairwise(keys))


class TestSlow:
    """The encoder or the disk takes longer than the source."""

    @pytest.fixture
    def gate(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
        """Nothing is encoded before it is set."""
        gate, write = threading.Event(), Recording.write

        def gated(self: Recording, image: Any, time_ns: int) -> None:
            assert gate.wait(60)
            write(self, image, time_ns)

        monkeypatch.setattr(Recording, "write", gated)
        yield gate
        gate.set()

    def test_never_keeps_a_camera_waiting_and_counts_what_it_left_out(
        self, tmp_path: Path, make_result: MakeResult, gate: threading.Event
    ) -> None:
        drawn: list[int] = []

        def overlay(result: Result) -> Any:
            drawn.append(result.index)
            return result.overlay()

        with open_sink(str(tmp_path / "out.mp4"), dataclasses.replace(LIVE, overlay=overlay)) as sink:
            for index in range(40):
                sink.write(at(make_result(index), index / 4, index / 4))
            assert sink.dropped == 40 - len(drawn) >= 40 - WAITING - 1
            gate.set()
        assert times_of(tmp_path / "out.mp4") == pytest.approx([index / 4 for index in drawn])

    def test_keeps_a_file_waiting_and_leaves_nothing_out(
        self, tmp_path: Path, make_result: MakeResult, gate: threading.Event
    ) -> None:
        written = 0

        def write() -> None:
            nonlocal written
            for index in range(40):
                sink.write(make_result(index))
                written += 1

        with open_sink(str(tmp_path / "out.mp4"), CONTEXT) as sink:
            writer = threading.Thread(target=write)
            writer.start()
            writer.join(0.3)
            assert writer.is_alive()
            assert written <= WAITING + 1
            gate.set()
            writer.join(60)
        assert (written, sink.dropped) == (40, 0)
        assert len(read_back(tmp_path / "out.mp4")) == 40

    def test_end_is_an_error_and_no_endless_wait(
        self, tmp_path: Path, make_result: MakeResult, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("fcn_edge.runtime.sinks.video.CLOSE_TIMEOUT", 0.1)
        sink = open_sink(str(tmp_path / "out.mp4"), CONTEXT)
        sink.write(make_result())
        with pytest.raises(MachineError) as caught:
            sink.close()
        assert (
            caught.value.message == f"The disk of {tmp_path}/out.mp4 took longer than 0.1 s for the end of the video."
        )
        assert caught.value.fix == "Check it, or write elsewhere."
        gate.set()
        for thread in threading.enumerate():
            if thread.name == "fcn-edge video":
                thread.join(60)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The system lets no file of this process grow beyond this."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def noisy(make_result: MakeResult, index: int) -> Result:
    """A result whose picture takes some kilobytes."""
    result = make_result(index)
    image = np.random.default_rng(index).integers(0, 256, result.frame.image.shape, np.uint8)
    return dataclasses.replace(result, segmentation=dataclasses.replace(result.segmentation, image=image))


def fill(sink: Any, make_result: MakeResult) -> tuple[int, MachineError]:
    """Write until it fails; gives how many frames it took, and the error. Each is a fiftieth of a second."""
    taken = 0
    try:
        for index in range(400):
            sink.write(at(noisy(make_result, index), index / 50))
            taken += 1
    except MachineError as error:
        return taken, error
    raise AssertionError("nothing failed")


class TestDisk:
    @pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
    def test_full_from_the_start(self, tmp_path: Path, make_result: MakeResult, suffix: str) -> None:
        path = tmp_path / f"out{suffix}"
        path.symlink_to("/dev/full")
        sink = VideoSink(path, CONTEXT)  # open_sink refuses devices
        _, error = fill(sink, make_result)
        assert (error.message, bool(error.fix)) == (f"The disk of {path} is full.", True)
        sink.close()  # it was said already
        assert sink.wrote == ()

    @pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
    def test_that_takes_no_more_keeps_what_plays(self, tmp_path: Path, make_result: MakeResult, suffix: str) -> None:
        path = tmp_path / f"out{suffix}"
        # an AVI leaves out what comes faster than its rate
        with open_sink(str(path), dataclasses.replace(CONTEXT, fps=50.0) if suffix == ".avi" else CONTEXT) as sink:
            with largest_file(500_000):
                taken, error = fill(sink, make_result)
            assert taken > 50
            too_large = f"The video {path} became larger than its file system or a limit allows (FAT takes 4 GB)."
            assert error.message == too_large
            assert "--segment" in error.fix
            with pytest.raises(MachineError, match="became larger"):
                sink.write(make_result())
        assert len(times_of(path)) >= taken - WAITING - 1 - 50  # of a fragment, and of what waited
        assert path.stat().st_size <= 500_000

    def test_that_fails_at_the_end_is_said_when_it_is_closed(self, tmp_path: Path, make_result: MakeResult) -> None:
        sink = open_sink(f"{tmp_path}/out.mkv", CONTEXT)
        sink.write(noisy(make_result, 0))
        with largest_file(1000), pytest.raises(MachineError, match="became larger"):
            sink.close()
        sink.close()

    def test_whose_folder_went_away(self, tmp_path: Path, make_result: MakeResult) -> None:
        (tmp_path / "there").mkdir()
        sink = open_sink(f"{tmp_path}/there/out.mp4", CONTEXT)
        (tmp_path / "there").rmdir()
        with pytest.raises(MachineError, match="No such file or directory"), sink:
            sink.write(make_result())

    @pytest.mark.system
    def test_full_midway(self, tmp_path: Path, make_result: MakeResult) -> None:
        command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(tmp_path)]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("no disk can be mounted here")
        try:
            with open_sink(str(tmp_path / "out.mp4"), CONTEXT) as sink:
                taken, error = fill(sink, make_result)
            assert taken > 50
            assert error.message == f"The disk of {tmp_path / 'out.mp4'} is full."
            assert len(times_of(tmp_path / "out.mp4")) >= taken - WAITING - 1 - 50
        finally:
            subprocess.run(["umount", str(tmp_path)], check=True)


WRITER = f"""
import sys
import time
import numpy as np
from fcn_edge.backends.base import Timing
from fcn_edge.runtime.frame import Frame
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.segmentation import Segmentation
from fcn_edge.runtime.sinks import Overlays, SinkContext, open_sink
from fcn_edge.testing.engine import fake_spec

images = np.random.default_rng(1).integers(0, 256, (8, 96, 128, 3), np.uint8)
labels = np.zeros((96, 128), np.uint8)
live = sys.argv[2] == "live"
sink = open_sink(sys.argv[1], SinkContext(Overlays(), {RATE}, live=live))
for index in range(100_000):
    dropped = sink.dropped
    frame = Frame(images[index % 8], index, index * 1_000_000_000 // {RATE}, str(index), time=index / {RATE})
    sink.write(Result(frame, Segmentation(frame.image, labels, fake_spec(), Timing()), 1))
    if sink.dropped == dropped:
        print(index, flush=True)
    time.sleep(0.004 * live)  # ten times as fast as a camera
"""


class TestKill:
    """kill -9: what was handed over more than two seconds of video before plays."""

    def lost_seconds(self, path: Path, kind: str, frames: int) -> float:
        """Write in another process, kill it after so many frames; gives the seconds of video that are lost."""
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path), kind], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            taken = [0]
            while taken[-1] < frames:
                taken.append(int(process.stdout.readline()))
            process.kill()
            taken += map(int, process.stdout.read().splitlines())
        times = times_of(path, killed=True)
        assert times == sorted(set(times))
        # of a camera that is ten times as fast as others, what waits is ten times as much
        return taken[-1 if kind == "file" else -1 - WAITING] / RATE - times[-1]

    # a live source fills the same files from another thread, whatever their kind
    @pytest.mark.parametrize(
        ("suffix", "context"), [*((suffix, CONTEXT) for suffix in (".mp4", ".mov", ".mkv", ".avi")), (".mp4", LIVE)]
    )
    def test_between_any_two_writes_leaves_whole_packets(
        self,
        tmp_path: Path,
        make_result: MakeResult,
        monkeypatch: pytest.MonkeyPatch,
        suffix: str,
        context: SinkContext,
    ) -> None:
        path = tmp_path / f"out{suffix}"
        states = []
        write = VideoFile.write

        def recorded(file: VideoFile, data: bytes) -> int:
            size = write(file, data)
            states.append(path.read_bytes())
            return size

        monkeypatch.setattr(VideoFile, "write", recorded)
        if suffix == ".avi":  # it leaves out what comes faster than its rate
            context = dataclasses.replace(context, fps=60.0)
        with open_sink(str(path), context) as sink:
            for index in range(180):
                sink.write(at(noisy(make_result, index), index / 60, index / 60))
                while context.live and sink._backlog.full:  # type: ignore[attr-defined]
                    time.sleep(0.001)
        assert len(path.read_bytes()) > 280_000
        counts = []
        copy = tmp_path / f"copy{suffix}"
        for state in states[1:]:  # the first one is the header
            copy.write_bytes(state)
            counts.append(len(times_of(copy)))
        assert counts == sorted(counts)
        assert len(set(counts)) >= 3
        assert counts[-1] == 180

    @pytest.mark.parametrize(("suffix", "kind", "frames"), [(".mp4", "file", 90), (".mkv", "live", 130)])
    def test_leaves_what_plays(self, tmp_path: Path, suffix: str, kind: str, frames: int) -> None:
        assert self.lost_seconds(tmp_path / f"out{suffix}", kind, frames) <= KILLED

    @pytest.mark.system
    @pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi"])
    def test_at_ten_moments(self, tmp_path: Path, suffix: str) -> None:
        moments = np.random.default_rng(7).integers(30, 400, 10)
        kinds = itertools.cycle(["file", "live"])
        lost = [
            self.lost_seconds(tmp_path / f"{moment}{suffix}", kind, int(moment))
            for moment, kind in zip(moments, kinds, strict=False)
        ]
        assert max(lost) <= KILLED


def test_opencv_reads_every_frame(tmp_path: Path, make_result: MakeResult) -> None:
    """What `run` itself takes as a SOURCE."""
    with open_sink(str(tmp_path / "out.mp4"), CONTEXT) as sink:
        for index in range(30):
            sink.write(make_result(index))
    capture = cv2.VideoCapture(str(tmp_path / "out.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 30
    capture.release()
