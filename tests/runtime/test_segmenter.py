from __future__ import annotations

import logging
import shutil
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_info

import fcn_edge
from fcn_edge.artifacts import models
from fcn_edge.backends import registry
from fcn_edge.backends.base import Probe, Session
from fcn_edge.backends.onnxruntime.cpu import OnnxRuntime
from fcn_edge.backends.options import RunOptions
from fcn_edge.builder import BuildRequest, build_engine
from fcn_edge.errors import DeviceError, FrameError, MachineError, ModelError, UsageError
from fcn_edge.runtime import segmenter as module
from fcn_edge.runtime.segmenter import Segmenter, load
from fcn_edge.testing.engine import FakeEngine, fake_spec


@pytest.fixture
def frame() -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    return np.ascontiguousarray(rng.integers(0, 256, (10, 14, 3), np.uint8).repeat(13, axis=0).repeat(11, axis=1))


@pytest.fixture(scope="session")
def engine(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An engine of the tiny model at 96x128."""
    directory = tmp_path_factory.mktemp("engines") / "tiny"
    build_engine(tiny.path, BuildRequest(backend="onnxruntime", size=(96, 128)), output=directory)
    return directory


def test_load_takes_an_onnx_file(tiny: Any, frame: NDArray[np.uint8]) -> None:
    with load(tiny.path) as segment:
        assert (segment.spec, segment.size, segment.backend) == (tiny.spec, (64, 96), "onnxruntime")
        result = segment(frame)
    assert result.labels.shape == frame.shape[:2]
    assert len(np.unique(result.labels)) >= 5
    assert result.frame is frame
    assert result.spec is segment.spec
    assert result.confidence is None
    assert min(result.timing.preprocess, result.timing.infer, result.timing.decode) > 0
    assert result.timing.capture == 0


def test_load_takes_an_engine(tiny: Any, engine: Path, frame: NDArray[np.uint8]) -> None:
    with load(engine) as built, load(str(tiny.path), size=(96, 128)) as direct:
        assert built.size == direct.size == (96, 128)
        np.testing.assert_array_equal(built(frame).labels, direct(frame).labels)


def test_load_takes_a_shipped_name(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frame: NDArray[np.uint8]
) -> None:
    (tmp_path / "shipped").mkdir()
    path = tmp_path / "shipped" / "model.onnx"
    shutil.copyfile(tiny.path, path)
    models.write_manifest(path.with_name("manifest.json"), models.manifest_for(models.resolved_model(path), {}))
    monkeypatch.setattr(models, "ZOO", tmp_path)
    with load("shipped") as segment:
        assert segment(frame).labels.shape == frame.shape[:2]


def test_load_runs_the_network_once(tiny_network: Callable[..., Any], tmp_path: Path) -> None:
    broken = tiny_network(tmp_path / "nan.onnx", bias=float("nan"))
    with pytest.raises(ModelError, match="NaN"):
        load(broken.path)


@pytest.mark.parametrize("size", [(64, 100), (0, 32), (-32, 32), (16, 32)])
def test_load_refuses_sizes_the_network_does_not_take(tiny: Any, size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="not a multiple of 32"):
        load(tiny.path, size=size)


def test_load_refuses_no_threads(tiny: Any) -> None:
    with pytest.raises(UsageError, match="threads is 0"):
        load(tiny.path, threads=0)


@pytest.mark.parametrize("how", [{"device": 1}, {"preprocess_on": "device"}])
def test_load_refuses_what_a_processor_does_not_have(tiny: Any, engine: Path, how: dict[str, Any]) -> None:
    for model in (tiny.path, engine):
        with pytest.raises(UsageError, match="onnxruntime runs on the processor"):
            load(model, **how)


@pytest.mark.parametrize("how", [{"device": -1}, {"preprocess_on": "both"}])
def test_load_refuses_options_that_make_no_sense(tiny: Any, how: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(how))):
        load(tiny.path, **how)


def test_load_hands_its_options_on(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    open_onnx = OnnxRuntime.open_onnx

    def opened(self: OnnxRuntime, path: Path, spec: Any, size: Any, options: RunOptions) -> Any:
        given.append(options)
        return open_onnx(self, path, spec, size, options)

    monkeypatch.setattr(OnnxRuntime, "open_onnx", opened)
    load(tiny.path, backend="onnxruntime", threads=1, graphs=False, preprocess_on="host").close()
    assert given == [RunOptions(threads=1, device=0, graphs=False, preprocess_on="host")]


def test_load_refuses_unknown_backends(tiny: Any) -> None:
    with pytest.raises(UsageError, match="no backend 'tpu'"):
        load(tiny.path, backend="tpu")


def test_load_says_which_library_a_backend_lacks(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    probe = Probe("", problem="The library is not installed.", fix="Install it.")
    monkeypatch.setattr("fcn_edge.backends.onnxruntime.cpu.OnnxRuntime.probe", lambda self, device=0: probe)
    with pytest.raises(MachineError, match="not installed"):
        load(tiny.path, backend="onnxruntime")


@pytest.mark.usefixtures("onnxruntime_alone")
def test_load_says_what_is_lacking_when_no_backend_is_here(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "fcn_edge.backends.onnxruntime.cpu.OnnxRuntime.probe", lambda self, device=0: Probe("", problem="Gone.")
    )
    with pytest.raises(MachineError, match="onnxruntime, which is not installed"):
        load(tiny.path)


def test_load_runs_onnx_files_with_onnx_runtime_and_with_others_when_told(tiny: Any) -> None:
    if not registry.backend("openvino").probe().available:
        pytest.skip("openvino is not installed")
    with load(tiny.path) as segment, load(tiny.path, backend="openvino") as other:
        assert (segment.backend, other.backend) == ("onnxruntime", "openvino")


def test_engine_of_another_size_says_how_to_build_one(engine: Path, tiny: Any) -> None:
    with pytest.raises(UsageError, match=r"was built for 96x128") as caught:
        load(engine, size=(64, 96))
    command = f"fcn-edge build {tiny.path} --backend onnxruntime --precision fp32 --size 64x96 -o {engine}"
    assert command in caught.value.fix
    with load(engine, size=(96, 128)) as segment:
        assert segment.size == (96, 128)


def test_engine_of_another_backend_says_so(engine: Path) -> None:
    with pytest.raises(UsageError, match="built for the backend onnxruntime, not openvino"):
        load(engine, backend="openvino")
    load(engine, backend="onnxruntime").close()


def test_load_leaves_the_process_s_thread_pools_alone(tiny: Any) -> None:
    before = cv2.getNumThreads(), [pool["num_threads"] for pool in threadpool_info()]
    with load(tiny.path):
        assert (cv2.getNumThreads(), [pool["num_threads"] for pool in threadpool_info()]) == before


def logged(caplog: pytest.LogCaptureFixture, tiny: Any) -> str:
    with caplog.at_level(logging.INFO, logger="fcn_edge"):
        load(tiny.path, backend="onnxruntime").close()
    return "\n".join(caplog.messages)


def test_load_logs_where_it_runs(tiny: Any, caplog: pytest.LogCaptureFixture) -> None:
    text = logged(caplog, tiny)
    assert "tiny-0 runs on" in text
    assert "onnxruntime" in text
    assert "64x96" in text
    assert "GPU" not in text


def test_load_says_how_to_find_the_fastest_backend(
    tiny: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda library: library if library == "openvino" else None)
    with caplog.at_level(logging.INFO, logger="fcn_edge"):
        load(tiny.path).close()
    assert f"openvino may be faster here. To time both and keep the faster: fcn-edge build {tiny.path}" in caplog.text
    caplog.clear()
    logged(caplog, tiny)  # a backend was named
    assert "faster" not in caplog.text
    monkeypatch.setattr(module, "find_spec", lambda library: None)
    with caplog.at_level(logging.INFO, logger="fcn_edge"):
        load(tiny.path).close()
    assert "faster" not in caplog.text


def test_load_warns_of_a_gpu_that_stays_idle(
    tiny: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(module, "idle_gpu", lambda *words: asked.append(words) or "It is idle.")
    monkeypatch.setattr(module, "find_spec", lambda library: library if library == "openvino" else None)
    with caplog.at_level(logging.INFO, logger="fcn_edge"):
        load(tiny.path, size=(96, 128)).close()
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == ["It is idle."]
    assert "faster" not in caplog.text  # one advice at a time
    ((model, size, backend),) = asked
    assert (model.path, size, backend) == (tiny.path, (96, 128), "auto")


def test_confidence_is_given_when_asked_for(tiny: Any, frame: NDArray[np.uint8]) -> None:
    with load(tiny.path) as segment:
        plain = segment(frame)
        sure = segment(frame, confidence=True)
        assert sure.confidence is not None
        np.testing.assert_array_equal(sure.labels, plain.labels)
        threshold = float(np.median(sure.confidence))
        unknown = segment(frame, unknown_below=threshold)
        void = unknown.labels == segment.spec.void
        np.testing.assert_array_equal(void, sure.confidence < threshold)
        assert 0.2 < unknown.void_share < 0.8
        with pytest.raises(UsageError, match="threshold"):
            segment(frame, unknown_below=60)


def test_confidence_of_a_labels_head_is_refused(tiny_network: Callable[..., Any], tmp_path: Path) -> None:
    network = tiny_network(tmp_path / "labels.onnx", head="labels")
    with load(network.path) as segment:
        image = np.zeros((64, 96, 3), np.uint8)
        assert segment(image).labels.shape == (64, 96)
        with pytest.raises(ModelError, match="ends in labels"):
            segment(image, confidence=True)


@pytest.mark.parametrize(
    "wrong",
    [
        [[0, 0, 0]],
        "frame.png",
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3)),
        np.zeros((0, 8, 3), np.uint8),
    ],
    ids=["list", "path", "gray", "alpha", "floats", "empty"],
)
def test_what_is_no_frame_is_one_sentence(wrong: Any) -> None:
    with Segmenter(FakeEngine()) as segment, pytest.raises(FrameError) as caught:
        segment(wrong)
    assert caught.value.fix
    assert "\n" not in caught.value.message


def test_a_segmenter_takes_any_engine(frame: NDArray[np.uint8]) -> None:
    engine = FakeEngine(fail_at=2)
    with Segmenter(engine) as segment:
        segment(frame)
        with pytest.raises(DeviceError):
            segment(frame)
        assert repr(segment) == "Segmenter(fake, 64x96, fake)"
    assert engine.closed
    assert engine.sessions[0].closed


def test_streams_have_sessions_of_their_own(frame: NDArray[np.uint8]) -> None:
    engine = FakeEngine()
    segment = Segmenter(engine)
    first, second = segment.session_for_stream(), segment.session_for_stream()
    assert len({first, second, segment.session}) == 3
    first.labels(frame)
    first.close()
    assert second.labels(frame).shape == frame.shape[:2]
    segment.close()
    assert all(session.closed for session in engine.sessions)


class Forgetful(FakeEngine):
    """An engine that does not keep its sessions."""

    def session(self) -> Session:
        made = super().session()
        self.sessions.clear()
        return made


def test_streams_that_end_are_forgotten() -> None:
    with Segmenter(Forgetful()) as segment:
        seen = []
        for _ in range(1000):
            with segment.session_for_stream() as session:
                seen.append(weakref.ref(session))
        del session
        assert sum(made() is not None for made in seen) <= 1
        open_ones = [segment.session_for_stream() for _ in range(3)]
        last = segment.session_for_stream()
        last.close()
        segment.session_for_stream().close()
    assert all(session.closed for session in (segment.session, *open_ones))


def test_closed_segmenter_says_so(tiny: Any, frame: NDArray[np.uint8]) -> None:
    segment = load(tiny.path)
    segment.close()
    segment.close()
    with pytest.raises(UsageError, match="closed"):
        segment(frame)
    with pytest.raises(UsageError, match="closed"):
        segment.session_for_stream()


def test_no_session_is_left_open_that_is_asked_for_while_the_segmenter_closes() -> None:
    making, go_on = threading.Event(), threading.Event()

    class Slow(FakeEngine):
        def session(self) -> Session:
            made = super().session()
            if len(self.sessions) > 1:
                making.set()
                go_on.wait(0.2)  # time for a close that does not wait for this session
            return made

    engine = Slow()
    segment = Segmenter(engine)
    asking = threading.Thread(target=segment.session_for_stream)
    asking.start()
    assert making.wait(60)
    segment.close()
    go_on.set()
    asking.join()
    assert [session.closed for session in engine.sessions] == [True, True]
    assert engine.closed
    with pytest.raises(UsageError, match="The segmenter is closed"):
        segment.session_for_stream()


@pytest.mark.parametrize("sessions", [0, 1])
def test_load_closes_the_engine_when_it_fails(tiny: Any, monkeypatch: pytest.MonkeyPatch, sessions: int) -> None:
    """Without a session, or with one whose first frame fails."""

    class Full(FakeEngine):
        def session(self) -> Session:
            if not sessions:
                raise MachineError("The memory of the GPU is full.")
            return super().session()

    engine = Full(fail_at=1, error=MachineError("The memory of the GPU is full."))
    monkeypatch.setattr(OnnxRuntime, "open_onnx", lambda *_: engine)
    with pytest.raises(MachineError, match="full"):
        load(tiny.path, backend="onnxruntime")
    assert engine.closed
    assert [session.closed for session in engine.sessions] == [True] * sessions


def test_warm_up_takes_the_size_of_the_frames_to_come() -> None:
    seen: list[tuple[int, ...]] = []

    def scores(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        seen.append(image.shape)
        return np.zeros((11, 8, 12), np.float32)

    with Segmenter(FakeEngine(fake_spec(), scores=scores)) as segment:
        segment.warm_up((33, 77))
        segment.warm_up()
    assert seen == [(64, 96, 3)] * 2


def test_it_is_what_the_package_exports() -> None:
    assert fcn_edge.load is load
    assert fcn_edge.Segmenter is Segmenter
