"""Videos encoded by the real GStreamer of this machine: its software encoders stand in for a board's own."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from fcn_edge.errors import MachineError
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks import Overlays, SinkContext, open_sink
from fcn_edge.runtime.sinks.encoders import choice as choices
from fcn_edge.runtime.sinks.encoders import gstreamer as module
from fcn_edge.runtime.sinks.encoders.choice import chosen, problem_of
from fcn_edge.runtime.sinks.encoders.elements import encoder_pipeline
from fcn_edge.runtime.sinks.encoders.gstreamer import GStreamerEncoder
from fcn_edge.runtime.sinks.encoders.libx264 import Libx264Encoder
from fcn_edge.runtime.sinks.encoders.process import EncoderProcess
from fcn_edge.runtime.sinks.video import VideoSink
from fcn_edge.system.gstreamer import SYSTEM_PYTHON
from tests.waits import until

from ..test_gstreamer_system import is_gone
from .test_video import KILLED, RATE, WAITING, WRITER, at, fill, read_back, times_of

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("no_thread_left", "stand_in")]

MakeResult = Callable[..., Result]
STAND_INS = ("x264enc", "openh264enc")
CONTEXT = SinkContext(Overlays(), fps=12.5)
SEGMENTS = dataclasses.replace(CONTEXT, segment=2.0)


@pytest.fixture(params=STAND_INS)
def stand_in(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """An element that plays the board's encoder: what ``auto`` takes."""
    name = str(request.param)
    problem = problem_of(name)
    if problem is not None:
        pytest.skip(problem.message)
    monkeypatch.setattr(choices, "BOARD", (name,))
    monkeypatch.setattr(choices, "may_have_encoder", lambda: True)
    return name


@pytest.fixture
def encoders(monkeypatch: pytest.MonkeyPatch) -> list[GStreamerEncoder]:
    """Those that are made from here on."""
    made: list[GStreamerEncoder] = []
    start = GStreamerEncoder._start

    def remembered(self: GStreamerEncoder) -> None:
        start(self)
        made.append(self)

    monkeypatch.setattr(GStreamerEncoder, "_start", remembered)
    return made


def pid_of(encoder: GStreamerEncoder) -> int:
    assert encoder.pid is not None
    return encoder.pid


@pytest.fixture
def children() -> Callable[[], set[int]]:
    """Gives this process's children, without older ones such as multiprocessing keeps from a test before."""

    def all_children() -> set[int]:
        text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
        return {int(pid) for pid in text.split()}

    older = all_children()
    return lambda: all_children() - older


def keys_of(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0) if frame.key_frame]


def test_auto_takes_it_with_libx264_in_reserve(stand_in: str) -> None:
    choice = chosen()
    assert choice is not None
    assert (choice.name, choice.spare, choice.make().name) == (stand_in, Libx264Encoder, stand_in)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi"])
def test_a_video_holds_the_overlays_as_browsers_play_them(
    tmp_path: Path, make_result: MakeResult, stand_in: str, suffix: str
) -> None:
    path = tmp_path / f"out{suffix}"
    with open_sink(f"{path}#encoder={stand_in}", CONTEXT) as sink:
        for index in range(30):
            sink.write(at(make_result(index), None))
    assert sink.wrote == (path,)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.pix_fmt, context.has_b_frames) == ("h264", "yuv420p", False)
        assert (context.colorspace, context.color_range, context.color_primaries) == (6, 1, 1)
        assert stream.average_rate == Fraction(25, 2)
    images = read_back(path)
    assert len(images) == 30
    expected = make_result(29).segmentation.overlay(0.5)
    assert np.abs(images[29][10:-10, 40:].astype(int) - expected[10:-10, 40:]).mean() < 8


def test_times_of_variable_rate_are_kept(tmp_path: Path, make_result: MakeResult) -> None:
    given = (7.0, 7.04, 7.2, 7.201, 8.0, 8.5, 12.25)
    with open_sink(str(tmp_path / "out.mp4"), CONTEXT) as sink:
        for index, seconds in enumerate(given):
            sink.write(at(make_result(index), seconds))
    assert times_of(tmp_path / "out.mp4") == pytest.approx([seconds - 7.0 for seconds in given], abs=1 / 90_000)


def test_a_keyframe_comes_each_second(tmp_path: Path, make_result: MakeResult) -> None:
    with open_sink(str(tmp_path / "out.mp4"), CONTEXT) as sink:
        for index in range(60):
            sink.write(at(make_result(index % 7), index / 10 if index < 30 else 3 + (index - 30) / 4))
    keys = keys_of(tmp_path / "out.mp4")
    assert keys[0] == 0
    assert keys[-1] >= 9
    assert all(after - before <= 1.26 for before, after in itertools.pairwise(keys))


@pytest.mark.parametrize(("height", "width"), [(49, 65), (50, 66), (51, 70), (120, 161)])
def test_odd_sizes(tmp_path: Path, make_result: MakeResult, height: int, width: int) -> None:
    with open_sink(str(tmp_path / "out.mp4"), CONTEXT) as sink:
        for _ in range(3):
            sink.write(make_result(20, height, width))
    image = read_back(tmp_path / "out.mp4")[-1]
    assert image.shape == (height + height % 2, width + width % 2, 3)
    expected = make_result(20, height, width).segmentation.overlay(0.5)
    error = np.abs(image[:height, :width].astype(int) - expected.astype(int))
    assert error.mean() < 8


def test_a_size_that_it_does_not_take_is_left_to_libx264(
    tmp_path: Path, make_result: MakeResult, caplog: pytest.LogCaptureFixture, stand_in: str
) -> None:
    with open_sink(str(tmp_path / "out.mp4"), CONTEXT) as sink:
        for index in range(3):
            sink.write(make_result(index, 2, 2))
    assert len(read_back(tmp_path / "out.mp4")) == 3
    assert ("libx264 goes on" in caplog.text) == (stand_in == "openh264enc")


def test_a_series_is_encoded_by_one_process(
    tmp_path: Path, make_result: MakeResult, encoders: list[GStreamerEncoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("FIRST_PATIENCE", "PATIENCE", "TIMEOUT"):  # however busy the machine is
        monkeypatch.setattr(module, limit, 60.0)
    with open_sink(str(tmp_path / "out.mp4"), SEGMENTS) as sink:
        for index in range(60):
            sink.write(at(make_result(index), index / 10))
    assert [len(times_of(path)) for path in sink.wrote] == [20, 20, 20]
    assert all(times_of(path)[0] == 0 == keys_of(path)[0] for path in sink.wrote)
    assert len(encoders) == 1
    assert encoders[0].pid is None


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV"])
def test_a_child_that_dies_ends_the_sink_with_a_sentence(
    tmp_path: Path,
    make_result: MakeResult,
    encoders: list[GStreamerEncoder],
    children: Callable[[], set[int]],
    name: str,
) -> None:
    sink = open_sink(str(tmp_path / "out.mp4"), CONTEXT)

    def write() -> None:
        for index in range(400):
            sink.write(at(make_result(index % 20), index / 10))
            if index == 50:
                until(lambda: len(encoders) == 1)
                os.kill(pid_of(encoders[0]), getattr(signal, name))

    with pytest.raises(MachineError, match=f"is gone: its process was ended by {name}") as caught:
        write()
    sink.close()
    assert "#encoder=libx264" in caught.value.fix
    times = times_of(tmp_path / "out.mp4")
    assert times == pytest.approx([index / 10 for index in range(len(times))])
    assert len(times) >= 40
    assert not children()


def test_a_child_that_dies_in_a_series_is_followed_by_libx264(
    tmp_path: Path, make_result: MakeResult, encoders: list[GStreamerEncoder]
) -> None:
    with open_sink(str(tmp_path / "out.mp4"), SEGMENTS) as sink:
        for index in range(100):
            sink.write(at(make_result(index % 20), index / 10))
            if index == 50:
                until(lambda: len(encoders) == 1)
                os.kill(pid_of(encoders[0]), signal.SIGKILL)
    counts = [len(times_of(path)) for path in sink.wrote]
    assert sum(counts) >= 98, "what the child held when it died"
    assert len(counts) >= 5


def test_a_child_that_hangs_is_given_up_and_killed(
    tmp_path: Path, make_result: MakeResult, encoders: list[GStreamerEncoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = open_sink(str(tmp_path / "out.mp4"), CONTEXT)
    pids = []

    def write() -> None:
        for index in range(4000):
            sink.write(at(make_result(index % 20), index / 10))
            if index == 30:
                until(lambda: len(encoders) == 1)
                pids.append(pid_of(encoders[0]))
                os.kill(pids[0], signal.SIGSTOP)
                monkeypatch.setattr(module, "TIMEOUT", 1.0)

    with pytest.raises(MachineError, match="gave nothing for 1 s"):
        write()
    sink.close()
    assert is_gone(pids[0])
    assert len(times_of(tmp_path / "out.mp4")) >= 20


def test_a_child_whose_encoder_hangs_ends_with_its_input(stand_in: str) -> None:
    """As after kill -9 of the run; nobody reads its input any more, for all that reads it waits for the encoder."""
    size = (48, 64)
    pipeline = encoder_pipeline(stand_in, size, Fraction(25))
    pipeline["steps"].insert(1, {"factory": "identity", "properties": {"sleep-time": 600_000_000}})
    child = EncoderProcess(SYSTEM_PYTHON, pipeline)
    try:
        picture = bytes(48 * 64 * 3 // 2)
        sent = itertools.takewhile(
            lambda index: child.picture(picture, index * 40_000_000, False, time.monotonic() + 2), range(10_000)
        )
        assert len(list(sent)) < 10_000
        child.end_input()
        assert child.exit_status(60) == 0
    finally:
        child.close(0)


def test_twenty_videos_leave_nothing_behind(
    tmp_path: Path, make_result: MakeResult, children: Callable[[], set[int]]
) -> None:
    def left() -> tuple[int, int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), len(children())

    counts = []
    for _ in range(20):
        with open_sink(str(tmp_path / "out.mp4"), CONTEXT) as sink:
            for index in range(3):
                sink.write(make_result(index))
        counts.append(left())
    assert len(set(counts[1:])) == 1
    assert counts[-1][2] == 0


def test_a_full_disk_is_the_disks_fault(
    tmp_path: Path, make_result: MakeResult, children: Callable[[], set[int]]
) -> None:
    (tmp_path / "out.mp4").symlink_to("/dev/full")
    sink = VideoSink(tmp_path / "out.mp4", CONTEXT)  # open_sink refuses devices
    _, error = fill(sink, make_result)
    assert error.message == f"The disk of {tmp_path / 'out.mp4'} is full."
    sink.close()
    assert not children()


class TestKill:
    """kill -9 of the run."""

    @pytest.fixture
    def writer(self, tmp_path: Path, stand_in: str) -> Callable[[Path, str], subprocess.Popen[bytes]]:
        def start(path: Path, kind: str) -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                [sys.executable, "-c", WRITER, f"{path}#encoder={stand_in}", kind], stdout=subprocess.PIPE
            )

        return start

    @pytest.mark.parametrize(("suffix", "kind"), [(".mp4", "file"), (".mp4", "live"), (".mkv", "live")])
    def test_leaves_what_plays_and_no_child(
        self, tmp_path: Path, writer: Callable[[Path, str], subprocess.Popen[bytes]], suffix: str, kind: str
    ) -> None:
        path = tmp_path / f"out{suffix}"
        for frames in (90, 170):
            with writer(path, kind) as process:
                assert process.stdout is not None
                taken = [0]
                while len(taken) < frames:  # a camera's first ones are left out while the child starts
                    taken.append(int(process.stdout.readline()))
                pids = [
                    int(pid)
                    for thread in Path(f"/proc/{process.pid}/task").iterdir()
                    for pid in (thread / "children").read_text().split()
                ]
                process.kill()
                taken += map(int, process.stdout.read().splitlines())
            assert len(pids) == 1
            until(lambda pid=pids[0]: is_gone(pid))  # type: ignore[misc]
            times = times_of(path, killed=True)
            assert times == sorted(set(times))
            # of a camera that is ten times as fast as others, what waits is ten times as much
            assert taken[-1 if kind == "file" else -1 - WAITING] / RATE - times[-1] <= KILLED


@pytest.fixture
def command(stand_in: str) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        arguments = [sys.executable, "-m", "fcn_edge", "run", "camvid-mobilenet_v2-fcn32s", *words, "--size", "128x160"]
        started.append(subprocess.Popen([*arguments, "--json"], stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_the_whole_command(tmp_path: Path, command: Callable[..., subprocess.Popen[str]], stand_in: str) -> None:
    pytest.importorskip("onnxruntime")
    street = "synthetic://street?size=120x160&fps=10&frames=45"
    process = command(street, f"{tmp_path}/out.mp4#encoder={stand_in}", "--segment", "2s")
    said: dict[str, Any] = json.loads(process.communicate(timeout=120)[0])
    assert process.returncode == 0
    assert [len(times_of(Path(path))) for path in said["sinks"][0]["wrote"]] == [20, 20, 5]
    assert said["sinks"][0]["sink"].endswith(f"out.mp4#encoder={stand_in}")


def test_ctrl_c_leaves_a_whole_file(
    tmp_path: Path, command: Callable[..., subprocess.Popen[str]], stand_in: str
) -> None:
    pytest.importorskip("onnxruntime")
    path = tmp_path / "out.mp4"
    process = command(
        "synthetic://street?size=120x160&fps=10&frames=100000", f"{path}#encoder={stand_in}", "--realtime"
    )
    until(lambda: path.exists() and path.stat().st_size > 0)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    said = json.loads(process.communicate(timeout=60)[0])
    assert process.returncode == 130
    # the frame that it caught on the way from the network to the video is counted and not written
    assert said["frames"] - said["sinks"][0]["dropped"] - len(times_of(path)) in (0, 1)
