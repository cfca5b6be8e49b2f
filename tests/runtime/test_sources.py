from __future__ import annotations

import math
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest

from fcn_edge.datasets import rendered
from fcn_edge.errors import SourceError, UsageError
from fcn_edge.runtime.sources import Connection, Picture, SourceAddress, open_source
from fcn_edge.runtime.sources.registry import OPTIONS
from fcn_edge.street import Street

Write = Callable[..., Path]


def levels(source: Connection) -> list[int]:
    """Mean gray level of every frame."""
    return [round(float(frame.image.mean())) for frame in source]


class TestVideo:
    def test_gives_every_frame_in_order(self, video: Path) -> None:
        with open_source(video) as source:
            assert (source.live, source.fps, source.size, source.length) == (False, 12.5, (48, 64), 20)
            frames = list(source)
        assert [frame.index for frame in frames] == list(range(20))
        assert [frame.name for frame in frames[:2]] == ["000000", "000001"]
        assert np.allclose([frame.image.mean() for frame in frames], np.arange(20) * 10, atol=4)
        times = [frame.captured_ns for frame in frames]
        assert times == sorted(times)
        assert [frame.time for frame in frames] == pytest.approx([index / 12.5 for index in range(20)])
        assert {frame.source for frame in frames} == {str(video)}
        assert source.files == {video.resolve()}

    def test_reads_all_of_a_real_drive(self, shared: Path) -> None:
        with open_source(shared / "data" / "video" / "solidWhiteRight.mp4") as source:
            assert (source.fps, source.size, source.length) == (25.0, (540, 960), 221)
            assert next(source).image.shape == (540, 960, 3)

    @pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
    def test_takes_names_that_look_like_something_else(self, tmp_path: Path, write_video: Write, suffix: str) -> None:
        path = write_video(tmp_path / f"a:b%03d[1] 7{suffix}", 5)
        with open_source(f"file://{str(path).replace('%', '%25')}") as source:
            assert len(levels(source)) == 5

    def test_that_is_cut_off_gives_its_frames_and_then_says_so(self, tmp_path: Path, write_video: Write) -> None:
        content = write_video(tmp_path / "whole.avi", 60).read_bytes()
        cut = tmp_path / "cut.avi"
        cut.write_bytes(content[: len(content) * 7 // 10])
        with open_source(cut) as source:
            seen: list[int] = []
            with pytest.raises(SourceError, match=rf"{cut} ends after \d+ of 60 frames") as caught:
                seen.extend(frame.index for frame in source)
        assert 10 < len(seen) < 60
        assert f"after {len(seen)} of" in caught.value.message
        assert caught.value.exit_code == 5

    @pytest.mark.parametrize("content", [b"", b"hello" * 400])
    def test_that_is_none(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "no.mp4"
        path.write_bytes(content)
        with pytest.raises(SourceError, match=rf"{path} is not a video"):
            open_source(path)

    def test_without_its_index_at_the_end(self, tmp_path: Path, video: Path) -> None:
        path = tmp_path / "cut.mp4"
        path.write_bytes(video.read_bytes()[:-200])
        with pytest.raises(SourceError, match="or is cut off"):
            open_source(path)

    def test_without_frames(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, video: Path) -> None:
        monkeypatch.setattr("fcn_edge.runtime.sources.video.has_pyav", lambda: False)
        monkeypatch.setattr(cv2, "VideoCapture", FakeCapture.giving(0))
        with pytest.raises(SourceError, match=f"{video} holds no frame"):
            open_source(video)

    def test_may_change_its_size_midway(self, tmp_path: Path, write_image: Write) -> None:
        write_image(tmp_path / "a.png")
        cv2.imwrite(str(tmp_path / "b.png"), np.zeros((31, 7, 3), np.uint8))
        with open_source(tmp_path) as source:
            assert source.size == (48, 64)
            assert [frame.image.shape for frame in source] == [(48, 64, 3), (31, 7, 3)]


class TestImages:
    @pytest.mark.parametrize("suffix", [".png", ".PNG", ".jpg", ".bmp"])
    def test_one(self, tmp_path: Path, write_image: Write, suffix: str) -> None:
        path = write_image(tmp_path / f"photo{suffix}")
        with open_source(str(path)) as source:
            (frame,) = source
        assert (source.size, source.length, source.live, source.fps) == ((48, 64), 1, False, None)
        assert (frame.name, frame.image.shape, frame.time) == ("photo", (48, 64, 3), None)

    def test_gray_and_transparent_ones_become_bgr(self, tmp_path: Path) -> None:
        cv2.imwrite(str(tmp_path / "a.png"), np.zeros((4, 5), np.uint8))
        cv2.imwrite(str(tmp_path / "b.png"), np.zeros((4, 5, 4), np.uint8))
        with open_source(tmp_path) as source:
            assert {(frame.image.shape, frame.image.dtype.name) for frame in source} == {((4, 5, 3), "uint8")}

    def test_a_folder_is_sorted_and_other_files_are_left_out(self, tmp_path: Path, write_image: Write) -> None:
        for level, name in enumerate(("b.png", "a.png", "c.png")):
            write_image(tmp_path / name, 50 * level)
        (tmp_path / "notes.txt").write_text("no image")
        (tmp_path / ".c.png.12.tmp.png").write_text("hidden")
        (tmp_path / "d.png").mkdir()
        with open_source(tmp_path) as source:
            assert source.length == 3
            assert [(frame.name, int(frame.image[0, 0, 0])) for frame in source] == [("a", 50), ("b", 0), ("c", 100)]
        assert source.files == {(tmp_path / name).resolve() for name in ("a.png", "b.png", "c.png")}

    def test_that_share_a_stem_keep_their_suffix(self, tmp_path: Path, write_image: Write) -> None:
        for name in ("a.png", "a.jpg", "b.png"):
            write_image(tmp_path / name)
        with open_source(tmp_path) as source:
            assert [frame.name for frame in source] == ["a.jpg", "a.png", "b"]

    def test_broken_ones_are_named_and_keep_none_back(
        self, tmp_path: Path, write_image: Write, caplog: pytest.LogCaptureFixture
    ) -> None:
        for name in ("b.png", "d.png", "f.png"):
            write_image(tmp_path / name)
        for name in ("a.png", "c.png", "e.png", "g.png"):  # also the first and the last
            (tmp_path / name).write_bytes((tmp_path / "b.png").read_bytes()[:60])
        seen: list[str] = []
        with open_source(tmp_path) as source, pytest.raises(SourceError) as caught:
            seen.extend(frame.name for frame in source)
        assert seen == ["b", "d", "f"]
        assert caught.value.message == (f"4 of 7 images of {tmp_path} cannot be read: a.png, c.png, e.png and 1 more.")
        assert (source.damaged, source.length) == (4, 7)
        assert [str(tmp_path / name) in caplog.text for name in ("a.png", "c.png", "e.png", "g.png")] == [True] * 4

    def test_where_all_are_broken_it_cannot_be_opened(self, tmp_path: Path) -> None:
        for name in ("a.png", "b.jpg"):
            (tmp_path / name).write_bytes(b"no image")
        with pytest.raises(SourceError, match=r"2 of 2 images of .* cannot be read: a.png, b.jpg\.") as caught:
            open_source(tmp_path)
        assert (caught.value.exit_code, caught.value.fix) == (5, "Replace or remove them.")

    def test_too_large_for_opencv_is_a_source_error(
        self, tmp_path: Path, write_image: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def too_large(*_: Any) -> None:
            raise cv2.error("too many pixels")

        path = write_image(tmp_path / "a.png")
        monkeypatch.setattr(cv2, "imdecode", too_large)
        with pytest.raises(SourceError, match=str(path)):
            open_source(path)

    def test_a_folder_without_any(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="holds no image"):
            open_source(tmp_path)
        (tmp_path / "images").mkdir()
        with pytest.raises(SourceError) as caught:
            open_source(tmp_path)
        assert str(tmp_path / "images") in caught.value.fix


class TestStreet:
    def test_is_the_rendered_street_with_its_labels(self) -> None:
        with open_source("synthetic://street?seed=3&size=64x96&frames=2&fps=10") as source:
            assert (source.live, source.fps, source.size, source.length) == (False, 10.0, (64, 96), 2)
            assert source.classes == Street.classes
            frames = list(source)
        assert [frame.time for frame in frames] == [0.0, 0.1]
        for frame, (image, labels) in zip(frames, Street(3, (64, 96), 2, 10.0), strict=True):
            assert np.array_equal(frame.image, image)
            assert frame.labels is not None
            assert np.array_equal(frame.labels, labels)

    @pytest.mark.parametrize(
        "text",
        [
            "synthetic://city",
            "synthetic://",
            "synthetic://street?sead=1",
            "synthetic://street?seed=-1",
            "synthetic://street?frames=0",
            "synthetic://street?size=8x8",
            "synthetic://street?size=480",
            "synthetic://street?fps=0",
            "synthetic://street?fps=nan",
        ],
    )
    def test_refuses_what_makes_no_sense(self, text: str) -> None:
        with pytest.raises(UsageError) as caught:
            open_source(text)
        assert text in caught.value.message
        assert caught.value.fix


class FakeCapture:
    """Stands for ``cv2.VideoCapture``: gives a number of frames, then none."""

    frames = 0
    settings: ClassVar[dict[int, float]] = {}
    released = False

    @classmethod
    def giving(cls, frames: int, read: Callable[[], object] = lambda: None) -> type[FakeCapture]:
        """A capture that calls ``read`` before it gives a frame."""
        return type("Capture", (cls,), {"frames": frames, "settings": {}, "before": staticmethod(read)})

    @staticmethod
    def before() -> None:
        pass

    def __init__(self, *_: Any) -> None:
        self.left = self.frames

    def isOpened(self) -> bool:
        return self.frames >= 0

    def stamp(self) -> float:
        """Milliseconds of the kernel's clock; 0 where there is none."""
        return 0.0

    def get(self, key: int) -> float:
        if key == cv2.CAP_PROP_POS_MSEC:
            return self.stamp()
        return 30.0 if key == cv2.CAP_PROP_FPS else 0.0

    def set(self, key: int, value: float) -> bool:
        type(self).settings[key] = value
        return True

    def read(self) -> tuple[bool, Any]:
        self.before()
        self.left -= 1
        level = self.frames - self.left
        return (True, np.full((48, 64, 3), level, np.uint8)) if self.left >= 0 else (False, None)

    def release(self) -> None:
        type(self).released = True


@pytest.mark.usefixtures("no_thread_left")
class TestCamera:
    @pytest.fixture
    def device(self, tmp_path: Path) -> str:
        """A URI of a device that is there."""
        path = tmp_path / "video0"
        path.touch()
        return f"v4l2://{path}"

    def test_is_live_and_says_when_it_is_lost(self, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
        turns: queue.SimpleQueue[None] = queue.SimpleQueue()
        capture = FakeCapture.giving(4, turns.get)
        monkeypatch.setattr(cv2, "VideoCapture", capture)
        turns.put(None)  # the one that is read when it is connected is old by the time of the first read
        with open_source(device) as source:
            assert (source.live, source.fps, source.size, source.length) == (True, 30.0, (48, 64), None)
            for expected in range(3):
                turns.put(None)
                frame = next(source)
                assert (frame.index, int(frame.image[0, 0, 0]), frame.time) == (expected, expected + 2, None)
            assert source.read(0.05) is None
            assert source.state == "live"
            turns.put(None)
            with pytest.raises(SourceError, match="was lost"):
                next(source)
            assert source.state == "lost"
        assert source.state == "lost"
        assert capture.released

    def test_gives_the_newest_frame_and_counts_the_dropped(self, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
        read = threading.Semaphore(7)
        all_read = threading.Event()

        def take_turn() -> None:
            if not read.acquire(blocking=False):
                all_read.set()
                read.acquire()

        monkeypatch.setattr(cv2, "VideoCapture", FakeCapture.giving(7, take_turn))
        with open_source(device) as source:
            assert all_read.wait(60)
            frame = next(source)
            assert (frame.index, int(frame.image[0, 0, 0])) == (5, 7)
            assert source.dropped == 5
            read.release()

    def test_carries_the_time_at_which_it_was_captured(self, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
        turns: queue.SimpleQueue[None] = queue.SimpleQueue()
        monkeypatch.setattr(cv2, "VideoCapture", FakeCapture.giving(2, turns.get))
        turns.put(None)
        with open_source(device) as source:
            before = time.monotonic_ns(), time.time_ns()
            turns.put(None)
            while not source._pictures._items.qsize():  # type: ignore[attr-defined]
                time.sleep(0.001)
            after = time.monotonic_ns(), time.time_ns()
            frame = next(source)
            assert before[0] <= frame.captured_ns <= after[0]
            assert before[1] <= frame.captured_unix_ns <= after[1]
            turns.put(None)

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="V4L2 is Linux's")
    @pytest.mark.parametrize(
        ("shift_ms", "believed"), [(-20.0, True), (-3_600_000.0, False), (500.0, False), (math.nan, False)]
    )
    def test_takes_the_kernels_time_where_it_can_be_right(
        self, device: str, monkeypatch: pytest.MonkeyPatch, shift_ms: float, believed: bool
    ) -> None:
        turns: queue.SimpleQueue[None] = queue.SimpleQueue()
        capture = FakeCapture.giving(2, turns.get)
        stamps: list[float] = []

        def stamp(_capture: FakeCapture) -> float:
            stamps.append(time.monotonic_ns() / 1e6 + shift_ms)
            return stamps[-1]

        monkeypatch.setattr(capture, "stamp", stamp)
        monkeypatch.setattr(cv2, "VideoCapture", capture)
        turns.put(None)
        with open_source(device) as source:
            time.sleep(0.05)  # the frame waits in the kernel for a part of this
            turns.put(None)
            frame = next(source)
            after = time.monotonic_ns(), time.time_ns()
            if believed:
                assert frame.captured_ns == round(stamps[0] * 1e6)
                assert after[1] - frame.captured_unix_ns == pytest.approx(after[0] - frame.captured_ns, abs=1e9)
            else:
                assert after[0] - frame.captured_ns >= 0
                assert frame.captured_ns != round(stamps[0] * 1e6 if math.isfinite(shift_ms) else 0)
            turns.put(None)

    def test_that_does_not_answer_is_given_up_and_released_when_it_does(
        self, device: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("fcn_edge.runtime.sources.camera.CLOSE_TIMEOUT", 0.0)
        stuck = threading.Event()
        capture = FakeCapture.giving(3, lambda: stuck.wait(60))
        monkeypatch.setattr(cv2, "VideoCapture", capture)
        connection = SourceAddress.of(device).connection()
        with pytest.raises(SourceError, match=r"did not answer within 0\.2 s"):
            connection.connect(0.2)
        assert connection.state == "lost"
        stuck.set()
        connection._thread.join(60)  # type: ignore[attr-defined]
        assert capture.released

    def test_that_does_not_answer_can_be_interrupted(self, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
        asked, stuck = threading.Event(), threading.Event()

        def wait() -> None:
            asked.set()
            stuck.wait(60)

        monkeypatch.setattr("fcn_edge.runtime.sources.camera.CLOSE_TIMEOUT", 0.0)
        monkeypatch.setattr(cv2, "VideoCapture", FakeCapture.giving(3, wait))
        connection = SourceAddress.of(device).connection()
        interrupter = threading.Thread(target=lambda: (asked.wait(60), connection.interrupt()))
        interrupter.start()
        with pytest.raises(SourceError, match="interrupted"):
            connection.connect()
        interrupter.join()
        assert connection.state == "ended"
        stuck.set()
        connection._thread.join(60)  # type: ignore[attr-defined]

    def test_is_asked_for_a_size_and_rate(self, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
        capture = FakeCapture.giving(4)
        monkeypatch.setattr(cv2, "VideoCapture", capture)
        open_source(f"{device}#size=720x1280&fps=30").close()
        assert capture.settings[cv2.CAP_PROP_FRAME_HEIGHT] == 720
        assert capture.settings[cv2.CAP_PROP_FRAME_WIDTH] == 1280
        assert capture.settings[cv2.CAP_PROP_FPS] == 30

    def test_that_is_busy(self, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cv2, "VideoCapture", FakeCapture.giving(-1))
        with pytest.raises(SourceError, match="in use"):
            open_source(device)

    def test_that_gives_nothing(self, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cv2, "VideoCapture", FakeCapture.giving(0))
        with pytest.raises(SourceError, match="gives no frame"):
            open_source(device)

    def test_that_may_not_be_used(self, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("os.access", lambda *_: False)
        with pytest.raises(SourceError, match="may not be used") as caught:
            open_source(device)
        assert "usermod" in caught.value.fix

    @pytest.mark.parametrize(
        "text", ["97", 97, "/dev/video97", "v4l2:///dev/video97", "v4l2://97", "97#fps=30&size=480x640"]
    )
    def test_that_is_absent(self, text: str | int) -> None:
        with pytest.raises(SourceError, match="There is no camera /dev/video97"):
            open_source(text)

    def test_what_a_shell_has_opened_is_none(self, video: Path) -> None:
        with video.open("rb") as file, open_source(f"/dev/fd/{file.fileno()}") as source:
            assert len(list(source)) == 20

    def test_that_is_no_camera(self) -> None:
        with pytest.raises(SourceError, match="no capture device"):
            open_source("/dev/null")

    @pytest.mark.parametrize(
        ("options", "message"),
        [("size=480", "480x640"), ("fps=0", "positive"), ("fps=fast", "positive"), ("seed=3", "no option 'seed'")],
    )
    def test_refuses_options_that_make_no_sense(self, device: str, options: str, message: str) -> None:
        with pytest.raises(UsageError, match=message) as caught:
            SourceAddress.of(f"{device}#{options}").connection()
        assert "could not convert" not in str(caught.value)


class TestConnection:
    def test_touches_nothing_until_it_is_connected(self, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def opened(*_: Any) -> None:
            raise AssertionError("it was opened")

        monkeypatch.setattr(cv2, "VideoCapture", opened)
        monkeypatch.setattr("fcn_edge.runtime.sources.video.PyAvReader", opened)
        device = video.parent / "video7"
        device.touch()
        for text in (str(video), f"v4l2://{device}", "synthetic://street"):
            with SourceAddress.of(text).connection() as connection:
                assert connection.state == "idle"
            assert connection.state == "ended"

    def test_is_connected_when_it_is_read_and_ends(self, write_image: Write, tmp_path: Path) -> None:
        write_image(tmp_path / "a.png")
        with SourceAddress.of(tmp_path).connection() as connection:
            frame = connection.read()
            assert frame is not None
            assert frame.name == "a"
            assert connection.state == "live"
            assert connection.read() is None
            assert connection.state == "ended"
            assert connection.read(1.0) is None
            with pytest.raises(SourceError, match="has ended"):
                connection.connect()

    def test_that_was_closed_has_ended_though_it_was_never_connected(self, video: Path) -> None:
        connection = SourceAddress.of(video).connection()
        connection.close()
        connection.close()
        assert connection.state == "ended"
        assert connection.read() is None
        assert list(connection) == []
        with pytest.raises(SourceError, match="has ended"):
            connection.connect()

    def test_that_failed_is_lost(self, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        path.write_bytes(b"no image")
        connection = SourceAddress.of(path).connection()
        with pytest.raises(SourceError, match="not an image"):
            connection.connect()
        assert connection.state == "lost"
        connection.close()
        assert connection.state == "lost"
        with pytest.raises(SourceError, match="has ended"):
            connection.read()

    def test_that_a_library_fails_in_is_lost_too(self) -> None:
        source = Silent("silent://")
        source.fails = True
        with pytest.raises(cv2.error):
            source.read()
        assert source.state == "lost"

    def test_that_was_interrupted_gives_nothing_more(self, video: Path) -> None:
        with open_source(video) as source:
            next(source)
            source.interrupt()
            source.interrupt()
            assert source.read() is None
            assert source.state == "ended"
            assert list(source) == []
        connection = SourceAddress.of(video).connection()
        connection.interrupt()
        assert connection.read() is None
        with pytest.raises(SourceError, match="has ended"):
            connection.connect()

    def test_a_read_that_waits_is_woken_from_another_thread(self) -> None:
        source = Silent("silent://")
        waker = threading.Thread(target=lambda: (source.asked.wait(60), source.interrupt()))
        waker.start()
        assert source.read() is None
        waker.join()
        assert source.state == "ended"

    def test_a_read_that_gets_nothing_in_time_says_none_and_stays_live(self) -> None:
        source = Silent("silent://")
        for timeout in (0.0, 0.05, 0.25):
            assert source.read(timeout) is None
            assert source.state == "live"

    def test_a_replay_gives_the_old_times_back(self) -> None:
        source = Silent("recording://")
        source.pictures = [Picture(np.zeros((4, 6, 3), np.uint8), time=3.5, index=40, captured_unix_ns=12)]
        before = time.monotonic_ns()
        frame = next(source)
        assert (frame.time, frame.index, frame.captured_unix_ns, frame.name) == (3.5, 40, 12, "000040")
        assert frame.captured_ns >= before  # what latencies count from is now


class Silent(Connection):
    """Gives a list of pictures, and then nothing and no end."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.asked = threading.Event()
        self.pictures: list[Picture] = []
        self.fails = False

    def _connect(self, timeout: float | None) -> None:
        pass

    def _next(self, timeout: float) -> Picture | None:
        if self.fails:
            raise cv2.error("no memory")
        if self.pictures:
            return self.pictures.pop(0)
        self.asked.set()
        time.sleep(timeout)
        return None


class TestAddress:
    @pytest.mark.parametrize(
        ("text", "location", "options"),
        [
            ("/dev/video0#size=720x1280&fps=30", "/dev/video0", {"size": "720x1280", "fps": "30"}),
            ("0#fps=30", "0", {"fps": "30"}),
            ("rtsp://u:p@cam/x?channel=1&size=2", "rtsp://u:p@cam/x?channel=1&size=2", {}),
            ("rtsp://cam/x?a=%20b#t=1#fps=5", "rtsp://cam/x?a=%20b#t=1", {"fps": "5"}),
            ("rtsp://cam/x#track=1&fps=5", "rtsp://cam/x#track=1&fps=5", {}),
            ("synthetic://street?seed=3#frames=2", "synthetic://street", {"seed": "3", "frames": "2"}),
            ("gst://videotestsrc ! x#fps=5", "gst://videotestsrc ! x#fps=5", {}),
        ],
    )
    def test_options_are_ours_and_the_rest_is_the_cameras(
        self, text: str, location: str, options: dict[str, str]
    ) -> None:
        address = SourceAddress.of(text)
        assert (address.location, dict(address.options)) == (location, options)

    def test_a_street_takes_options_in_either_place(self) -> None:
        with open_source("synthetic://street?size=64x96#frames=2&seed=3") as source:
            assert (source.size, source.length) == ((64, 96), 2)
            assert np.array_equal(next(source).image, Street(3, (64, 96), 2).frame(0)[0])
        with pytest.raises(UsageError, match="'seed' twice"):
            SourceAddress.of("synthetic://street?seed=1#seed=2")

    def test_every_option_of_the_street_is_known(self) -> None:
        assert rendered.DEFAULTS.keys() <= OPTIONS

    def test_options_of_cameras_are_not_those_of_files(self, video: Path) -> None:
        with pytest.raises(UsageError, match="no option 'size'") as caught:
            open_source(f"{video}#size=48x64")
        assert "loop, fps, bits, roi, flip" in caught.value.fix

    def test_a_file_of_that_very_name_wins(self, tmp_path: Path, write_image: Write) -> None:
        path = write_image(tmp_path / "a#fps=5.png")
        for text in (str(path), f"file://{path}"):
            with open_source(text) as source:
                assert source.files == {path.resolve()}
                assert source.id == text

    def test_opens_what_it_names(self, video: Path) -> None:
        with SourceAddress.of(video).open() as source:
            assert source.state == "live"
            assert source.address == SourceAddress.of(str(video))


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://user:secret@127.0.0.1:1/x?channel=1",
        "rtsp:/user:secret@cam/x",
        "user:secret@cam",
        "x" * 300 + ":secret@y",
    ],
)
def test_no_error_shows_a_password(text: str) -> None:
    with pytest.raises((SourceError, UsageError)) as caught:
        open_source(text)
    assert "secret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("text", ["udp://@:5000", "ftp://x/y.mp4"])
def test_other_kinds_are_refused_with_what_there_is(text: str) -> None:
    with pytest.raises(UsageError, match="this version does not read") as caught:
        open_source(text)
    assert "synthetic://street" in caught.value.fix


@pytest.mark.parametrize("text", ["nothing.mp4", "", "no/such/folder", "file:///no/such.png"])
def test_a_missing_file_is_a_source_error(text: str) -> None:
    with pytest.raises(SourceError, match="no file or folder") as caught:
        open_source(text)
    assert caught.value.exit_code == 5


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(SourceError, match="cannot be read: File name too long"):
        open_source("x" * 300)


def test_a_folder_in_shared_memory_is_no_camera() -> None:
    with pytest.raises(SourceError, match="There is no file"):
        open_source("/dev/shm/no-such-folder/clip.mp4")
