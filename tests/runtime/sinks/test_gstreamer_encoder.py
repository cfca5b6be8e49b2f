"""The encoder in GStreamer's child process, with children that are played."""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.errors import MachineError, MissingExtraError, UsageError
from fcn_edge.runtime import gstreamer_child
from fcn_edge.runtime.outputs import Outputs
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks import Overlays, SinkContext, check_series, checked_sinks, of_source, open_sink
from fcn_edge.runtime.sinks.encoders import choice as choices
from fcn_edge.runtime.sinks.encoders import gstreamer as module
from fcn_edge.runtime.sinks.encoders.base import EncoderError, VideoBegin
from fcn_edge.runtime.sinks.encoders.choice import Choice, chosen, problem_of
from fcn_edge.runtime.sinks.encoders.elements import BOARD, ELEMENTS, encoder_pipeline
from fcn_edge.runtime.sinks.encoders.failures import told
from fcn_edge.runtime.sinks.encoders.gstreamer import GStreamerEncoder, aligned
from fcn_edge.runtime.sinks.encoders.libvpx import LibvpxEncoder
from fcn_edge.runtime.sinks.encoders.libx264 import Libx264Encoder
from fcn_edge.runtime.sinks.encoders.process import WORKER
from fcn_edge.runtime.sinks.recording import Recording
from fcn_edge.runtime.sinks.segments import Segments
from fcn_edge.runtime.sinks.video import VideoSink

MakeResult = Callable[..., Result]
CONTEXT = SinkContext(Overlays(), fps=25)
SIZE = (48, 64)
PICTURES = 100

CHILD = f"""
import base64, io, json, os, signal, sys, time
sys.path.append({str(WORKER.parent)!r})
from encoder_records import PICTURE, UNIT
from worker import Writer, read
writer, asked = Writer(int(sys.argv[1])), json.loads(io.FileIO(0, closefd=False).readline())
units = [base64.b64decode(line) for line in open(os.path.join(os.path.dirname(__file__), "units"))]
def pictures():
    number = 0
    while len(header := read(PICTURE.size)) == PICTURE.size:
        _, time_ns, keyframe, size = PICTURE.unpack(header)
        assert len(read(size)) == size
        yield number, time_ns, keyframe
        number += 1
def give(number, time_ns):
    writer.record(UNIT, time_ns, number % 25 == 0, units[number])
writer.message(kind="ready")
"""
ORDERLY = "for number, time_ns, _ in pictures(): give(number, time_ns)\n"
SLOW = """
held = []
for number, time_ns, _ in pictures():
    held.append((number, time_ns))
    if number == 19: time.sleep({seconds})
    if not 2 < number < 19:
        for one in held: give(*one)
        held.clear()
"""

Play = Callable[..., GStreamerEncoder]


@pytest.fixture(scope="module")
def units() -> list[bytes]:
    """Access units of a video, with a keyframe each 25."""
    context: Any = av.CodecContext.create("libx264", "w")
    context.height, context.width = SIZE
    context.pix_fmt, context.time_base = "yuv420p", Fraction(1, 25)
    context.options = {"tune": "zerolatency", "x264-params": "keyint=25:scenecut=0"}
    packets = []
    for index in range(PICTURES):
        frame: Any = av.VideoFrame.from_ndarray(planes(index), format="yuv420p")
        frame.pts = index
        packets += context.encode(frame)
    return [bytes(packet) for packet in packets]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine makes no encoder look like one that holds pictures back."""
    monkeypatch.setattr(module, "FIRST_PATIENCE", 60.0)
    monkeypatch.setattr(module, "PATIENCE", 60.0)
    monkeypatch.setattr(module, "TIMEOUT", 60.0)


@pytest.fixture
def play(tmp_path: Path, units: list[bytes]) -> Play:
    """An encoder whose child runs this text."""
    folder = tmp_path / "child"
    folder.mkdir()
    (folder / "units").write_text("".join(base64.b64encode(unit).decode() + "\n" for unit in units))

    def encoder(text: str = ORDERLY) -> GStreamerEncoder:
        (folder / "program.py").write_text(CHILD + text)
        return GStreamerEncoder("x264enc", sys.executable, folder / "program.py")

    return encoder


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def planes(index: int) -> NDArray[np.uint8]:
    return np.full((SIZE[0] * 3 // 2, SIZE[1]), 4 * index % 256, np.uint8)


def recorded(
    path: Path,
    encoder: GStreamerEncoder,
    count: int = 50,
    *,
    spare: bool = False,
    segments: Segments | None = None,
    seconds: float = 1.0,
) -> list[Path]:
    """Write so many pictures, 25 a second."""
    choice = Choice("played", lambda: encoder, Libx264Encoder if spare else None)
    recording = Recording(path, 25, False, choice, segments, None if segments is None else seconds)
    try:
        for index in range(count):
            recording.write(np.full((*SIZE, 3), 5 * index % 256, np.uint8), index * 40_000_000)
        recording.close()
    finally:
        recording.give_up()
    return recording.files


@contextmanager
def begun(encoder: GStreamerEncoder) -> Iterator[GStreamerEncoder]:
    """With a file that nobody keeps; the time base is a picture's time."""
    with av.open(os.devnull, "w", format="mp4") as container, encoder:
        encoder.begin(VideoBegin(container, SIZE, Fraction(25), Fraction(1, 25)))
        yield encoder


def limits(monkeypatch: pytest.MonkeyPatch, **seconds: float) -> None:
    for name, value in seconds.items():
        monkeypatch.setattr(module, name, value)


def seen(path: Path) -> list[tuple[float, bool]]:
    """Time and kind of each frame."""
    with av.open(str(path)) as container:
        return [(frame.time, frame.key_frame) for frame in container.decode(video=0)]


def even_times(count: int) -> list[tuple[float, bool]]:
    return [(pytest.approx(index / 25), index % 25 == 0) for index in range(count)]


class TestChild:
    def test_encodes_every_picture_with_its_time(self, tmp_path: Path, play: Play) -> None:
        encoder = play()
        recorded(tmp_path / "out.mp4", encoder)
        assert seen(tmp_path / "out.mp4") == even_times(50)
        assert encoder.pid is None

    def test_may_hold_pictures_back(self, tmp_path: Path, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "FIRST_PATIENCE", 0.02)
        monkeypatch.setattr(module, "PATIENCE", 0.02)
        text = "held = []\nfor number, time_ns, _ in pictures():\n    held.append((number, time_ns))\n"
        text += "    if len(held) > 3: give(*held.pop(0))\nfor one in held: give(*one)\nwriter.message(kind='end')\n"
        recorded(tmp_path / "out.mp4", play(text))
        assert seen(tmp_path / "out.mp4") == even_times(50)

    def test_may_leave_a_picture_out(self, tmp_path: Path, play: Play) -> None:
        text = "for number, time_ns, _ in pictures():\n    if number != 7: give(number, time_ns)\n"
        recorded(tmp_path / "out.mp4", play(text))
        times = [time for time, _ in seen(tmp_path / "out.mp4")]
        assert times == pytest.approx([index / 25 for index in range(50) if index != 7])

    @pytest.mark.parametrize(
        ("seconds", "lengths", "starts"),
        [(1.0, [25, 25], 2), (2.0, [50, 25], 1)],
    )
    @pytest.mark.usefixtures("patient")
    def test_is_kept_from_file_to_file_where_it_makes_keyframes_when_asked(
        self, tmp_path: Path, play: Play, seconds: float, lengths: list[int], starts: int
    ) -> None:
        text = f"open({str(tmp_path / 'starts')!r}, 'a').write('x')\n"
        path = tmp_path / "out.mp4"
        files = recorded(path, play(text + ORDERLY), sum(lengths), segments=Segments(path), seconds=seconds)
        assert [len(seen(file)) for file in files] == lengths
        assert (tmp_path / "starts").read_text() == "x" * starts

    @pytest.mark.usefixtures("patient")
    def test_is_another_one_where_the_size_changes(self, tmp_path: Path, play: Play) -> None:
        text = f"open({str(tmp_path / 'starts')!r}, 'a').write('x')\n"
        path, encoder = tmp_path / "out.mp4", play(text + ORDERLY)
        recording = Recording(path, 25, False, Choice("played", lambda: encoder), Segments(path), 2.0)
        for index in range(150):
            size = SIZE if index < 100 else (2 * SIZE[0], 2 * SIZE[1])
            recording.write(np.zeros((*size, 3), np.uint8), index * 40_000_000)
        recording.close()
        assert [len(seen(file)) for file in recording.files] == [50, 50, 50]
        assert (tmp_path / "starts").read_text() == "xx"

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("os.kill(os.getpid(), signal.SIGKILL)", "is gone: its process was ended by SIGKILL"),
            ("sys.exit(3)", "is gone: its process ended with status 3"),
            ("give(0, 10**15)", "sent what it was not given"),
            ("writer.record(UNIT, 0, True, b'no video at all')", "sent what is no H.264"),
            ("writer.record(UNIT, 0, False, units[1])", "did not begin with a keyframe"),
            ("os.write(writer.answers.fd, b'what is this, please?' * 9)", "sent what makes no sense"),
            ("writer.message(kind='error', domain='gst-stream-error-quark', code=1, factory='x')", "or failed"),
        ],
    )
    def test_that_fails_is_one_sentence_and_leaves_no_file(
        self, tmp_path: Path, play: Play, text: str, says: str
    ) -> None:
        encoder = play(text)
        with pytest.raises(EncoderError, match=says) as caught:
            recorded(tmp_path / "out.mp4", encoder)
        assert "#encoder=libx264" in caught.value.fix
        assert not (tmp_path / "out.mp4").exists()
        assert encoder.pid is None

    def test_that_hangs_is_given_up(self, tmp_path: Path, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
        for limit, seconds in (("TIMEOUT", 0.2), ("FIRST_PATIENCE", 0.05), ("PATIENCE", 0.01), ("GRACE", 0.05)):
            monkeypatch.setattr(module, limit, seconds)
        encoder = play("for _ in pictures(): pass\ntime.sleep(60)")
        with pytest.raises(EncoderError, match=r"gave nothing for 0\.2 s"):
            recorded(tmp_path / "out.mp4", encoder)
        assert encoder.pid is None

    def test_that_does_not_start_is_given_its_own_time(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        limits(monkeypatch, START_TIMEOUT=0.2, GRACE=0.05)
        (tmp_path / "program.py").write_text("import time\ntime.sleep(60)")
        with pytest.raises(EncoderError, match=r"gave nothing for 0\.2 s"):
            recorded(tmp_path / "out.mp4", GStreamerEncoder("x264enc", sys.executable, tmp_path / "program.py"))

    def test_that_hangs_has_its_time_once_and_not_for_each_picture(
        self, play: Play, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        limits(monkeypatch, TIMEOUT=0.5, FIRST_PATIENCE=0.2, PATIENCE=0.2, GRACE=0.05)
        taken = []
        with begun(play("for _ in pictures(): pass\ntime.sleep(60)")) as encoder:

            def encode() -> None:
                for index in range(20):
                    encoder.encode(planes(index), index, False)
                    taken.append(index)

            with pytest.raises(EncoderError, match=r"gave nothing for 0\.5 s"):
                encode()
        assert len(taken) <= 3

    def test_that_was_slow_is_heard_when_it_goes_on(
        self, tmp_path: Path, play: Play, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        limits(monkeypatch, FIRST_PATIENCE=60.0, PATIENCE=0.01)
        recorded(tmp_path / "out.mp4", play(SLOW.format(seconds=0.3)), 30)
        assert seen(tmp_path / "out.mp4") == even_times(30)

    def test_that_was_slow_has_no_more_pictures_later_than_before(
        self, play: Play, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        limits(monkeypatch, FIRST_PATIENCE=60.0, PATIENCE=0.01, TIMEOUT=60.0)
        packets = 0
        with begun(play(SLOW.format(seconds=0))) as encoder:
            for index in range(30):
                if index == 19:
                    limits(monkeypatch, PATIENCE=60.0)
                packets += len(encoder.encode(planes(index), index, False))
                assert index < 19 or packets >= index

    def test_that_cannot_be_killed_is_left(self, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
        limits(monkeypatch, GRACE=0.05)
        monkeypatch.setattr(gstreamer_child, "KILLED", 0.05)
        monkeypatch.setattr(os, "killpg", lambda *_: None)  # as where its driver hangs in the kernel
        with begun(play("time.sleep(60)")) as encoder:
            assert encoder._process is not None
            child = encoder._process._process
        try:
            assert encoder.pid is None
            assert child.poll() is None
        finally:
            child.kill()
            child.wait()

    def test_that_is_slow_to_end_is_not_called_silent(
        self, tmp_path: Path, play: Play, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        limits(monkeypatch, GRACE=60.0)
        text = "for number, time_ns, _ in pictures():\n    if number == 3: os.close(0)\n    give(number, time_ns)\n"
        text += "    if number == 3: break\ntime.sleep(0.3)\nos._exit(3)"
        with pytest.raises(EncoderError, match="ended with status 3"):
            recorded(tmp_path / "out.mp4", play(text))
        assert seen(tmp_path / "out.mp4") == even_times(4)

    @pytest.mark.parametrize("unit", [b"no video at all", b""])
    def test_that_sends_no_video_midway_leaves_what_plays(self, tmp_path: Path, play: Play, unit: bytes) -> None:
        text = "for number, time_ns, _ in pictures():\n    if number < 5: give(number, time_ns)\n"
        text += f"    else: writer.record(UNIT, time_ns, False, {unit!r})\n"
        with pytest.raises(EncoderError, match=r"sent what is no H\.264"):
            recorded(tmp_path / "out.mp4", play(text))
        assert seen(tmp_path / "out.mp4") == even_times(5)

    def test_that_dies_at_the_end_leaves_what_it_gave(
        self, tmp_path: Path, play: Play, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        limits(monkeypatch, FIRST_PATIENCE=0.02, PATIENCE=0.02)
        text = "held = []\nfor number, time_ns, _ in pictures():\n    held.append((number, time_ns))\n"
        text += "    if len(held) > 3: give(*held.pop(0))\nfor one in held[:2]: give(*one)\nos._exit(1)\n"
        with pytest.raises(EncoderError, match="ended with status 1"):
            recorded(tmp_path / "out.mp4", play(text), 10)
        assert seen(tmp_path / "out.mp4") == even_times(9)

    def test_may_leave_the_last_picture_out(self, tmp_path: Path, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
        limits(monkeypatch, PATIENCE=0.02)
        text = "for number, time_ns, _ in pictures():\n    if number != 9: give(number, time_ns)\n"
        recorded(tmp_path / "out.mp4", play(text + "writer.message(kind='end')\n"), 10)
        assert seen(tmp_path / "out.mp4") == even_times(9)

    def test_may_not_leave_all_pictures_out(self, tmp_path: Path, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
        limits(monkeypatch, FIRST_PATIENCE=0.02, PATIENCE=0.02)
        with pytest.raises(EncoderError, match="encoded nothing"):
            recorded(tmp_path / "out.mp4", play("for _ in pictures(): pass\nwriter.message(kind='end')\n"), 3)
        assert not (tmp_path / "out.mp4").exists()

    @pytest.mark.usefixtures("patient")
    def test_that_only_seemed_to_make_keyframes_when_asked_is_started_anew(self, tmp_path: Path, play: Play) -> None:
        """Those that it makes each 25 pictures fall together with those that it is asked for each second."""
        text = f"open({str(tmp_path / 'starts')!r}, 'a').write('x')\n"
        path = tmp_path / "out.mp4"
        files = recorded(path, play(text + ORDERLY), 100, segments=Segments(path), seconds=2.4)
        assert [seen(file) for file in files] == [even_times(60), even_times(40)]
        assert (tmp_path / "starts").read_text() == "xx"

    def test_that_keeps_a_sink_from_closing_is_named(
        self, tmp_path: Path, play: Play, make_result: MakeResult, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        encoder = play("time.sleep(60)")
        monkeypatch.setattr("fcn_edge.runtime.sinks.video.chosen", lambda _: Choice("played", lambda: encoder))
        monkeypatch.setattr("fcn_edge.runtime.sinks.video.CLOSE_TIMEOUT", 0.05)
        sink = VideoSink(tmp_path / "out.mp4", CONTEXT)
        sink.write(make_result())
        with pytest.raises(
            MachineError, match=r"The encoder x264enc or the disk of .*out\.mp4 took longer than 0\.05 s"
        ):
            sink.close()
        while encoder.pid is None:
            time.sleep(0.01)
        os.kill(encoder.pid, signal.SIGKILL)
        assert sink._backlog.join(60)

    def test_that_dies_midway_leaves_what_plays(self, tmp_path: Path, play: Play) -> None:
        text = "for number, time_ns, _ in pictures():\n    if number == 30: os._exit(1)\n    give(number, time_ns)\n"
        with pytest.raises(EncoderError, match="ended with status 1"):
            recorded(tmp_path / "out.mp4", play(text), spare=True)
        assert seen(tmp_path / "out.mp4") == even_times(30)

    def test_that_dies_midway_in_a_series_is_followed_by_libx264(
        self, tmp_path: Path, play: Play, caplog: pytest.LogCaptureFixture
    ) -> None:
        text = "for number, time_ns, _ in pictures():\n    if number == 10: os._exit(1)\n    give(number, time_ns)\n"
        path = tmp_path / "out.mp4"
        with caplog.at_level("WARNING", "fcn_edge"):
            files = recorded(path, play(text), spare=True, segments=Segments(path))
        counts = [len(seen(file)) for file in files]
        assert counts[0] == 10
        assert sum(counts) >= 49
        assert "status 1. libx264 goes on." in caplog.text

    def test_that_encodes_nothing_is_followed_by_libx264_in_the_same_file(
        self, tmp_path: Path, play: Play, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level("WARNING", "fcn_edge"):
            files = recorded(tmp_path / "out.mp4", play("writer.message(kind='error')"), spare=True)
        assert files == [tmp_path / "out.mp4"]
        assert len(seen(files[0])) == 50

    def test_leaves_no_descriptor_and_no_process(self, tmp_path: Path, play: Play) -> None:
        def left() -> int:
            return len(names_in(Path("/proc/self/fd")))

        recorded(tmp_path / "out.mp4", play(), 3)
        before = left()
        for text in (ORDERLY, "sys.exit(3)", ORDERLY):
            with suppress(EncoderError):
                recorded(tmp_path / "out.mp4", play(text), 3)
        assert left() == before

    def test_a_python_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(EncoderError, match="/no/such/python3 is not here"):
            recorded(tmp_path / "out.mp4", GStreamerEncoder("x264enc", "/no/such/python3"))


@pytest.mark.parametrize(
    ("message", "says", "fix"),
    [
        ({"kind": "no_gi"}, "lacks its binding", "apt-get install python3-gi"),
        ({"kind": "missing", "elements": ["nvv4l2h264enc"]}, "is not here", "apt-get install nvidia-l4t-gstreamer"),
        ({"kind": "missing", "elements": ["unheard-of"]}, "is not here", "apt-cache search"),
        ({"kind": "link"}, "does not fit", "#encoder=libx264"),
    ],
)
def test_what_the_child_tells(message: dict[str, Any], says: str, fix: str) -> None:
    error = told("nvv4l2h264enc", message)
    assert says in error.message
    assert fix in error.fix


def test_the_planes_are_laid_out_as_gstreamer_does() -> None:
    """Rows of each plane begin at multiples of four."""
    image = np.arange(6 * 6, dtype=np.uint8).reshape(6, 6)  # 4 rows of Y; U and V are 2x3 each
    assert aligned(image) == b"".join(
        bytes([*row, *[0] * (-len(row) % 4)]) for row in (*image[:4].tolist(), *image[4:].reshape(4, 3).tolist())
    )
    assert aligned(np.zeros((6, 8), np.uint8)) == bytes(48)


@pytest.mark.parametrize("name", ELEMENTS)
def test_the_pipelines(name: str) -> None:
    steps = encoder_pipeline(name, (720, 1280), Fraction(30))["steps"]
    names = [step["factory"] for step in steps]
    assert (names[0], names[-1]) == ("appsrc", "appsink")
    assert names.index(name) < names.index("h264parse")
    assert json.loads(json.dumps(steps)) == steps
    assert "width=1280,height=720,framerate=30/1" in steps[0]["properties"]["caps"]


def test_a_jetsons_pipeline() -> None:
    steps = encoder_pipeline("nvv4l2h264enc", (720, 1280), Fraction(30))["steps"]
    assert [step["factory"] for step in steps[1:4]] == ["nvvidconv", "capsfilter", "nvv4l2h264enc"]
    assert steps[2]["properties"]["caps"] == "video/x-raw(memory:NVMM),format=NV12"
    properties = steps[3]["properties"]
    assert (properties["iframeinterval"], properties["idrinterval"], properties["insert-sps-pps"]) == (30, 30, True)
    assert 3_000_000 < properties["bitrate"] < 6_000_000


class TestChoice:
    @pytest.fixture(autouse=True)
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """On a machine that may have an encoder; which ones were tried."""
        names: list[str] = []

        def problem(name: str) -> EncoderError | None:
            names.append(name)
            return None if name in self.working else EncoderError(f"{name} is broken.", "Mend it.")

        self.working: set[str] = set()
        monkeypatch.setattr(choices, "problem_of", problem)
        monkeypatch.setattr(choices, "may_have_encoder", lambda: True)
        return names

    @pytest.mark.parametrize("name", BOARD)
    def test_the_boards_own_where_it_encodes(self, name: str) -> None:
        self.working = {name}
        choice = chosen()
        assert choice is not None
        assert (choice.name, choice.spare) == (name, Libx264Encoder)
        assert choice.make().name == name

    def test_libx264_where_it_does_not(self, asked: list[str]) -> None:
        choice = chosen()
        assert choice is not None
        assert (choice.name, choice.spare, tuple(asked)) == ("libx264", None, BOARD)

    def test_nothing_is_tried_where_there_can_be_none(self, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(choices, "may_have_encoder", lambda: False)
        assert chosen("auto") == chosen("libx264") == Choice("libx264", Libx264Encoder)
        assert not asked

    def test_the_board_alone_where_pyav_has_no_x264(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("av.codecs_available", {"mpeg4"})
        assert chosen() is None
        with pytest.raises(MachineError, match="without libx264"):
            chosen("libx264")
        self.working = {BOARD[0]}
        choice = chosen()
        assert choice is not None
        assert (choice.name, choice.spare) == (BOARD[0], None)

    def test_one_that_was_named_and_no_other(self) -> None:
        self.working = {"x264enc"}
        choice = chosen("x264enc")
        assert choice is not None
        assert (choice.name, choice.spare, choice.make().name) == ("x264enc", None, "x264enc")
        with pytest.raises(EncoderError, match=r"openh264enc is broken\.") as caught:
            chosen("openh264enc")
        assert caught.value.fix == "Mend it."

    def test_without_pyav(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "av", None)
        assert chosen() is None
        with pytest.raises(MissingExtraError):
            chosen("x264enc")


class TestOption:
    def test_stands_behind_the_file(self, tmp_path: Path, make_result: MakeResult) -> None:
        with open_sink(f"{tmp_path}/out.mp4#encoder=libx264", CONTEXT) as sink:
            sink.write(make_result())
        assert sink.wrote == (tmp_path / "out.mp4",)
        assert names_in(tmp_path) == ["out.mp4"]

    @pytest.mark.parametrize("name", ["take#2.mp4", "a#b=c.mp4", "#.mp4"])
    def test_leaves_names_with_a_hash_alone(self, tmp_path: Path, make_result: MakeResult, name: str) -> None:
        for text in (name, f"{name}#encoder=libx264"):
            with open_sink(f"{tmp_path}/{text}", CONTEXT) as sink:
                sink.write(make_result())
            assert sink.wrote == (tmp_path / name,)
        assert names_in(tmp_path) == [name]

    @pytest.mark.parametrize("text", ["", "x264", "x264enc ! filesink location=x", "auto "])
    def test_names_one_of_those_that_are_known(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(UsageError, match="makes no sense: auto, libx264, nvv4l2h264enc"):
            open_sink(f"{tmp_path}/out.mp4#encoder={text}", CONTEXT)
        assert not names_in(tmp_path)

    @pytest.mark.parametrize("name", ["masks", "masks/", "out.png"])
    def test_is_for_videos(self, tmp_path: Path, name: str) -> None:
        single = dataclasses.replace(CONTEXT, single=True)
        with pytest.raises(UsageError, match="has no option 'encoder'"):
            open_sink(f"{tmp_path}/{name}#encoder=libx264", single)
        assert not names_in(tmp_path)

    def test_goes_with_the_name_of_each_source(self) -> None:
        assert of_source("a/out.mp4#encoder=x264enc", "front") == "a/out-front.mp4#encoder=x264enc"
        assert of_source("a/take#2.mp4", "front") == "a/take#2-front.mp4"

    def test_makes_no_other_file(self) -> None:
        with pytest.raises(UsageError, match="named twice"):
            checked_sinks(["out.mp4", "out.mp4#encoder=libx264"])

    def test_is_for_series_too(self) -> None:
        check_series(["out.mp4#encoder=libx264"], 10.0, None)


def test_a_trial_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    started = itertools.count()

    def never(*_: Any) -> Any:
        next(started)
        raise OSError

    monkeypatch.setattr(module, "EncoderProcess", never)
    problem_of.cache_clear()
    assert all("is not here or does not start" in str(problem_of("x264enc")) for _ in range(3))
    assert next(started) == 1
    problem_of.cache_clear()


def test_a_trial_of_one_that_hangs_is_short(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    played = play("for _ in pictures(): pass\ntime.sleep(60)")
    limits(monkeypatch, GRACE=0.05)
    monkeypatch.setattr(choices, "TRIAL_TIMEOUT", 0.2)
    monkeypatch.setattr(
        choices, "GStreamerEncoder", partial(GStreamerEncoder, python=played._python, program=played._program)
    )
    problem_of.cache_clear()
    assert "gave nothing for 0.2 s" in str(problem_of("x264enc"))
    problem_of.cache_clear()


@pytest.mark.parametrize(
    ("sinks", "asked"),
    [(["out.mp4", "masks"], list(BOARD)), (["out.mp4#encoder=x264enc"], ["x264enc"]), (["masks", "null:"], [])],
)
def test_it_is_tried_before_the_first_frame_of_several_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sinks: list[str], asked: list[str]
) -> None:
    tried: list[str] = []

    def problem(name: str) -> EncoderError:
        tried.append(name)
        return EncoderError(f"{name} is broken.")

    monkeypatch.setattr(choices, "problem_of", problem)
    monkeypatch.setattr(choices, "may_have_encoder", lambda: True)
    outputs = Outputs([sink if sink == "null:" else f"{tmp_path}/{sink}" for sink in sinks], lambda _: None)
    outputs.open_common(CONTEXT)
    outputs.close()
    assert tried == asked
    assert not names_in(tmp_path)


def test_the_one_that_goes_on_is_named(tmp_path: Path, play: Play, caplog: pytest.LogCaptureFixture) -> None:
    encoder = play("sys.exit(3)")
    recording = Recording(tmp_path / "out.mp4", 25, False, Choice("played", lambda: encoder, LibvpxEncoder))
    with caplog.at_level("WARNING", "fcn_edge"):
        recording.write(np.zeros((*SIZE, 3), np.uint8), 0)
    recording.close()
    assert "status 3. libvpx-vp9 goes on." in caplog.text
