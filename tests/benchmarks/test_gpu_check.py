"""The GPU check on a fake GPU whose kernels are their own source, compiled for the host."""

from __future__ import annotations

import copy
import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.errors import cuda_error, no_driver
from fcn_edge.backends.cuda.providers import cuda_python, pycuda
from fcn_edge.builder import tuner
from fcn_edge.errors import DeviceError, FcnEdgeError, GuardError, MachineError
from fcn_edge.system.cuda_driver import loaded_driver
from fcn_edge.testing.engine import fake_spec
from fcn_edge.testing.gpu import FakeGpu, FakeKernel

from ..backends.cuda.rig import emulated_kernels

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SMALL = ("--size", "64x96", "--batch", "2", "--quick")
OUTPUTS = {"decode_fp32": 1, "decode_fp16": 1, "overlay": 5, "preprocess": 6}
"""Which argument of each kernel is the address that it writes to."""


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """``gpu_check`` on frames that are quickly drawn."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setenv("FCN_EDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(import_module("gpu.scores"), "FRAME_SIZE", (90, 160))
    for name, value in {"_SCRATCH_BYTES": 64, "_FILLS": 2}.items():  # the fake fills at the host's speed
        monkeypatch.setattr(import_module("gpu.workbench"), name, value)
    module = import_module("gpu_check")
    settings = module.Settings
    # sessions are timed for as long as they are told, whatever they do
    monkeypatch.setattr(module, "Settings", lambda *words, **how: settings(*words, **{**how, "seconds": 0.02}))
    return module


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FakeKernel]:
    return emulated_kernels(tmp_path_factory.mktemp("kernels"))


@pytest.fixture
def run(script: ModuleType, monkeypatch: pytest.MonkeyPatch, kernels: dict[str, FakeKernel]) -> Callable[..., Result]:
    """Runs the script where cuda-python reaches a fake GPU and pycuda is not installed."""

    def run(*words: str, gpu: dict[str, Any] | None = None, **replaced: FakeKernel) -> Result:
        made: list[FakeGpu] = []

        def open_gpu(index: int) -> FakeGpu:
            made.append(FakeGpu({**kernels, **replaced}, **(gpu or {})))
            return made[-1]

        monkeypatch.setattr(cuda_python, "open_gpu", open_gpu)
        monkeypatch.setattr(pycuda, "open_gpu", lambda index: None)
        done = CliRunner().invoke(script.main, [*SMALL, *words])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert made
        assert [one.leftovers for one in made if one.leftovers or not one.closed] == []
        return done

    return run


@pytest.fixture
def known_kernels(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernels' own checks, which take the longest, have been made: for tests of the engines after them."""
    nothing = {
        "library": "fake",
        "agreement": [],
        "speed": {"kernels": [], "copy": {"bytes_per_s": 1.0}},
        "sessions": [],
    }
    monkeypatch.setattr(script, "through", lambda *_: copy.deepcopy(nothing))


def spoiled(kernel: FakeKernel, argument: int) -> FakeKernel:
    """A kernel that gets the first byte of what it writes wrong."""

    def wrong(memory: Any, grid: Any, block: Any, arguments: tuple[Any, ...]) -> None:
        kernel(memory, grid, block, arguments)
        memory.view(arguments[argument], np.uint8, 1)[0] ^= 64

    return wrong


def test_what_agrees_ends_with_0(run: Callable[..., Result], tmp_path: Path) -> None:
    done = run("-o", str(tmp_path / "out" / "results.json"))
    assert done.exit_code == 0, done.output
    assert "Everything agrees." in done.stdout
    result = json.loads((tmp_path / "out" / "results.json").read_text())
    assert result["failures"] == []
    assert result["gpu"]["name"] == "Fake GPU"
    assert result["machine"]["software"]["packages"]["numpy"] == np.__version__
    assert (result["settings"]["size"], result["settings"]["batch"]) == ([64, 96], 2)
    assert result["frames"] == "2 of rendered streets"

    assert result["providers"]["pycuda"].keys() == {"absent"}
    provider = result["providers"]["cuda-python"]
    assert {row["kernel"] for row in provider["agreement"]} == {
        "decode float32",
        "decode float16",
        "overlay",
        "preprocess",
    }
    assert any("rendered streets" in row["input"] for row in provider["agreement"])
    assert all(row["agree"] for row in provider["agreement"])

    rows = provider["speed"]["kernels"]
    assert provider["speed"]["copy"]["bytes_per_s"] > 0
    assert all(row["us_a_frame"] > 0 and row["bytes_per_s"] > 0 and row["times_copy"] > 0 for row in rows)
    decoders = [row for row in rows if row["kernel"].startswith("decode")]
    noise = next(row for row in decoders if row["input"] == "noise")
    assert noise["border_cells"] > max(row["border_cells"] for row in decoders if row is not noise)
    assert not [row for row in rows if "met" in row]  # so small a batch says nothing

    assert [(row["graph"], row["wrong_pixels"]) for row in provider["sessions"]] == [(True, 0), (False, 0)]
    for row in provider["sessions"]:
        assert row["gpu_ms"].keys() == {"host_to_device", "compute", "device_to_host", "enqueue"}
        assert row["gpu_ms"].pop("enqueue") > 0
        # the fake takes a microsecond a step: a copy and its event; the kernels, the network, the flag
        assert row["gpu_ms"] == {"host_to_device": 0.002, "compute": 0.007, "device_to_host": 0.002}
    assert done.stdout.count("(H2D 0.002, compute 0.007, D2H 0.002, enqueue ") == 2
    assert [row["backend"] for row in result["engines"]] == ["tensorrt", "tensorrt-rtx", "onnxruntime-cuda"]
    assert all(row["absent"] for row in result["engines"])


@pytest.mark.parametrize("entry", OUTPUTS)
def test_a_wrong_kernel_ends_with_4(
    run: Callable[..., Result], kernels: dict[str, FakeKernel], tmp_path: Path, entry: str
) -> None:
    wrong = spoiled(kernels[entry], OUTPUTS[entry])
    done = run("--no-engines", "-o", str(tmp_path / "results.json"), **{entry: wrong})
    assert done.exit_code == 4
    named = {"decode_fp32": "decode float32", "decode_fp16": "decode float16"}.get(entry, entry)
    failures = json.loads((tmp_path / "results.json").read_text())["failures"]
    assert any(f"cuda-python: {named} disagrees on" in failure for failure in failures)
    assert all(failure in done.stdout for failure in failures)
    assert done.stderr.startswith(f"Error: {len(failures)} checks failed on Fake GPU.")
    assert ("a session" in done.stdout) == (entry == "decode_fp16")  # the scores that sessions decode here


def test_a_kernel_that_finds_no_nan_ends_with_4(run: Callable[..., Result], kernels: dict[str, FakeKernel]) -> None:
    def blind(memory: Any, grid: Any, block: Any, arguments: tuple[Any, ...]) -> None:
        kernels["decode_fp32"](memory, grid, block, arguments)
        memory.view(arguments[2], np.int32, 1)[0] = 0

    done = run("--no-engines", decode_fp32=blind)
    assert done.exit_code == 4
    assert "decode float32 disagrees on one NaN among noise 1x11x8x12 (it was not found)" in done.stdout


def test_a_library_that_fails_midway_ends_with_4(run: Callable[..., Result], tmp_path: Path) -> None:
    done = run("--no-engines", "-o", str(tmp_path / "results.json"), gpu={"total_bytes": 50_000})
    assert done.exit_code == 4
    assert "cuda-python: failed: The GPU has no memory left" in done.stdout
    assert json.loads((tmp_path / "results.json").read_text())["providers"]["cuda-python"].keys() == {"failed"}


def test_a_missed_target_ends_with_4(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    speed = import_module("gpu.speed")
    for name, value in {"JUDGED_AT": (64, 96), "LEAST_BATCH": 2, "MOST_TIMES_COPY": 1e-9}.items():
        monkeypatch.setattr(speed, name, value)
    done = run("--no-engines")
    assert done.exit_code == 4
    (failure,) = [line for line in done.stdout.splitlines() if line.startswith("cuda-python: ")]
    assert "times a copy on camvid-mobilenet_v2-fcn8s on rendered streets, widened to 19 classes" in failure


def test_a_board_and_a_library_without_graphs_are_timed_without(run: Callable[..., Result], tmp_path: Path) -> None:
    gpu = {"has_graphs": False, "integrated": True}
    done = run("--no-engines", "-o", str(tmp_path / "results.json"), gpu=gpu)
    assert done.exit_code == 0, done.output
    provider = json.loads((tmp_path / "results.json").read_text())["providers"]["cuda-python"]
    assert [row.get("absent") for row in provider["sessions"]] == ["fake cannot capture them.", None]
    assert {row["launches_in_a_graph"] for row in provider["speed"]["kernels"] if "launches_in_a_graph" in row} == {
        False
    }
    times = provider["sessions"][1]["gpu_ms"]
    assert (times["host_to_device"], times["compute"], times["device_to_host"]) == (0.002, 0.006, None)
    assert "(H2D 0.002, compute 0.006, D2H none, enqueue " in done.stdout


@pytest.mark.parametrize("likeness", [0.9, 1.1])
def test_engines_are_held_against_the_processor(
    run: Callable[..., Result],
    known_kernels: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    likeness: float,
) -> None:
    """ONNX Runtime's engines on the processor stand in for those on a GPU."""
    engines = import_module("gpu.engines")
    monkeypatch.setattr(engines, "BACKENDS", ("onnxruntime",))
    monkeypatch.setattr(engines, "PRECISIONS", ("fp32",))
    monkeypatch.setattr(tuner, "frames_to_time", lambda: [np.zeros((64, 96, 3), np.uint8)])
    monkeypatch.setattr(import_module("fcn_edge.evaluation.guard"), "LEAST_LIKENESS", likeness)
    done = run("-o", str(tmp_path / "results.json"))
    assert done.exit_code == (0 if likeness < 1 else 4), done.output
    (row,) = json.loads((tmp_path / "results.json").read_text())["engines"]
    assert (row["backend"], row["precision"], row["size"], row["agree"]) == (
        "onnxruntime",
        "fp32",
        [64, 96],
        likeness < 1,
    )
    assert row["speed"].keys() == {"no graph"}
    assert row["speed"]["no graph"]["end_to_end_ms"] > 0
    assert row["gpu_ms"] == {"no graph": None}
    assert "of the pixels as fp32 has them" in done.stdout


@pytest.mark.parametrize(
    "error",
    [
        DeviceError("TensorRT failed to run the network.", "Start the program again."),
        MachineError("The process that built the plan was ended by SIGSEGV."),
        GuardError("This library does int8 as fp16."),
    ],
)
def test_an_engine_that_fails_after_its_probe_ends_with_4(
    run: Callable[..., Result],
    known_kernels: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    error: FcnEdgeError,
) -> None:
    def build_engine(*_: Any, **__: Any) -> None:
        raise error

    engines = import_module("gpu.engines")
    monkeypatch.setattr(engines, "BACKENDS", ("onnxruntime",))
    monkeypatch.setattr(engines, "PRECISIONS", ("fp32",))
    monkeypatch.setattr(engines, "build_engine", build_engine)
    done = run("-o", str(tmp_path / "results.json"))
    assert done.exit_code == 4, done.output
    result = json.loads((tmp_path / "results.json").read_text())
    (row,) = result["engines"]
    assert row == {"backend": "onnxruntime", "precision": "fp32", "failed": str(error), "agree": False}
    assert result["failures"] == [f"onnxruntime fp32: {error}"]


def test_tensorrt_is_run_without_graphs_too(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    trt = pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")
    engines, runtime = import_module("gpu.engines"), import_module("fcn_edge.backends.tensorrt.runtime.engine")
    asked: dict[str, Any] = {}

    def opened(*arguments: Any, **how: Any) -> None:
        asked.update(inspect.signature(real).bind(*arguments, **how).arguments)

    real = runtime.opened
    monkeypatch.setattr(runtime, "opened", opened)
    closed: list[Path] = []
    monkeypatch.setattr(engines, "open_engine", lambda path: SimpleNamespace(close=lambda: closed.append(path)))
    manifest = SimpleNamespace(backend="tensorrt-rtx", plan_file="model.plan", spec=fake_spec(), size=(64, 96))
    devices = iter(["first", "second"])
    given = []
    for _ in engines._opened(Path("engine"), manifest, lambda: next(devices)):
        given.append((asked["device"], asked["options"].graphs))
        assert (asked["plan"], asked["library"]) == (Path("engine/model.plan"), trt)
        assert (asked["backend"], asked["size"]) == ("tensorrt-rtx", (64, 96))
    assert given == [("first", True), ("second", False)]
    assert closed == [Path("engine")]


@pytest.fixture
def gpu_engines(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines of stored scores on the fake GPU stand in for TensorRT's, with graphs and without."""
    engines, stored = import_module("gpu.engines"), import_module("gpu.sessions")._StoredEngine

    def opened(directory: Path, manifest: Any, open_device: Callable[[], Any]) -> Any:
        size = manifest.size
        scores = np.zeros((len(manifest.spec.classes), size[0] // 8, size[1] // 8), np.float16)
        for graphs in (True, False):
            yield stored(open_device(), SimpleNamespace(spec=manifest.spec, size=size), scores, graphs)

    monkeypatch.setattr(engines, "BACKENDS", ("onnxruntime",))
    monkeypatch.setattr(engines, "PRECISIONS", ("fp32",))
    monkeypatch.setattr(engines, "_opened", opened)
    monkeypatch.setattr(tuner, "frames_to_time", lambda: [np.zeros((64, 96, 3), np.uint8)])
    monkeypatch.setattr(import_module("fcn_edge.evaluation.guard"), "LEAST_LIKENESS", 0.0)


@pytest.mark.parametrize(("has_graphs", "kinds"), [(True, ["graph", "no graph"]), (False, ["no graph"])])
def test_engines_are_named_by_whether_their_frames_were_graphs(
    run: Callable[..., Result], gpu_engines: None, tmp_path: Path, has_graphs: bool, kinds: list[str]
) -> None:
    done = run("-o", str(tmp_path / "results.json"), gpu={"has_graphs": has_graphs})
    assert done.exit_code == 0, done.output
    (row,) = json.loads((tmp_path / "results.json").read_text())["engines"]
    assert list(row["speed"]) == list(row["masks"]) == list(row["gpu_ms"]) == kinds
    assert done.stdout.count("(H2D 0.002, compute 0.007, D2H 0.002, enqueue ") == 2 * len(kinds)  # sessions, too


def test_a_capture_that_fails_ends_with_4(
    run: Callable[..., Result], gpu_engines: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    end = FakeGpu.capture_end

    def capture_end(gpu: FakeGpu, stream: int) -> int:
        gpu.graph_destroy(end(gpu, stream))
        raise cuda_error("cuStreamEndCapture", "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED")

    monkeypatch.setattr(FakeGpu, "capture_end", capture_end)
    monkeypatch.setattr(import_module("gpu.workbench").Workbench, "at_once", lambda bench, work: (work, False))
    done = run("-o", str(tmp_path / "results.json"))
    assert done.exit_code == 4, done.output
    result = json.loads((tmp_path / "results.json").read_text())
    reason = "The GPU failed in cuStreamEndCapture: CUDA_ERROR_STREAM_CAPTURE_INVALIDATED."
    assert result["failures"] == [
        f"cuda-python: a session with a graph: It is not captured: {reason}",
        f"onnxruntime fp32: frames are not captured into a graph: {reason}",
    ]
    assert list(result["engines"][0]["speed"]) == ["no graph"]


def test_work_is_enqueued_while_the_gpu_is_busy(script: ModuleType) -> None:
    gpu = FakeGpu()
    with Device(gpu) as device, import_module("gpu.workbench").Workbench(device) as bench:
        pointer = bench.room(8)
        ns = bench.median_ns(lambda: bench.stream.fill(pointer, 7, 8), 3, 0.0)
    assert ns == 2000  # the fake takes a microsecond a step: the work and the last event
    timed = gpu.calls[gpu.calls.index(("fill", 0, 64)) :]
    once = [("fill", 0, 64), ("fill", 0, 64), ("event_record",), ("fill", 7, 8), ("event_record",)]
    assert timed[: 3 * 7] == [*once, ("event_synchronize",), ("event_elapsed_ms",)] * 3


def test_engines_run_through_a_library_that_has_graphs(script: ModuleType) -> None:
    with_graphs = import_module("gpu.providers").with_graphs
    without, other = (partial(lambda graphs: Device(FakeGpu(has_graphs=graphs)), graphs) for graphs in (False, True))
    missing = MachineError("It is not installed.")
    assert with_graphs({"pycuda": without, "cuda-python": other}) is other
    assert with_graphs({"pycuda": without, "cuda-python": missing}) is without
    assert with_graphs({"pycuda": missing, "cuda-python": other}) is other


def test_no_gpu_ends_with_6(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_gpu(index: int) -> None:
        raise no_driver("libcuda.so.1 is missing")

    monkeypatch.setattr(pycuda, "open_gpu", lambda index: None)
    monkeypatch.setattr(cuda_python, "open_gpu", no_gpu)
    for words, fix in (((), "Install NVIDIA's driver"), (("--provider", "pycuda"), "pip install 'fcn_edge[pycuda]'")):
        done = CliRunner().invoke(script.main, words)
        assert done.exit_code == 6
        assert fix in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert done.stdout == ""


@pytest.mark.skipif(not loaded_driver().problem, reason="this machine has an NVIDIA GPU")
def test_as_people_run_it_without_a_gpu() -> None:
    command = [sys.executable, BENCHMARKS / "gpu_check.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (6, "")
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.splitlines()) == 1


def test_frames_of_a_video_lie_apart(script: ModuleType, tmp_path: Path) -> None:
    video = tmp_path / "drive.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"MJPG"), 25.0, (96, 64))
    for level in range(100):
        writer.write(np.full((64, 96, 3), 2 * level, np.uint8))
    writer.release()
    frames, source = import_module("gpu.scores").frames_of(video, 3)
    assert source == "drive.avi"
    assert [frame.mean() for frame in frames] == pytest.approx([0, 60, 120], abs=4)  # JPEG rounds


def test_widened_scores_are_the_network_s_own_with_rare_classes(script: ModuleType) -> None:
    scores = import_module("gpu.scores")
    own = scores.smooth((3, 11, 32, 64))
    wide = scores.widened(own, 19)
    assert (wide.shape, wide.dtype) == ((3, 19, 32, 64), np.float32)
    np.testing.assert_array_equal(wide[:, :11], own)
    assert 0 < (wide.argmax(axis=1) >= 11).mean() < 0.5
    assert 0 < scores.border_share(own) < scores.border_share(scores.noise(own.shape))
    assert scores.border_share(np.zeros((1, 2, 4, 4), np.float32)) == 0


def test_a_board_s_clocks_are_read_where_it_keeps_them(script: ModuleType, tmp_path: Path) -> None:
    facts = import_module("gpu.facts")
    gpu = tmp_path / "sys/class/devfreq/17000000.ga10b"
    gpu.mkdir(parents=True)
    (gpu / "cur_freq").write_text("1020000000\n")
    assert facts.clocks(tmp_path)["devfreq_hz"] == {
        "17000000.ga10b": {"cur_freq": "1020000000", "min_freq": None, "max_freq": None}
    }
