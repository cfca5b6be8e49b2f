"""ONNX Runtime's GPU backend on a fake GPU; the networks run on the real library's CPU provider where they must run."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fcn_edge.artifacts.device import DeviceInfo
from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.errors import GpuMemoryError
from fcn_edge.backends.onnxruntime import cuda as module
from fcn_edge.backends.onnxruntime import library as onnxruntime_library
from fcn_edge.backends.onnxruntime.cpu import OnnxRuntime
from fcn_edge.backends.onnxruntime.cuda import OnnxRuntimeCuda
from fcn_edge.backends.options import RunOptions
from fcn_edge.errors import DeviceError, MachineError, MissingExtraError, ModelError, UsageError
from fcn_edge.system.cuda_wheels import onnxruntime_wheels_for_any
from fcn_edge.testing.gpu import FakeGpu

from ..cuda.gpu import KERNELS

onnxruntime = pytest.importorskip("onnxruntime")

SIZE = (64, 96)
IMAGE = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8).repeat(12, axis=0).repeat(12, axis=1)


KEYS = ("session.disable_cpu_ep_fallback", "session.record_ep_graph_assignment_info")
NOT_ON_GPU = (
    "[ONNXRuntimeError] : 1 : FAIL : This session contains graph nodes that are assigned to the default CPU EP, but "
    "fallback to CPU EP has been explicitly disabled by the user."
)


def config(options: Any, key: str) -> str:
    """An entry of a session's configuration; empty where there is none."""
    try:
        return str(options.get_session_config_entry(key))
    except RuntimeError:
        return ""


class Binding:
    """An ``IOBinding`` that remembers pointers."""

    def __init__(self) -> None:
        self.bound: dict[str, tuple[Any, ...]] = {}

    def bind_input(
        self, name: str, device_type: str, device_id: int, element_type: Any, shape: Any, buffer_ptr: int
    ) -> None:
        self.bound["input"] = (name, device_type, device_id, element_type, tuple(shape), buffer_ptr)

    def bind_output(
        self,
        name: str,
        device_type: str = "cpu",
        device_id: int = 0,
        element_type: Any = None,
        shape: Any = None,
        buffer_ptr: int | None = None,
    ) -> None:
        self.bound["output"] = (name, device_type, device_id, element_type, tuple(shape), buffer_ptr)


class Library:
    """ONNX Runtime with a CUDA provider that is the real library's CPU provider on a fake GPU's memory.

    Attributes:
        made: What every session was made with.
        options: The configuration of every session that was to be made.
        loads: The CUDA provider loads.
        lacking: Operators that it has no kernels for.
        tells: Sessions tell what runs where.
    """

    __version__ = "1.99"

    def __init__(self, gpu: FakeGpu) -> None:
        self.gpu = gpu
        self.made: list[Any] = []
        self.entries: dict[str, str] = {}
        self.preloads: list[int] = []
        self.options: list[dict[str, str]] = []
        self.loads = True
        self.lacking: tuple[str, ...] = ()
        self.tells = True
        self.SessionOptions = onnxruntime.SessionOptions

    def get_available_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def preload_dlls(self, cuda: bool = True, cudnn: bool = True, msvc: bool = True, directory: Any = None) -> None:
        print("Failed to load libcublas.so.12")  # noqa: T201
        self.preloads.append(len(self.made))

    def RunOptions(self) -> Any:
        return SimpleNamespace(add_run_config_entry=self.entries.__setitem__)

    def InferenceSession(
        self, path: str, options: Any, providers: Any, enable_fallback: bool, disabled_optimizers: list[str]
    ) -> Any:
        assert disabled_optimizers == ["WeightBiasQuantization"]
        if providers == ["CPUExecutionProvider"]:
            return onnxruntime.InferenceSession(path, options, providers=providers)
        ((provider, settings),) = providers
        assert provider == "CUDAExecutionProvider"
        assert not enable_fallback
        gpu = self.gpu
        assert gpu.entered
        self.options.append({key: entry for key in KEYS if (entry := config(options, key))})
        if config(options, KEYS[0]) == "1":
            if not self.loads or self.lacking:
                raise RuntimeError(NOT_ON_GPU)
            # the real library's provider is the processor's
            options.add_session_config_entry(KEYS[0], "0")
        self.made.append(settings)
        real = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        stream, memory = int(settings["user_compute_stream"]), gpu.memory

        def run_with_iobinding(binding: Binding, run_options: Any) -> None:
            source, target = binding.bound["input"], binding.bound["output"]
            assert (source[2], target[2], settings["device_id"]) == (gpu.facts.index,) * 2 + (str(gpu.facts.index),)

            def run() -> None:
                image = memory.view(source[5], source[3], source[4])
                memory.view(target[5], target[3], target[4])[...] = real.run([target[0]], {source[0]: image})[0]

            gpu.enqueue(stream, "run", run, (source[5], target[5]))

        nodes = [SimpleNamespace(op_type=operator) for operator in self.lacking]
        parts = [
            SimpleNamespace(ep_name=provider, get_nodes=lambda: [SimpleNamespace(op_type="Conv")]),
            SimpleNamespace(ep_name="CPUExecutionProvider", get_nodes=lambda: nodes),
        ]
        return SimpleNamespace(
            **({"get_provider_graph_assignment_info": lambda: parts} if self.tells else {}),
            get_inputs=real.get_inputs,
            get_outputs=real.get_outputs,
            get_providers=lambda: self.get_available_providers() if self.loads else ["CPUExecutionProvider"],
            io_binding=Binding,
            run_with_iobinding=run_with_iobinding,
        )


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Library:
    gpu = FakeGpu(KERNELS)
    made = Library(gpu)
    for place in (module, onnxruntime_library):
        monkeypatch.setattr(place, "library", lambda *_: made)
    monkeypatch.setattr(module, "open_device", lambda index: Device(gpu, tmp_path / "kernels"))
    return made


@pytest.fixture
def network(tmp_path: Path, tiny_network: Callable[..., Any]) -> Callable[..., Any]:
    return lambda **how: tiny_network(tmp_path / "m.onnx", **how)


@pytest.mark.parametrize("how", [{}, {"batched": False}, {"head": "labels"}], ids=["batch", "no batch", "labels"])
def test_masks_are_those_of_the_processor(library: Library, network: Any, tmp_path: Path, how: dict[str, Any]) -> None:
    made = network(**how)
    (tmp_path / "engine").mkdir()
    built = OnnxRuntimeCuda().build(made.path, tmp_path / "engine", SIZE)
    assert built.files == ("model.onnx",)
    with OnnxRuntime().open_onnx(made.path, made.spec, SIZE) as host, host.session() as session:
        expected = session.labels(IMAGE)
    with OnnxRuntimeCuda().open(tmp_path / "engine", made.spec, SIZE) as engine, engine.session() as session:
        assert engine.backend == "onnxruntime-cuda"
        np.testing.assert_array_equal(session.labels(IMAGE), expected)
    assert library.gpu.leftovers == []


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_an_int8_graph_that_runs_in_floats_is_warned_of_once(
    network: Any, precision: str, caplog: pytest.LogCaptureFixture
) -> None:
    made = network()
    spec = made.spec.replace(precision=precision, profile="tensorrt" if precision == "int8" else None)
    with OnnxRuntimeCuda().open_onnx(made.path, spec, SIZE) as engine, engine.session(), engine.session():
        said = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert len(said) == (precision == "int8")
    assert all(f"{made.path} is an int8 graph" in one and "--backend tensorrt" in one for one in said)


def test_cuda_s_wheels_are_loaded_once_and_before_the_first_session(
    library: Library, network: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    made = network()
    first = OnnxRuntimeCuda().open_onnx(made.path, made.spec, SIZE)
    with first, first.session():
        OnnxRuntimeCuda().open_onnx(made.path, made.spec, SIZE)
    assert library.preloads == [0]
    assert capsys.readouterr().out == ""


def test_older_libraries_load_nothing(library: Library, network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Library, "preload_dlls")
    made = network()
    with OnnxRuntimeCuda().open_onnx(made.path, made.spec, SIZE) as engine, engine.session() as session:
        session.labels(IMAGE)


def test_each_session_runs_on_its_own_stream_and_does_not_wait(library: Library, network: Any) -> None:
    made = network()
    engine = OnnxRuntimeCuda().open_onnx(made.path, made.spec, SIZE)
    with engine, engine.session() as first, engine.session() as second:
        streams = [str(session._stream.handle) for session in (first, second)]  # type: ignore[attr-defined]
        library.gpu.calls.clear()
        first.labels(IMAGE)
    assert [settings["user_compute_stream"] for settings in library.made] == streams
    assert len(set(streams)) == 2
    assert library.entries == {"disable_synchronize_execution_providers": "1"}
    assert ("capture_begin",) not in library.gpu.calls


def test_a_provider_that_does_not_load_is_told(library: Library, network: Any) -> None:
    library.loads = False
    made = network()
    engine = OnnxRuntimeCuda().open_onnx(made.path, made.spec, SIZE)
    with engine, pytest.raises(MachineError, match="its CUDA provider does not load"):
        engine.session()
    assert library.gpu.leftovers == []


def test_sessions_keep_all_of_a_network_on_the_gpu(library: Library, network: Any) -> None:
    made = network()
    with OnnxRuntimeCuda().open_onnx(made.path, made.spec, SIZE) as engine, engine.session():
        pass
    with OnnxRuntime().open_onnx(made.path, made.spec, SIZE) as engine, engine.session():
        pass  # which would refuse to be configured so
    assert library.options == [{"session.disable_cpu_ep_fallback": "1"}]


@pytest.mark.parametrize(("tells", "named"), [(True, "ArgMax, Resize"), (False, "some operators")])
def test_an_operator_without_a_kernel_is_an_error_and_no_slow_network(
    library: Library, network: Any, tells: bool, named: str
) -> None:
    library.lacking, library.tells = ("Resize", "ArgMax", "Resize"), tells
    made = network()
    engine = OnnxRuntimeCuda().open_onnx(made.path, made.spec, SIZE)
    with engine, pytest.raises(MachineError) as caught:
        engine.session()
    assert caught.value.message.startswith(
        f"ONNX Runtime 1.99 runs {named} of {made.path} on the processor and not on the GPU"
    )
    assert caught.value.fix.startswith("Install a newer onnxruntime-gpu, build the model with --backend tensorrt, or")
    assert library.gpu.leftovers == []


def test_of_an_old_library_the_version_that_resizes_is_named(
    library: Library, network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.10 has none that is newer than 1.23, which does not even tell which operator it is."""
    monkeypatch.setattr(Library, "__version__", "1.23.2")
    library.lacking, library.tells = ("Resize",), False
    made = network()
    engine = OnnxRuntimeCuda().open_onnx(made.path, made.spec, SIZE)
    with engine, pytest.raises(MachineError) as caught:
        engine.session()
    assert caught.value.fix.startswith("Install onnxruntime-gpu 1.25 or newer")
    assert "Python 3.11" in caught.value.fix


def test_the_real_library_says_what_is_expected_of_it(network: Any) -> None:
    """Its processor's provider cannot be named where it is not allowed, and is there by itself."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry(KEYS[0], "1")
    path = network().path
    with pytest.raises(onnxruntime_library.NotOnGpuError), onnxruntime_library.errors_of(path, gpu=True):
        onnxruntime.InferenceSession(path, options)


INSTALL = onnxruntime_wheels_for_any(platform.machine(), sys.version_info[:2])
RUNNING = (
    "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running Conv node. Name:'c' Status Message: "
)
FAILURE = (
    "CUDA failure {} ; GPU=0 ; hostname=edge ; file=/onnxruntime_src/cuda_allocator.cc ; line=69 ; expr=cudaMalloc"
)


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (FAILURE.format("2: out of memory"), GpuMemoryError, "The GPU has no memory left (ONNX Runtime)."),
        (
            "/onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:376 Failed to allocate memory for a buffer",
            GpuMemoryError,
            "The GPU has no memory left (ONNX Runtime).",
        ),
        (FAILURE.format("700: an illegal memory access"), DeviceError, "CUDA failure 700: an illegal memory access."),
        ("CUBLAS failure 13: CUBLAS_STATUS_EXECUTION_FAILED", DeviceError, "CUBLAS_STATUS_EXECUTION_FAILED."),
        ("CUDNN failure 5000: CUDNN_STATUS_EXECUTION_FAILED", DeviceError, "CUDNN_STATUS_EXECUTION_FAILED."),
        ("Got invalid dimensions for input", ModelError, "Got invalid dimensions for input."),
    ],
)
def test_a_gpu_that_fails_is_not_called_a_bad_model(
    library: Library, network: Any, text: str, kind: type[Exception], message: str
) -> None:
    def fail(binding: Any, options: Any) -> None:
        raise RuntimeError(RUNNING + text)

    made = network()
    real = library.InferenceSession

    def session(*args: Any, **how: Any) -> Any:
        runner = real(*args, **how)
        runner.run_with_iobinding = fail
        return runner

    library.InferenceSession = session  # type: ignore[method-assign]
    with OnnxRuntimeCuda().open_onnx(made.path, made.spec, SIZE) as engine, pytest.raises(kind) as caught:
        engine.session()
    assert type(caught.value) is kind
    assert caught.value.message.endswith(message)  # type: ignore[attr-defined]
    assert "hostname" not in str(caught.value)
    assert library.gpu.leftovers == []


def test_what_fails_on_the_gpu_is_told_without_its_place(tmp_path: Path) -> None:
    text = f"/onnxruntime_src/cuda_call.cc:129 std::conditional_t<true> CudaCall(int) {FAILURE.format('100: no GPU')}"
    with pytest.raises(DeviceError) as caught, onnxruntime_library.errors_of(tmp_path, gpu=True):
        raise RuntimeError(text)
    assert caught.value.message == "The GPU failed in ONNX Runtime: CUDA failure 100: no GPU."


def test_a_session_that_finds_no_memory_is_not_called_a_bad_model(library: Library, network: Any) -> None:
    def fail(*args: Any, **how: Any) -> None:
        raise RuntimeError(FAILURE.format("2: out of memory"))

    made = network()
    library.InferenceSession = fail  # type: ignore[method-assign]
    with OnnxRuntimeCuda().open_onnx(made.path, made.spec, SIZE) as engine, pytest.raises(MachineError) as caught:
        engine.session()
    assert "Close other programs" in caught.value.fix


def test_float32_is_computed_in_float32(library: Library, network: Any) -> None:
    made = network()
    with OnnxRuntimeCuda().open_onnx(made.path, made.spec, SIZE) as engine, engine.session():
        assert [settings["use_tf32"] for settings in library.made] == ["0"]


def test_full_memory_is_not_called_a_bad_model(library: Library, network: Any) -> None:
    made = network()
    with OnnxRuntimeCuda().open_onnx(made.path, made.spec, SIZE) as engine:
        library.gpu.facts = library.gpu.facts.__class__(**{**vars(library.gpu.facts), "total_bytes": 64 * 96 * 3})
        with pytest.raises(MachineError, match="no memory left"):
            engine.session()
    assert library.gpu.leftovers == []


def test_a_model_that_does_not_fit_its_spec_is_refused(library: Library, network: Any) -> None:
    made = network()
    spec = made.spec.replace(classes=made.spec.classes[:5], palette=made.spec.palette[:5])
    with OnnxRuntimeCuda().open_onnx(made.path, spec, SIZE) as engine, pytest.raises(ModelError, match="5 classes"):
        engine.session()
    assert library.gpu.leftovers == []


def test_arguments_are_checked_before_anything_is_made(library: Library, network: Any) -> None:
    fixed = network(fixed=True)
    with pytest.raises(UsageError, match="32x96"):
        OnnxRuntimeCuda().open_onnx(fixed.path, fixed.spec, (32, 96))
    with pytest.raises(UsageError, match="threads"):
        OnnxRuntimeCuda().open_onnx(fixed.path, fixed.spec, SIZE, RunOptions(threads=0))
    assert library.gpu.calls == []


def test_probe_says_what_is_here(library: Library) -> None:
    probe = OnnxRuntimeCuda().probe()
    assert probe.available
    assert probe.version == "1.99"
    assert probe.devices == (DeviceInfo("cuda", "Fake GPU", "8.7", multiprocessors=16),)
    assert "CUDAExecutionProvider" in probe.providers


def test_probe_says_that_the_build_has_no_cuda(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "get_available_providers", lambda: ["CPUExecutionProvider"])
    probe = OnnxRuntimeCuda().probe()
    assert probe.problem == "This build of ONNX Runtime has no CUDA provider (it has CPUExecutionProvider)."
    assert probe.fix == f"Replace it with: pip uninstall -y onnxruntime && {INSTALL}"
    assert probe.version == "1.99"


def test_probe_says_that_there_is_no_gpu(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(index: int) -> Device:
        raise DeviceError("NVIDIA's driver finds no GPU.", "Check.")

    monkeypatch.setattr(module, "open_device", absent)
    assert OnnxRuntimeCuda().probe().problem == "NVIDIA's driver finds no GPU."


def test_probe_names_the_package_for_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(package: str, extra: str, what: str) -> Any:
        raise MissingExtraError(package, extra, what)

    monkeypatch.setattr(module, "library", absent)
    probe = OnnxRuntimeCuda().probe()
    assert "onnxruntime-gpu" in probe.problem
    assert "fcn_edge[gpu]" in probe.fix


def test_the_library_here_is_judged_for_real() -> None:
    found = onnxruntime_library.library()
    probe = OnnxRuntimeCuda().probe()
    assert probe.version == found.__version__
    if "CUDAExecutionProvider" not in found.get_available_providers():
        assert "no CUDA provider" in probe.problem
