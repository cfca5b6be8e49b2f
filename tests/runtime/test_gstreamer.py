"""Connections to GStreamer's child process, with children that are played, and what the child is asked and tells."""

from __future__ import annotations

import ast
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcn_edge.errors import FcnEdgeError, MachineError, SourceError, UsageError
from fcn_edge.runtime.sinks.encoders.process import WORKER as ENCODER
from fcn_edge.runtime.sources import SourceAddress
from fcn_edge.runtime.sources import gstreamer as module
from fcn_edge.runtime.sources.gstreamer import GStreamerConnection, gstreamer_rtsp
from fcn_edge.runtime.sources.gstreamer_errors import translated
from fcn_edge.runtime.sources.gstreamer_pipelines import csi_pipeline, rtsp_pipeline, text_pipeline
from fcn_edge.runtime.sources.gstreamer_process import WORKER
from fcn_edge.runtime.sources.gstreamer_reception import Keyframes
from fcn_edge.runtime.uri import Uri

HEAD = f"""
import json, os, signal, sys, time
sys.path.append({str(WORKER.parent)!r})
from gstreamer_records import NO_TIME
from gstreamer_worker import Writer
writer = Writer(int(sys.argv[1]))
asked = json.loads(sys.stdin.readline())
def frame(level, index, width=4, height=2, camera=NO_TIME, running=NO_TIME, keyframes=-1):
    stride = (3 * width + 3) // 4 * 4
    times = running, time.monotonic_ns(), time.time_ns(), camera
    writer.frame(bytes([level]) * (stride * height), (width, height, stride), index, keyframes, times)
def started(live=True, fps=25.0):
    writer.message(kind="started", live=live, fps=fps, version=[1, 22, 0])
"""
WAIT = "while os.read(0, 1): pass\n"

Play = Callable[..., GStreamerConnection]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """A connection to a child that runs this text."""

    def connection(text: str, timeout: float | None = None, **ways: Any) -> GStreamerConnection:
        worker = tmp_path / "worker.py"
        worker.write_text(HEAD + text)
        address = Uri.parse("gst://played")
        return GStreamerConnection(address, {"a": 1}, timeout, python=sys.executable, worker=worker, **ways)

    return connection


@pytest.mark.usefixtures("no_thread_left")
class TestConnection:
    def test_gives_frames_with_their_times_and_sizes(self, play: Play) -> None:
        text = "started(False)\nframe(7, 0, camera=5, running=10**9)\nframe(8, 1, 5, 3, running=3 * 10**9)\n"
        before = time.monotonic_ns()
        with play(text + "writer.message(kind='end')") as source:
            source.connect()
            assert (source.live, source.fps, source.size, source.state) == (False, 25.0, (2, 4), "live")
            first, second = next(source), next(source)
            assert source.read() is None
            assert source.state == "ended"
        assert np.array_equal(first.image, np.full((2, 4, 3), 7, np.uint8))
        assert np.array_equal(second.image, np.full((3, 5, 3), 8, np.uint8))
        assert second.image.flags.c_contiguous, "its rows were padded"
        assert (first.time, second.time) == (0.0, 2.0)
        assert (first.camera_time_ns, second.camera_time_ns) == (5, None)
        assert before < first.captured_ns < second.captured_ns < time.monotonic_ns()
        assert abs(first.captured_unix_ns - time.time_ns()) < 60e9

    def test_every_frame_of_what_is_not_live(self, play: Play) -> None:
        text = "started(False, 0)\nfor index in range(50): frame(index, index)\nwriter.message(kind='end')"
        with play(text) as source:
            assert [int(frame.image[0, 0, 0]) for frame in source] == list(range(50))
            assert (source.dropped, source.fps) == (0, None)

    def test_of_a_rate_that_was_asked_for(self, play: Play) -> None:
        with play("started()\nframe(1, 0)\n" + WAIT, fps=12.5) as source:
            source.connect()
            assert source.fps == 12.5

    def test_the_newest_of_what_is_live(self, play: Play) -> None:
        text = "started()\nfor index in range(50): frame(index, 2 * index)\n" + WAIT
        with play(text) as source:
            source.connect()
            while source._pictures.dropped < 49:
                time.sleep(0.001)
            frame = next(source)
            assert (int(frame.image[0, 0, 0]), frame.index) == (49, 98)
            assert source.dropped == 98, "49 were dropped in the child, and 49 here"

    @pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL"])
    def test_that_crashes_is_a_lost_source(self, play: Play, name: str) -> None:
        with play(f"started()\nframe(1, 0)\nos.kill(os.getpid(), signal.{name})") as source:
            with pytest.raises(SourceError, match=f"was ended by {name}") as caught:
                list(source)
            assert (source.state, caught.value.exit_code) == ("lost", 5)

    def test_that_crashes_before_its_first_frame(self, play: Play) -> None:
        with pytest.raises(SourceError, match="was ended by SIGKILL"):
            play("os.kill(os.getpid(), signal.SIGKILL)").connect()

    def test_that_raises(self, play: Play) -> None:
        with pytest.raises(SourceError, match="ended with status 1"):
            play("raise ValueError").connect()

    @pytest.mark.parametrize(
        "text", ["os.write(writer.answers.fd, b'x' * 1000)", "writer.frame(b'', (0, 0, 0), 0, -1, (0,) * 4)"]
    )
    def test_that_sends_nonsense(self, play: Play, text: str) -> None:
        with pytest.raises(SourceError, match="makes no sense"):
            play(text).connect()

    def test_that_goes_silent_is_stalled_and_then_lost(self, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "STALLED", 0.05)
        with play("started(fps=1000)\nframe(1, 0)\n" + WAIT, 1.0) as source:
            next(source)
            assert source.read(0.2) is None
            assert source.state == "stalled"
            with pytest.raises(SourceError, match="no frame came for 1 s"):
                next(source)
            assert source.state == "lost"

    def test_that_comes_back_is_live_again(self, play: Play, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(module, "STALLED", 0.05)
        go = tmp_path / "go"
        text = f"started(fps=1000)\nframe(1, 0)\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\nframe(2, 1)\n"
        with play(text + WAIT, 60) as source:
            next(source)
            while source.state != "stalled":
                assert source.read(0.1) is None
            go.touch()
            assert next(source).index == 1
            assert source.state == "live"

    def test_that_waits_for_a_keyframe(self, play: Play, tmp_path: Path) -> None:
        go = tmp_path / "go"
        wait = f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
        source = play("writer.message(kind='waiting')\n" + wait + "started()\nframe(1, 0)\n" + WAIT)
        with ThreadPoolExecutor(1) as pool:
            connecting = pool.submit(source.connect)
            while source.state != "waiting_for_keyframe":
                if connecting.done():  # also where the test is skipped, which is raised in the thread
                    connecting.result()
                    pytest.fail("it waited for no keyframe")
                time.sleep(0.001)
            go.touch()
            connecting.result()
        with source:
            assert source.state == "live"

    def test_that_gives_nothing_in_time(self, play: Play) -> None:
        source = play(WAIT)
        with pytest.raises(SourceError, match=r"gave no frame within 0\.2 s"):
            source.connect(0.2)
        assert source.state == "lost"

    def test_interrupted_while_it_connects(self, play: Play) -> None:
        source = play(WAIT)
        timer = threading.Timer(0.1, source.interrupt)
        timer.start()
        with pytest.raises(SourceError, match="interrupted"):
            source.connect(60)
        timer.join()
        assert source.state == "ended"

    def test_tells_keyframes_and_what_the_network_lost(self, play: Play) -> None:
        text = "started(False)\nframe(1, 0)\nframe(2, 1, keyframes=1)\nframe(3, 2, keyframes=1)\n"
        first = "writer.message(kind='reception', packets_lost=3, jitter_ns=1_234_567)\n"
        second = "writer.message(kind='reception', packets_lost=4, jitter_ns=None)\n"
        with play(first + text + second + "frame(4, 3, keyframes=2)\nwriter.message(kind='end')") as source:
            assert (source.packets_lost, source.jitter_ms, source.keyframes) == (None, None, None)
            source.connect()
            assert (source.packets_lost, source.jitter_ms) == (3, 1.235)
            assert [source.keyframes for _ in source] == [None, 1, 1, 2], "each with its own picture"
            assert (source.packets_lost, source.jitter_ms) == (4, None)

    def test_a_child_that_does_not_go_is_killed(self, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "GRACE", 0.2)
        source = play("started()\nframe(1, 0)\nwhile True: time.sleep(1)")
        source.connect()
        process = source._process._process  # type: ignore[union-attr]
        source.close()
        assert process.returncode == -signal.SIGKILL
        source.close()

    def test_a_child_that_cannot_write_is_ended(self, play: Play) -> None:
        source = play("started(False)\nindex = 0\nwhile True:\n    frame(1, index, 640, 480)\n    index += 1")
        source.connect()
        source.close()
        assert source._process._process.returncode is not None  # type: ignore[union-attr]

    def test_a_camera_that_ends_is_lost(self, play: Play) -> None:
        source = play("started()\nframe(1, 0)\nwriter.message(kind='end')", endless=True)
        with source, pytest.raises(SourceError, match="ended the stream"):
            list(source)

    def test_an_end_without_a_frame(self, play: Play) -> None:
        with pytest.raises(SourceError, match="before its first frame"):
            play("writer.message(kind='end')").connect()

    def test_without_a_python_of_the_system(self) -> None:
        source = GStreamerConnection(Uri.parse("csi://0"), {}, python="/no/such/python3")
        with pytest.raises(MachineError, match="/no/such/python3 is not here") as caught:
            source.connect()
        assert "apt-get install python3 python3-gi gir1.2-gst-plugins-base-1.0" in caught.value.fix
        assert source.state == "lost"

    def test_the_pipeline_is_in_no_argument(self, play: Play) -> None:
        source = play("started()\nframe(asked['a'], 0)\n" + WAIT)
        with source:
            assert int(next(source).image[0, 0, 0]) == 1
            arguments = source._process._process.args  # type: ignore[union-attr]
            assert [arguments[0], arguments[1], len(arguments)] == [sys.executable, "-IB", 4]

    def test_leaves_no_descriptor(self, play: Play) -> None:
        text = "started()\nframe(1, 0)\n" + WAIT
        here = Path("/proc/self/fd")
        if not here.exists():
            pytest.skip("needs /proc")
        before = len(list(here.iterdir()))
        for _ in range(5):
            with play(text) as source:
                next(source)
        assert len(list(here.iterdir())) == before


class TestPipelines:
    def test_a_csi_camera(self) -> None:
        steps = csi_pipeline(2, (720, 1280), 29.97, "rotate-180")["steps"]
        chain = [element for step in steps for element in step[0]]
        assert [one["factory"] for one in chain] == [
            *("nvarguscamerasrc", "capsfilter", "nvvidconv", "capsfilter", "videoconvert", "capsfilter", "appsink")
        ]
        assert chain[0]["properties"] == {"sensor-id": 2}
        assert chain[1]["properties"] == {"caps": "video/x-raw(memory:NVMM),width=1280,height=720,framerate=2997/100"}
        assert chain[2]["properties"] == {"flip-method": 2}
        assert [chain[place]["properties"]["caps"] for place in (3, 5)] == [
            "video/x-raw,format=BGRx",
            "video/x-raw,format=BGR",
        ]

    def test_a_csi_camera_as_the_driver_likes_it(self) -> None:
        source, scaler = (step[0] for step in csi_pipeline(0, None, None, None)["steps"][:2])
        assert source[1]["properties"] == {"caps": "video/x-raw(memory:NVMM)"}
        assert scaler[0]["properties"] == {}

    @pytest.mark.parametrize(
        ("location", "place", "user", "password"),
        [
            ("rtsp://cam:554/a?b=1", "rtsp://cam:554/a?b=1", None, None),
            ("rtsp://cam/user@home", "rtsp://cam/user@home", None, None),
            ("rtsp://[::1]:554/a", "rtsp://[::1]:554/a", None, None),
            ("rtsp://u:p@cam/1", "rtsp://cam/1", "u", "p"),
            ("rtsp://u:p%40q@cam/1", "rtsp://cam/1", "u", "p@q"),
            ("rtsp://u:p@q@cam/1", "rtsp://cam/1", "u", "p@q"),
            ("rtsp://u:p/q@cam/1", "rtsp://cam/1", "u", "p/q"),
            ("rtsps://token@cam/1", "rtsps://cam/1", "token", ""),
        ],
    )
    def test_user_and_password_are_properties(
        self, location: str, place: str, user: str | None, password: str | None
    ) -> None:
        properties = rtsp_pipeline(location, "gstreamer", "tcp", 5)["rtsp"]["properties"]
        assert (properties["location"], properties["user-id"], properties["user-pw"]) == (place, user, password)
        assert (properties["timeout"], properties["protocols"]) == (5_000_000, "tcp")

    def test_the_boards_decoder_comes_first_and_may_be_the_only_one(self) -> None:
        def decoders(pipeline: dict[str, Any], encoding: str) -> list[str]:
            return [chosen[0]["factory"] for chosen in pipeline["encodings"][encoding][1]]

        some, only = (rtsp_pipeline("rtsp://cam", decoder, "tcp", 5) for decoder in ("gstreamer", "nvv4l2decoder"))
        assert decoders(some, "H264") == ["nvv4l2decoder", "avdec_h264", "openh264dec"]
        assert decoders(some, "H265") == ["nvv4l2decoder", "avdec_h265"]
        assert decoders(only, "H264") == decoders(only, "H265") == ["nvv4l2decoder"]
        assert "JPEG" in some["encodings"]
        assert "JPEG" not in only["encodings"]

    def test_a_text_is_given_what_ends_it(self) -> None:
        assert text_pipeline(" videotestsrc ! ")["text"] == "videotestsrc"
        assert text_pipeline("videotestsrc")["tail"].startswith(" ! videoconvert ! video/x-raw,format=BGR ! appsink")
        for text in ("nvarguscamerasrc", "filesrc ! h264parse ! nvv4l2decoder", "x ! video/x-raw(memory:NVMM)"):
            assert text_pipeline(text)["tail"].startswith(" ! nvvidconv ! video/x-raw,format=BGRx ! videoconvert")
        assert "nvvidconv" not in text_pipeline("nvarguscamerasrc ! nvvidconv")["tail"]


class TestMessages:
    @pytest.mark.parametrize(
        ("message", "kind", "says", "fix"),
        [
            ({"kind": "no_gi"}, MachineError, "lacks its binding", "apt-get install python3-gi gir1.2-gst"),
            (
                {"kind": "missing", "elements": ["nvarguscamerasrc"]},
                MachineError,
                "needs a Jetson",
                "nvidia-l4t-camera",
            ),
            ({"kind": "missing", "elements": ["nvv4l2decoder", "avdec_h264"]}, MachineError, " or ", "1.0-libav"),
            ({"kind": "missing", "elements": ["rtspsrc"]}, MachineError, "rtspsrc", "gstreamer1.0-plugins-good"),
            ({"kind": "missing", "elements": ["magic"]}, MachineError, "magic", "apt-cache search"),
            ({"kind": "parse", "code": 2, "element": "queue"}, UsageError, "gives queue a property", "gst-launch"),
            ({"kind": "parse", "code": 0, "element": ""}, UsageError, "syntax", "gst-launch"),
            ({"kind": "link"}, SourceError, "do not fit together", "gst-launch"),
            ({"kind": "encoding", "encoding": "VP8"}, SourceError, "sends VP8", "H.264"),
            ({"kind": "format", "format": "GRAY8"}, SourceError, "gives GRAY8", "videoconvert"),
            ({"kind": "error", "domain": "gst-resource-error-quark", "code": 15}, SourceError, "password", "USER"),
            ({"kind": "error", "domain": "gst-core-error-quark", "code": 12}, MachineError, "plugin", "apt-get"),
            ({"kind": "error", "domain": "", "code": 0}, SourceError, "cannot go on", "GST_DEBUG"),
            ({}, SourceError, "cannot go on", "GST_DEBUG"),
        ],
    )
    def test_is_one_sentence_and_a_fix(
        self, message: dict[str, Any], kind: type[FcnEdgeError], says: str, fix: str
    ) -> None:
        error = translated("rtsp://u:***@cam/1", message)
        assert type(error) is kind
        assert says in error.message
        assert "rtsp://u:***@cam/1" in error.message
        assert fix in error.fix


class TestAddress:
    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("csi://", "names no CSI camera"),
            ("csi://front", "names no CSI camera"),
            ("csi://0#flip=upside", "one of horizontal"),
            ("csi://0#timeout=0", "seconds from 0.1 to 3600"),
            ("csi://0#timeout=soon", "seconds from 0.1 to 3600"),
            ("csi://0#size=720", "480x640"),
            ("csi://0#seed=1", "no option 'seed'"),
            ("rtsps://cam/1#decoder=gstreamer&verify=no", "no option 'verify'"),
            ("rtsp://cam/1#decoder=gstreamer&jitter=-1", "whole milliseconds"),
        ],
    )
    def test_that_makes_no_sense(self, text: str, says: str) -> None:
        with pytest.raises(UsageError, match=says):
            SourceAddress.of(text).connection()

    def test_of_a_csi_camera_with_everything(self) -> None:
        connection = SourceAddress.of("csi://1#size=720x1280&fps=30&flip=horizontal&timeout=3").connection()
        assert isinstance(connection, GStreamerConnection)
        assert connection._timeout == 3
        assert connection._pipeline == csi_pipeline(1, (720, 1280), 30, "horizontal")

    def test_a_pipelines_password_is_not_shown(self) -> None:
        connection = SourceAddress.of("gst://rtspsrc location=rtsp://u:secret@cam/1 user-pw=secret ! x").connection()
        assert "secret" not in connection.id

    def test_a_network_camera(self) -> None:
        connection = gstreamer_rtsp(Uri.parse("rtsp://u:secret@cam/1"), "nvv4l2decoder", "udp", 2)
        assert connection.id == "rtsp://u:***@cam/1"
        assert connection._pipeline == rtsp_pipeline("rtsp://u:secret@cam/1", "nvv4l2decoder", "udp", 2)

    def test_of_a_network_camera_with_everything(self) -> None:
        text = "rtsp://cam/1#decoder=gstreamer&transport=udp&timeout=4&fps=12.5&jitter=300"
        connection = SourceAddress.of(text).connection()
        assert isinstance(connection, GStreamerConnection)
        assert (connection._timeout, connection._connect_timeout, connection._asked_fps) == (4, 15, 12.5)
        properties = connection._pipeline["rtsp"]["properties"]
        assert (properties["latency"], properties["protocols"], properties["timeout"]) == (300, "udp", 4_000_000)


def test_keyframes_are_found_by_their_time_stamps() -> None:
    none = 1 << 64
    keyframes = Keyframes(none)
    assert (keyframes.any, keyframes.decoded(0)) == (False, -1)
    for pts in (100, none, 200):
        keyframes.encoded(pts)
    assert keyframes.any
    assert [keyframes.decoded(pts) for pts in (90, 100, none, 150, 201, 300)] == [0, 1, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("runtime/gstreamer_in_child.py", {"gi"}),
        (
            "runtime/sources/gstreamer_worker.py",
            {"gstreamer_in_child", "gstreamer_reception", "gstreamer_records"},
        ),
        ("runtime/sources/gstreamer_records.py", set()),
        ("runtime/sources/gstreamer_reception.py", set()),
        ("runtime/sinks/encoders/worker.py", {"gi", "encoder_records", "gstreamer_in_child"}),
        ("runtime/sinks/encoders/encoder_records.py", set()),
        ("system/gstreamer_probe.py", {"gi"}),
    ],
)
def test_what_runs_in_the_systems_python_needs_nothing_that_it_has_not(name: str, needs: set[str]) -> None:
    """JetPack's oldest has Python 3.8, and none of its Pythons has our packages: only files that are written for it."""
    path = WORKER.parents[2] / name
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add((node.module or "").split(".")[0])
    assert modules - set(sys.stdlib_module_names) == needs


@pytest.mark.parametrize("program", [WORKER, ENCODER], ids=["reader", "encoder"])
def test_the_files_of_ours_in_the_systems_python_hide_nothing_of_its_own(program: Path) -> None:
    """``http`` is a name of both."""
    code = (
        f"import sys; before = list(sys.path); sys.path.append({str(program.parent)!r}); import {program.stem}; "
        "assert sys.path[:len(before)] == before; import http.client"
    )
    subprocess.run([sys.executable, "-I", "-c", code], check=True)
