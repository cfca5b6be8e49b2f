from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.artifacts.onnx_header import SPEC_KEY
from fcn_edge.backends.base import Probe
from fcn_edge.backends.tensorrt import TensorRT
from fcn_edge.builder import BuildRequest, build_engine
from fcn_edge.cli.main import main
from fcn_edge.errors import MachineError
from fcn_edge.io.images import read_labels
from fcn_edge.metrics.confusion import ConfusionMatrix
from fcn_edge.runtime.pipeline import Pipeline
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.segmenter import Segmenter, load
from fcn_edge.runtime.sinks.video import VideoSink
from fcn_edge.runtime.sinks.video_file import VideoFile
from fcn_edge.runtime.sources import SourceAddress, open_source
from fcn_edge.street import Street
from fcn_edge.testing.engine import fake_spec
from tests.waits import until

Run = Callable[..., Any]
STREET = "synthetic://street?seed=2&size=64x96&frames=4"
MAIN = threading.main_thread().ident or 0
ENDLESS = "synthetic://street?size=64x96&frames=1000000"


@pytest.fixture(scope="session")
def model(tiny: Any) -> str:
    """A small network with the classes of CamVid and fixed weights."""
    return str(tiny.path)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three images."""
    folder = tmp_path_factory.mktemp("photos")
    for name, (image, _) in zip("abc", Street(5, (64, 96), 3), strict=True):
        assert cv2.imwrite(str(folder / f"{name}.png"), image)
    return folder


@pytest.fixture
def run(model: str, fcn_edge: Run) -> Run:
    """Runs ``fcn-edge run`` with the small network."""
    return lambda *words: fcn_edge("run", model, *words)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def frames_of(path: Path) -> list[NDArray[np.uint8]]:
    with open_source(path) as source:
        return [frame.image for frame in source]


class TestReport:
    def test_json_is_one_object_with_the_promised_keys(self, run: Run, tmp_path: Path) -> None:
        result = run(STREET, tmp_path / "out.mp4", tmp_path / "masks", "--json")
        assert result.code == 0, result.err
        report = result.json
        assert report.keys() >= {"frames", "seconds", "fps", "dropped", "latency_ms", "stages_ms", "sources"}
        assert report["frames"] == 4
        assert report["dropped"] == 0
        assert report["latency_ms"].keys() == {"p50", "p90", "p99"}
        assert report["stages_ms"].keys() == {"capture", "preprocess", "infer", "decode", "output"}
        (source,) = report["sources"]
        assert source == {
            "uri": STREET,
            "state": "ended",
            "live": False,
            "size": [64, 96],
            "fps": 25.0,
            "frames": 4,
            "dropped": 0,
            "grade": None,
            "reconnects": 0,
            "stalls": 0,
            "packets_lost": None,
            "jitter_ms": None,
            "clock_offset_ms": None,
            "clock_drift_ppm": None,
            "skew_ms": None,
            "damaged": 0,
        }

    def test_scores_rendered_frames_against_their_labels(self, run: Run, model: str) -> None:
        counts = ConfusionMatrix(11)
        with load(model) as segment:
            for image, labels in Street(2, (64, 96), 4):
                counts.update(labels, segment(image).labels)
        expected = counts.compute().mean_iou
        assert 0 < expected < 1
        report = run(STREET, "--json").json
        assert report["rendered_miou"] == pytest.approx(expected, abs=1e-6)
        assert f"rendered labels: {100 * expected:.1f}%" in run(STREET).out

    def test_scores_the_classes_that_both_name(
        self, fcn_edge: Run, tiny_network: Callable[..., Any], tmp_path: Path
    ) -> None:
        def miou(shared: int) -> float | None:
            classes = (*(f"other {index}" for index in range(11 - shared)), *LABEL_SETS["camvid"].classes[:shared])
            spec = fake_spec(classes=classes)
            made = tiny_network(tmp_path / f"{shared}.onnx", metadata={SPEC_KEY: spec.to_json()})
            score: float | None = fcn_edge("run", made.path, STREET, "--json").json.get("rendered_miou")
            return score

        some = miou(4)
        assert some is not None
        assert 0 <= some <= 1
        assert miou(1) is None

    def test_does_not_score_what_has_no_labels(self, run: Run, photos: Path) -> None:
        assert "rendered_miou" not in run(photos, "--json").json

    def test_for_people(self, run: Run, photos: Path, tmp_path: Path) -> None:
        result = run(photos, tmp_path / "masks", "null:")
        assert result.code == 0, result.err
        assert result.out.startswith("3 frames in ")
        for part in ("frames/s", "(p50)", "infer", f"Wrote {tmp_path / 'masks'}"):
            assert part in result.out
        assert "dropped" not in result.out

    def test_help_shows_an_example(self, fcn_edge: Run) -> None:
        result = fcn_edge("run", "--help")
        assert "Example: fcn-edge run" in result.out
        assert "synthetic://street" in result.out


class TestSeveralSources:
    def test_have_files_of_their_own_and_share_what_is_common(self, run: Run, tmp_path: Path) -> None:
        sources = [
            STREET.replace("seed=2", f"seed={seed}") + f"#name={name}" for seed, name in ((2, "front"), (5, "rear"))
        ]
        result = run(sources[0], tmp_path / "out.mp4", tmp_path / "masks", "-", "--source", sources[1])
        assert result.code == 0, result.err
        *lines, summary = [json.loads(line) for line in result.out.splitlines()]
        assert sorted((line["source"], line["index"]) for line in lines) == sorted(
            (source, index) for source in sources for index in range(4)
        )
        assert summary["frames"] == 8
        assert {one["uri"]: one["frames"] for one in summary["sources"]} == dict.fromkeys(sources, 4)
        assert names_in(tmp_path) == ["masks", "out-front.mp4", "out-rear.mp4"]
        assert names_in(tmp_path / "masks" / "rear") == [f"00000{index}.png" for index in range(4)]
        for name in ("front", "rear"):
            assert len(frames_of(tmp_path / f"out-{name}.mp4")) == 4

    def test_of_which_one_is_lost_end_with_5_after_the_others(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "bad.mp4").write_bytes(b"none")
        result = run(STREET, "--source", tmp_path / "bad.mp4", "--json")
        assert result.code == 5
        assert result.json["frames"] == 4
        assert "bad.mp4" in result.json["error"]
        assert "bad.mp4 is lost" in result.err

    def test_a_further_one_that_makes_no_sense_is_said_before_anything_runs(self, run: Run) -> None:
        result = run(STREET, "--source", "nothing.mp4", "--json")
        assert (result.code, result.json["error"]) == (5, "There is no file or folder 'nothing.mp4'.")


class TestPace:
    def test_realtime_takes_as_long_as_the_video(self, run: Run, tmp_path: Path) -> None:
        run(STREET, tmp_path / "drive.mp4")
        report = run(tmp_path / "drive.mp4", "--realtime", "--json").json
        (source,) = report["sources"]
        assert source["live"]
        assert report["frames"] + report["dropped"] == 4
        assert report["seconds"] >= 0.1 or report["dropped"]

    def test_realtime_of_what_has_no_times(self, run: Run, photos: Path) -> None:
        result = run(photos, "--realtime")
        assert result.code == 2
        assert "#fps=10" in result.err

    def test_masks_that_are_too_old_are_counted(self, run: Run) -> None:
        report = run(STREET, "--max-age", "600000", "--json").json
        assert (report["frames"], report["late"]) == (4, 0)
        result = run(STREET, "--max-age", "0.001", "--json")
        assert (result.code, result.json["frames"], result.json["late"]) == (5, 0, 4)
        assert "No mask of" in result.json["error"]
        assert "4 late" in run(STREET, "--max-age", "0.001").out

    @pytest.mark.parametrize("age", ["0", "-5", "nan", "inf", "soon"])
    def test_an_age_that_makes_no_sense(self, run: Run, age: str) -> None:
        assert run(STREET, f"--max-age={age}").code == 2

    def test_damage_is_told_in_one_sentence(self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("fcn_edge.runtime.sources.street.StreetConnection.damaged", 3)
        result = run(STREET)
        assert result.code == 0
        assert result.out.count(f"{STREET} is damaged in 3 places") == 1

    def test_a_region_is_what_becomes_of_the_masks(self, run: Run, photos: Path, tmp_path: Path) -> None:
        assert run(f"{photos}#roi=0,32,48x64&flip=horizontal", tmp_path / "masks").code == 0
        assert read_labels(tmp_path / "masks" / "a.png").shape == (48, 64)


class TestOutput:
    def test_masks_are_those_of_the_library(self, run: Run, photos: Path, model: str, tmp_path: Path) -> None:
        run(photos, tmp_path / "masks")
        with load(model) as segment:
            for name in "abc":
                expected = segment(cv2.imread(str(photos / f"{name}.png"))).labels
                assert np.array_equal(read_labels(tmp_path / "masks" / f"{name}.png"), expected)

    def test_video_has_every_frame(self, run: Run, tmp_path: Path) -> None:
        run(STREET, tmp_path / "first.mp4")
        run(tmp_path / "first.mp4", tmp_path / "second.avi")
        assert len(frames_of(tmp_path / "second.avi")) == 4

    def test_overlay_of_one_image(self, run: Run, photos: Path, model: str, tmp_path: Path) -> None:
        assert run(photos / "a.png", tmp_path / "o.png", "--alpha", 1, "--no-legend").code == 0
        with load(model) as segment:
            expected = segment(cv2.imread(str(photos / "a.png"))).colored()
        assert np.array_equal(cv2.imread(str(tmp_path / "o.png")), expected)
        large = "synthetic://street?size=360x480&frames=1"
        run(large, tmp_path / "legend.png")
        run(large, tmp_path / "bare.png", "--no-legend")
        assert (tmp_path / "legend.png").read_bytes() != (tmp_path / "bare.png").read_bytes()

    def test_json_lines_end_with_the_summary(self, run: Run) -> None:
        for words in (["-"], ["-", "--json"]):
            result = run(STREET, *words)
            lines = [json.loads(line) for line in result.out.splitlines()]
            assert [line["index"] for line in lines[:-1]] == [0, 1, 2, 3]
            assert [line["time"] for line in lines[:-1]] == [0, 0.04, 0.08, 0.12]
            assert {line["source"] for line in lines[:-1]} == {STREET}
            for line in lines[:-1]:
                assert abs(line["captured_ns"] / 1e9 - time.time()) < 600  # Unix time
                assert line["age_ms"] >= line["latency_ms"] > 0
            assert lines[-1]["frames"] == 4

    def test_size_and_limits(self, run: Run) -> None:
        assert run(STREET, "--frames", 3, "--size", "96x64", "--json").json["frames"] == 3
        report = run(ENDLESS, "--for", 0.3, "--json").json
        assert report["frames"] >= 1

    def test_segments_are_named_in_the_report(self, run: Run, tmp_path: Path) -> None:
        source = "synthetic://street?size=64x96&frames=25&fps=5"
        words = [source, tmp_path / "out.mp4", "--segment", "1s", "--keep", "1GB"]
        result = run(*words)
        assert result.code == 0, result.err
        assert f"Wrote {tmp_path}/out-000000.mp4 to {tmp_path}/out-000004.mp4 (5 files)" in result.out
        assert [len(frames_of(tmp_path / name)) for name in names_in(tmp_path)] == [5] * 5
        (sink,) = run(*words, "--json").json["sinks"]
        assert sink["wrote"] == [f"{tmp_path}/out-{number:06}.mp4" for number in range(5, 10)]

    def test_one_frame_of_many_may_go_into_an_image(self, run: Run, tmp_path: Path) -> None:
        assert run(STREET, tmp_path / "o.png", "--frames", 1).code == 0
        assert cv2.imread(str(tmp_path / "o.png")).shape == (64, 96, 3)

    def test_unknown_pixels_get_the_void_label(self, run: Run, photos: Path, tmp_path: Path) -> None:
        run(photos / "a.png", tmp_path / "all", "--unknown-below", 0)
        run(photos / "a.png", tmp_path / "few", "--unknown-below", 1)
        void = LABEL_SETS["camvid"].void
        assert not (read_labels(tmp_path / "all" / "a.png") == void).any()
        assert (read_labels(tmp_path / "few" / "a.png") == void).any()


@pytest.fixture
def full_videos(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes no byte of a video."""

    def full(self: VideoFile, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(VideoFile, "write", full)


class TestFallback:
    """A camera is not left dark because an engine cannot be used."""

    @pytest.mark.parametrize(
        "words",
        [("engines/gone.tensorrt.fp16",), ("camvid-mobilenet_v2-fcn8s", "--backend", "tensorrt", "--device", "7")],
    )
    def test_runs_where_the_model_cannot(
        self, fcn_edge: Run, model: str, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(TensorRT, "probe", lambda *_: Probe("", problem="It is not here.", fix="Bring it."))
        first, *options = words
        alone = fcn_edge("run", first, STREET, *options, "--json")
        assert alone.code in (3, 6)
        result = fcn_edge("run", first, STREET, *options, "--fallback", model, "--json")
        assert (result.code, result.json["frames"]) == (0, 4)
        assert f"Warning: {alone.json['error']} {alone.json['fix']}" in result.err
        assert f"Warning: {model} runs in its place" in result.err
        assert [result.json[key] for key in ("model", "backend", "fallback_because")] == [
            model,
            "onnxruntime",
            alone.json["error"],
        ]

    def test_runs_where_the_engine_has_another_size(
        self, fcn_edge: Run, model: str, tmp_path: Path, quick_builds: Any
    ) -> None:
        """As where the size was changed in a service's settings, and its build fails."""
        build_engine(model, BuildRequest(backend="onnxruntime"), output=tmp_path / "engine")
        words = ("run", tmp_path / "engine", STREET, "--size", "96x96", "--json")
        assert fcn_edge(*words).code == 2
        result = fcn_edge(*words, "--fallback", model)
        assert (result.code, result.json["frames"], result.json["model"]) == (0, 4, model)
        assert "was built for 64x96 (height x width) and no other size" in result.json["fallback_because"]

    def test_is_not_looked_at_where_the_model_runs(self, fcn_edge: Run, model: str) -> None:
        result = fcn_edge("run", model, STREET, "--fallback", "gone.onnx", "--json")
        assert (result.code, result.json["frames"]) == (0, 4)
        assert (result.json["model"], result.json["fallback_because"]) == (model, None)
        assert "Warning" not in result.err

    @pytest.mark.parametrize(
        ("first", "fallback", "code", "said"),
        [
            ("gone.onnx", "lost.onnx", 3, "lost.onnx"),
            ("gone.onnx", "rtsp://user:secret@camera/1", 2, "is an address; a model was expected"),
        ],
    )
    def test_that_is_none_either_ends_as_a_model_would(
        self, fcn_edge: Run, first: str, fallback: str, code: int, said: str
    ) -> None:
        result = fcn_edge("run", first, STREET, "--fallback", fallback, "--json")
        assert (result.code, said in result.json["error"]) == (code, True)
        assert "secret" not in result.out + result.err
        assert "runs in its place" not in result.err


class TestFailure:
    @pytest.mark.parametrize(
        ("words", "code"),
        [
            (["ftp://camera/1"], 2),
            (["synthetic://street?seed=x"], 2),
            ([STREET, "out.txt"], 2),
            ([STREET, "no/such/folder/out.mp4"], 2),
            ([STREET, "null:", "null:"], 2),
            ([STREET, "out.mp4", "./out.mp4"], 2),
            ([STREET, "out.png"], 2),
            ([STREET, "--size", "100x100"], 2),
            ([STREET, "--frames", "0"], 2),
            ([STREET, "--for", "0"], 2),
            ([STREET, "--unknown-below", "2"], 2),
            ([STREET, "--backend", "abacus"], 2),
            ([STREET, "--segment", "10m"], 2),
            ([STREET, "masks/", "--segment", "10m", "--keep", "1GB"], 2),
            ([STREET, "out.mp4", "--keep", "1GB"], 2),
            ([STREET, "out.mp4", "--segment", "10 parsecs"], 2),
            ([STREET, "out.mp4", "--segment", "10m", "--keep", "much"], 2),
            (["nothing.mp4"], 5),
            (["97"], 5),
        ],
    )
    def test_of_an_argument_is_a_sentence_and_its_code(self, run: Run, words: list[str], code: int) -> None:
        result = run(*words)
        assert result.code == code
        assert "Error: " in result.err
        assert result.out == ""

    def test_of_a_series_comes_before_the_model_is_loaded(self, fcn_edge: Run) -> None:
        result = fcn_edge("run", "nothing.onnx", STREET, "masks/", "--segment", "10m")
        assert result.code == 2
        assert "no video" in result.err

    @pytest.mark.parametrize("sinks", [["null:", "null:"], ["out.mp4", "./out.mp4"]])
    def test_of_a_sink_named_twice_comes_before_the_model_is_loaded(self, fcn_edge: Run, sinks: list[str]) -> None:
        result = fcn_edge("run", "nothing.onnx", STREET, *sinks)
        assert result.code == 2
        assert "named twice" in result.err

    @pytest.mark.parametrize("seconds", ["inf", "1e300", "nan"])
    def test_of_a_time_that_does_not_end_names_the_option(self, run: Run, seconds: str) -> None:
        result = run(STREET, "--for", seconds)
        assert result.code == 2
        assert "--for" in result.err
        assert "no time that ends" in result.err
        assert result.out == ""

    def test_of_a_missing_model(self, fcn_edge: Run) -> None:
        result = fcn_edge("run", "nothing.onnx", STREET, "--json")
        assert (result.code, result.json["exit_code"]) == (3, 3)

    def test_without_a_screen(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("DISPLAY", raising=False)
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        result = run(STREET, "display")
        assert result.code == 6
        assert "no screen" in result.err

    def test_midway_reports_what_was_done_besides(self, run: Run, photos: Path, tmp_path: Path) -> None:
        folder = tmp_path / "photos"
        folder.mkdir()
        for name in "ab":
            (folder / f"{name}.png").write_bytes((photos / f"{name}.png").read_bytes())
        (folder / "a1.png").write_bytes(b"no image")
        result = run(folder, tmp_path / "masks", "--json")
        report = result.json
        assert result.code == report["exit_code"] == 5
        assert report["frames"] == 2
        assert report["error"] == f"1 of 3 images of {folder} cannot be read: a1.png."
        assert (report["sources"][0]["frames"], report["sources"][0]["damaged"]) == (2, 1)
        assert str(folder / "a1.png") in result.err
        assert names_in(tmp_path / "masks") == ["a.png", "b.png"]
        result = run(folder, tmp_path / "out.mp4")
        assert result.code == 5
        assert "2 frames in" in result.out
        assert "damaged in" not in result.out
        assert str(folder / "a1.png") in result.err
        assert len(frames_of(tmp_path / "out.mp4")) == 2

    @pytest.mark.parametrize("number", [1, 3])
    def test_of_a_sink_does_not_say_that_it_was_written(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        write, calls = VideoSink.write, itertools.count(1)

        def fail(self: VideoSink, result: Result) -> None:
            if next(calls) == number:
                raise MachineError("The disk is full.", "Free some space.")
            write(self, result)

        monkeypatch.setattr(VideoSink, "write", fail)
        result = run(STREET, tmp_path / "masks", tmp_path / "out.mp4")
        assert result.code == 6
        assert f"The sink {tmp_path / 'out.mp4'} failed and gets no more frames: The disk is full." in result.err
        assert "Error: The disk is full." in result.err
        assert "out.mp4" not in result.out
        assert "4 frames in" in result.out
        assert [line for line in result.out.splitlines() if line.startswith("Wrote")] == [f"Wrote {tmp_path / 'masks'}"]

    def test_of_a_sink_shows_no_password(self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(self: VideoSink, result: Result) -> None:
            raise MachineError(
                "The old video ftp:/user:secret@host/out.mp4 cannot be deleted.", "See ftp://u:secret@h."
            )

        monkeypatch.setattr(VideoSink, "write", fail)
        for flags in ([], ["--json"]):
            result = run(STREET, tmp_path / "masks", tmp_path / "out.mp4", *flags)
            assert "ftp:/user:***@host/out.mp4" in result.err
            assert "secret" not in result.err + result.out

    def test_of_all_sinks_ends_the_run(self, run: Run, tmp_path: Path, full_videos: None) -> None:
        result = run(ENDLESS, tmp_path / "out.mp4", "--json")
        assert result.code == result.json["exit_code"] == 6
        assert result.json["error"] == f"The disk of {tmp_path / 'out.mp4'} is full."
        assert result.json["frames"] >= 1

    def test_of_one_sink_is_in_the_report_of_the_others(self, run: Run, tmp_path: Path, full_videos: None) -> None:
        result = run(STREET, tmp_path / "out.mp4", tmp_path / "masks", "--json")
        assert result.code == result.json["exit_code"] == 6
        assert result.json["error"] == f"The disk of {tmp_path / 'out.mp4'} is full."
        assert result.json["frames"] == 4
        full, masks = result.json["sinks"]
        assert (full["wrote"], full["error"]) == ([], result.json["error"])
        assert (masks["wrote"], masks["error"]) == ([str(tmp_path / "masks")], None)
        assert len(names_in(tmp_path / "masks")) == 4

    def test_never_replaces_the_source(self, run: Run, photos: Path) -> None:
        before = (photos / "a.png").read_bytes()
        assert run(photos / "a.png", photos / "a.png").code == 2
        assert run(photos, photos).code == 2
        assert (photos / "a.png").read_bytes() == before


class TestPassword:
    """No text that the command prints shows the password of an address."""

    CAMERA = "rtsp://user:secret@127.0.0.1:1/x?channel=1"

    @pytest.mark.parametrize("flags", [[], ["--json"], ["--debug"], ["--json", "--debug"]])
    @pytest.mark.parametrize(
        "address", [CAMERA, f"{CAMERA}#fps=5", "http://cam/x?password=secret", "rtsp:/user:secret@cam/x"]
    )
    def test_of_a_source(self, model: str, address: str, flags: list[str]) -> None:
        result = CliRunner().invoke(main, ["run", model, address, *flags])
        assert result.exit_code in (2, 5, 6)
        assert "secret" not in result.stdout + result.stderr
        assert "***" in result.stdout + result.stderr
        if "--json" in flags:
            report = json.loads(result.stdout)
            assert report["exit_code"] == result.exit_code
            assert report["fix"]
        else:
            assert len([line for line in result.stderr.splitlines() if line.startswith("Error: ")]) == 1
        assert ("Traceback" in result.stderr) == ("--debug" in flags)

    @pytest.mark.parametrize("flags", [[], ["--json"], ["--debug"]])
    def test_that_a_library_says_of_it(self, model: str, flags: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(self: SourceAddress) -> None:
            raise ConnectionRefusedError(111, f"Connection refused: {self.location!r}")

        monkeypatch.setattr(SourceAddress, "connection", fail)
        result = CliRunner().invoke(main, ["run", model, self.CAMERA, *flags])
        assert result.exit_code == 1
        assert "secret" not in result.stdout + result.stderr
        assert "rtsp://user:***@127.0.0.1:1/x" in result.stdout + result.stderr
        assert ("Traceback" in result.stderr) == ("--debug" in flags)

    @pytest.mark.parametrize("flags", [[], ["--json"]])
    def test_of_a_source_in_the_place_of_the_command(self, flags: list[str]) -> None:
        result = CliRunner().invoke(main, [self.CAMERA, "display", *flags])
        assert result.exit_code == 2
        assert "secret" not in result.stdout + result.stderr
        assert "user:***@127.0.0.1" in result.stdout + result.stderr

    @pytest.mark.parametrize("flags", [[], ["--json"], ["--debug"]])
    def test_of_a_sink_or_of_a_source_in_the_place_of_the_model(self, model: str, flags: list[str]) -> None:
        # as a sink it is pushed to, and nobody is there
        for words, code in (([model, STREET, self.CAMERA], 6), ([self.CAMERA, model], 2), ([self.CAMERA, STREET], 2)):
            result = CliRunner().invoke(main, ["run", *words, *flags])
            assert result.exit_code == code
            assert "secret" not in result.stdout + result.stderr
            assert "user:***@127.0.0.1" in result.stdout + result.stderr


class TestSilentCamera:
    """A camera that was opened and then gives nothing."""

    @pytest.fixture
    def camera(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
        released = threading.Event()

        class Stuck:
            frames = 1

            def __init__(self, *_: object) -> None:
                self.left = self.frames

            def isOpened(self) -> bool:
                return True

            def get(self, key: int) -> float:
                return 0.0

            def set(self, key: int, value: float) -> bool:
                return True

            def read(self) -> tuple[bool, NDArray[np.uint8] | None]:
                if not self.left:
                    released.wait(60)
                    return False, None
                self.left -= 1
                return True, np.zeros((64, 96, 3), np.uint8)

            def release(self) -> None:
                pass

        self.kind = Stuck
        device = tmp_path / "video0"
        device.touch()
        monkeypatch.setattr(cv2, "VideoCapture", Stuck)
        monkeypatch.setattr("fcn_edge.runtime.sources.camera.CLOSE_TIMEOUT", 0.0)
        yield f"v4l2://{device}"
        released.set()

    def test_ends_with_its_time_and_says_that_there_was_nothing(self, run: Run, camera: str) -> None:
        result = run(camera, "--for", 0.2, "--json")
        assert result.code == result.json["exit_code"] == 5
        assert result.json["frames"] == 0
        assert result.json["error"] == f"{camera} gave no frame before the run ended."
        assert "0 frames in" in run(camera, "--for", 0.2).out

    def test_that_gave_a_frame_ends_well(self, run: Run, camera: str) -> None:
        self.kind.frames = 2
        result = run(camera, "--for", 0.5, "--json")
        assert (result.code, result.json["frames"]) == (0, 1)
        assert result.json["sources"][0]["live"] is True

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_ends_it(self, run: Run, camera: str, number: signal.Signals) -> None:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        started = threading.Event()
        stopper = threading.Thread(target=lambda: (started.wait(60), signal.pthread_kill(MAIN, number)))

        class Watched(Pipeline):
            def __iter__(self) -> Any:
                started.set()
                return super().__iter__()

        stopper.start()
        try:
            with pytest.MonkeyPatch.context() as monkeypatch:
                monkeypatch.setattr("fcn_edge.runtime.loop.Pipeline", Watched)
                result = run(camera, "--json")
        finally:
            stopper.join()
            signal.signal(signal.SIGINT, before)
        assert result.json["frames"] == 0
        assert result.code == result.json["exit_code"] == (5 if number == signal.SIGTERM else 130)


class TestSignalBeforeTheFirstFrame:
    """While the model is loaded, and while the source is connected."""

    @pytest.mark.parametrize(
        "step", ["fcn_edge.runtime.segmenter.load", "fcn_edge.runtime.sources.street.StreetConnection._connect"]
    )
    @pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 5), (signal.SIGINT, 130)])
    def test_ends_without_a_frame(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, step: str, number: signal.Signals, code: int
    ) -> None:
        def signaled(*_: object, **__: object) -> None:
            signal.raise_signal(number)
            raise AssertionError("the signal did not come")

        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        monkeypatch.setattr(step, signaled)
        try:
            result = run(STREET, "--json")
        finally:
            signal.signal(signal.SIGINT, before)
        assert result.code == result.json["exit_code"] == code
        said = f"{STREET} gave no frame before the run ended." if code == 5 else "Interrupted."
        assert result.json["error"] == said

    def test_that_comes_while_everything_is_closed_is_no_lack_of_frames(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        close = Segmenter.close

        def signaled(self: Segmenter) -> None:
            close(self)
            signal.raise_signal(signal.SIGTERM)

        monkeypatch.setattr(Segmenter, "close", signaled)
        result = run(STREET, "--json")
        assert (result.code, result.json["error"]) == (0, "Interrupted.")


class TestSignals:
    @contextmanager
    def started(self, *words: object, skips: bool = False) -> Iterator[subprocess.Popen[str]]:
        """The command in a process of its own, after its first JSON lines; it may skip frames where ``skips`` is set.

        It heeds Ctrl-C also where the tests run in the background of a shell, which lets its jobs ignore that.
        """
        heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
        main = "from fcn_edge.cli.main import main; main()"
        command = [sys.executable, "-c", f"{heed}; {main}", "run", *map(str, words)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                # one more than is counted below: the last may not have been through every sink when a signal comes
                for index in range(6):
                    line = process.stdout.readline()
                    assert line, process.stderr.read() if process.stderr else ""
                    assert json.loads(line)["index"] == index or skips
                yield process
            finally:
                process.kill()

    def ended(self, process: subprocess.Popen[str], number: int) -> tuple[int, dict[str, Any], str]:
        """Exit code, last line of standard output and standard error after a signal."""
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
        assert "Traceback" not in err
        return process.returncode, json.loads(out.splitlines()[-1]), err

    @pytest.mark.parametrize("as_json", [False, True])
    def test_ctrl_c_leaves_playable_files(self, model: str, tmp_path: Path, as_json: bool) -> None:
        flags = ["--json"] if as_json else []
        with self.started(model, ENDLESS, tmp_path / "out.mp4", tmp_path / "masks", "-", *flags) as process:
            code, summary, err = self.ended(process, signal.SIGINT)
        assert code == 130
        assert summary["exit_code"] == 130
        assert summary["frames"] >= 5
        assert "Interrupted" in err
        assert len(frames_of(tmp_path / "out.mp4")) >= 5
        assert len(names_in(tmp_path / "masks")) >= 5
        for mask in (tmp_path / "masks").iterdir():
            assert read_labels(mask).shape == (64, 96)
        assert names_in(tmp_path) == ["masks", "out.mp4"]

    def test_sigterm_ends_well(self, model: str, tmp_path: Path) -> None:
        with self.started(model, ENDLESS, tmp_path / "out.mkv", "-") as process:
            code, summary, _ = self.ended(process, signal.SIGTERM)
        assert code == summary["exit_code"] == 0
        assert summary["frames"] >= 5
        assert len(frames_of(tmp_path / "out.mkv")) >= 5

    def test_sigkill_leaves_what_plays(self, model: str, tmp_path: Path) -> None:
        with self.started(model, f"{ENDLESS}&fps=2", tmp_path / "out.mp4", "-") as process:
            process.kill()
            process.wait()
        assert names_in(tmp_path) == ["out.mp4"]
        # six were handed over: the last second of them is not in a whole fragment, and four may wait for the encoder
        with av.open(str(tmp_path / "out.mp4")) as container:
            assert container.streams.video[0].codec_context.name == "h264"

    @pytest.mark.system
    @pytest.mark.parametrize("flags", [[], ["--json"]])
    def test_a_reader_that_stops_reading_keeps_nobody_waiting(
        self, model: str, tmp_path: Path, flags: list[str]
    ) -> None:
        live = [f"{ENDLESS}&fps=100", tmp_path / "masks", "-", "--realtime", *flags]
        with self.started(model, *live, skips=True) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            # a pipe of 64 KiB and what waits for it are full long before, and the masks still come
            until(lambda: len(names_in(tmp_path / "masks")) >= 250)
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=60)
            err = process.stderr.read()
        assert code == 6
        assert "were not written" in err
        assert "Traceback" not in err
        assert "Fatal" not in err

    def test_a_reader_that_goes_away_ends_it(self, model: str, tmp_path: Path) -> None:
        with self.started(model, ENDLESS, tmp_path / "out.mp4", "-") as process:
            assert process.stdout is not None
            process.stdout.close()
            assert process.wait(timeout=120) == 0
            assert process.stderr is not None
            assert "Traceback" not in process.stderr.read()
        assert len(frames_of(tmp_path / "out.mp4")) >= 5
