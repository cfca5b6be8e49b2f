"""Plans run by TensorRT on a fake GPU, with the names and signatures of the real versions' bindings."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.backends.base import Engine
from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.options import RunOptions
from fcn_edge.backends.tensorrt.runtime import contexts as tensorrt_contexts
from fcn_edge.backends.tensorrt.runtime.engine import opened
from fcn_edge.errors import DeviceError, EngineError, MachineError, ModelError
from fcn_edge.testing.engine import FakeSession, brightness_scores, fake_spec
from fcn_edge.testing.gpu import FakeGpu

from ...cuda.gpu import KERNELS
from ..standin import standin

SIZE = (64, 96)
VERSIONS = ("10.3.0", "10.16.1.11", "11.4.0.106", "rtx-1.7.1")


def api(version: str) -> Any:
    return json.loads((Path(__file__).parents[2] / "tensorrt_api" / f"{version}.json").read_text(encoding="utf-8"))


class Plan:
    """A TensorRT of a version whose plans hold a network with known scores."""

    def __init__(self, directory: Path, version: str = "10.3.0", spec: dict[str, Any] | None = None) -> None:
        self.file = directory / "model.plan"
        self.file.write_bytes(b"a plan")
        self.cache = directory / "kernels"
        self.gpu = FakeGpu(KERNELS)
        self.spec = fake_spec(**(spec or {}))
        output = (len(self.spec.classes), 8, 12) if self.spec.head == "scores" else SIZE
        self.tensors: dict[str, tuple[str, str, tuple[int, ...]]] = {
            "image": ("INPUT", "UINT8", (*SIZE, 3)),
            "scores": ("OUTPUT", "FLOAT" if self.spec.head == "scores" else "UINT8", output),
        }
        self.events: list[str] = []
        self.configurations: list[Any] = []
        self.filled: list[bytes] = []
        self.takes_compiled = True
        self.compiled = b"compiled"
        self.does = {
            "Runtime.deserialize_cuda_engine": self._deserialize,
            "Runtime.get_engine_validity": lambda runtime, content: self.validity(),
            "ICudaEngine.num_io_tensors": 2,
            "ICudaEngine.get_tensor_name": lambda engine, index: list(self.tensors)[index],
            "ICudaEngine.get_tensor_mode": lambda engine, name: getattr(self.trt.TensorIOMode, self.tensors[name][0]),
            "ICudaEngine.get_tensor_dtype": lambda engine, name: getattr(self.trt.DataType, self.tensors[name][1]),
            "ICudaEngine.get_tensor_shape": lambda engine, name: self.tensors[name][2],
            "ICudaEngine.create_execution_context": self._context,
            "IRuntimeCache.deserialize": self._fill,
            "IRuntimeCache.serialize": lambda cache: self.compiled,
            "IExecutionContext.set_tensor_address": self._set_address,
            "IExecutionContext.execute_async_v3": self._execute,
            "IExecutionContext.is_stream_capturable": lambda context, stream: self.capturable,
        }
        self.capturable = True
        self.network: Callable[[NDArray[np.uint8]], NDArray[Any]] = brightness_scores(self.spec)
        self.trt: ModuleType = standin(api(version), self.does)
        self.logger = self.trt.ILogger.__new__(self.trt.ILogger)

    def open(self, graphs: bool = True, **how: Any) -> Engine:
        device, options = Device(self.gpu, self.cache), RunOptions(graphs=graphs)
        arguments = {"backend": "tensorrt", "logger": self.logger, "diagnostic": lambda: "Serialization failed", **how}
        return opened(self.file, self.trt, self.spec, SIZE, device, options, **arguments)

    def validity(self) -> tuple[Any, int]:
        return self.trt.EngineValidity.VALID, 0

    def _deserialize(self, runtime: Any, content: bytes) -> Any:
        assert bytes(content) == b"a plan"
        self.events.append("engine")
        return self._made(self.trt.ICudaEngine, "engine")

    def _context(self, engine: Any, configuration: Any = None) -> Any:
        self.configurations.append(configuration)
        return self._made(self.trt.IExecutionContext, "context")

    def _fill(self, cache: Any, content: bytes) -> bool:
        self.filled.append(content)
        return self.takes_compiled

    def _made(self, kind: Any, what: str) -> Any:
        assert self.gpu.entered, f"the GPU is not current when the {what} is made"
        made = kind.__new__(kind)
        if what == "context":
            object.__setattr__(made, "addresses", {})
        return made

    def _set_address(self, context: Any, name: str, pointer: int) -> bool:
        context.addresses[name] = pointer
        return True

    def _execute(self, context: Any, stream: int) -> bool:
        addresses = dict(context.addresses)

        def run() -> None:
            (_, _, size), (_, kind, shape) = self.tensors.values()
            image = self.gpu.memory.view(addresses["image"], np.uint8, size[-3:])
            dtype = {"FLOAT": np.float32, "HALF": np.float16, "UINT8": np.uint8}[kind]
            self.gpu.memory.view(addresses["scores"], dtype, shape)[...] = self.network(image)

        self.gpu.enqueue(stream, "execute", run, tuple(addresses.values()))
        return True


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Plan]:
    monkeypatch.setenv("FCN_EDGE_CACHE", str(tmp_path / "cache"))

    def make(*args: Any, **how: Any) -> Plan:
        return Plan(tmp_path, *args, **how)

    return make


def frame(seed: int = 0) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 9, 3), np.uint8)
    return np.ascontiguousarray(coarse.repeat(12, axis=0).repeat(12, axis=1)[:60, :100])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("head", ["scores", "labels"])
def test_masks_of_every_version_are_those_of_the_host(plan: Callable[..., Plan], version: str, head: str) -> None:
    made = plan(version, {"head": head})
    if head == "labels":
        made.network = lambda image: image[..., 0] % 11
    host = FakeSession(made.spec, SIZE, made.network)
    with made.open() as engine, engine.session() as session:
        assert engine.backend == "tensorrt"
        for seed in range(3):
            np.testing.assert_array_equal(session.labels(frame(seed)), host.labels(frame(seed)))
    assert made.gpu.leftovers == []
    assert made.gpu.closed


@pytest.mark.parametrize(
    ("kind", "shape"), [("HALF", (11, 8, 12)), ("FLOAT", (1, 11, 8, 12)), ("HALF", (1, 11, 8, 12))]
)
def test_scores_of_either_type_with_a_batch_axis_or_none(
    plan: Callable[..., Plan], kind: str, shape: tuple[int, ...]
) -> None:
    made = plan()
    made.tensors["scores"] = ("OUTPUT", kind, shape)
    expected = FakeSession(made.spec, SIZE).scores(frame().repeat(2, axis=0)[:64, :96])
    with made.open() as engine, engine.session() as session:
        scores = session.scores(frame().repeat(2, axis=0)[:64, :96])
    assert scores.shape == (11, 8, 12)
    np.testing.assert_allclose(scores, expected, rtol=2e-3)


def test_every_session_has_a_context_and_memory_of_its_own(plan: Callable[..., Plan]) -> None:
    made = plan()
    with made.open() as engine, engine.session() as first, engine.session() as second:
        assert made.events == ["engine"]
        one, other = first._network, second._network  # type: ignore[attr-defined]
        assert one._context is not other._context
        assert one.input_pointer != other.input_pointer
        np.testing.assert_array_equal(first.labels(frame()), second.labels(frame()))


def test_addresses_are_set_once(plan: Callable[..., Plan]) -> None:
    made, names = plan(), []
    real = made._set_address
    made.does["IExecutionContext.set_tensor_address"] = lambda *args: names.append(args[1]) or real(*args)
    made.trt = standin(api("10.3.0"), made.does)
    made.logger = made.trt.ILogger.__new__(made.trt.ILogger)
    with made.open() as engine, engine.session() as session:
        for seed in range(3):
            session.labels(frame(seed))
    assert names == ["image", "scores"]


def test_rtx_is_asked_whether_the_stream_may_be_captured(
    plan: Callable[..., Plan], caplog: pytest.LogCaptureFixture
) -> None:
    made = plan("rtx-1.7.1")
    made.capturable = False
    with caplog.at_level(logging.INFO), made.open() as engine, engine.session() as session:
        np.testing.assert_array_equal(session.labels(frame()), FakeSession(made.spec, SIZE).labels(frame()))
    assert "without CUDA graphs" in caplog.text
    assert ("capture_begin",) not in made.gpu.calls


def compiled_files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes()[32:] for path in (directory / "cache" / "compiled").glob("*")}


def test_what_rtx_compiled_is_kept_for_the_next_start(plan: Callable[..., Plan], tmp_path: Path) -> None:
    for start in range(2):
        made = plan("rtx-1.7.1")
        with made.open() as engine, engine.session() as session:
            session.labels(frame())
            assert made.filled == [b"compiled"] * start
            ((name, content),) = compiled_files(tmp_path).items()
        assert name.startswith("1.7.1")
        assert content == b"compiled"
    other = plan("rtx-1.7.1")
    other.compiled = b"compiled again"
    with other.open() as engine, engine.session():
        assert compiled_files(tmp_path) == {name: b"compiled again"}


@pytest.mark.parametrize("damage", ["refused", "cut off"])
def test_compiled_kernels_that_are_damaged_count_as_none(
    plan: Callable[..., Plan], tmp_path: Path, damage: str
) -> None:
    with plan("rtx-1.7.1").open() as engine, engine.session():
        (path,) = (tmp_path / "cache" / "compiled").iterdir()
    made = plan("rtx-1.7.1")
    if damage == "refused":
        made.takes_compiled = False
    else:
        path.write_bytes(path.read_bytes()[:-1])
    with made.open() as engine, engine.session() as session:
        np.testing.assert_array_equal(session.labels(frame()), FakeSession(made.spec, SIZE).labels(frame()))
    assert made.filled == ([b"compiled"] if damage == "refused" else [])
    assert list(compiled_files(tmp_path).values()) == [b"compiled"]


@pytest.mark.parametrize("graphs", [True, False])
def test_rtx_captures_graphs_itself(plan: Callable[..., Plan], graphs: bool) -> None:
    made = plan("rtx-1.7.1")
    with made.open(graphs=graphs) as engine, engine.session():
        (configuration,) = made.configurations
    captures = made.trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
    assert (configuration.cuda_graph_strategy is captures) == graphs


@pytest.mark.parametrize("version", ["10.3.0", "10.16.1.11", "11.4.0.106"])
def test_plans_of_tensorrt_have_nothing_to_compile(
    plan: Callable[..., Plan], tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plan(version)
    monkeypatch.delattr(tensorrt_contexts, "sha256_of")  # nor is a large plan hashed for it
    with made.open() as engine, engine.session():
        assert made.configurations == [None]
    assert compiled_files(tmp_path) == {}


@pytest.mark.parametrize("version", VERSIONS)
def test_refused_plan_says_why_and_leaves_nothing(plan: Callable[..., Plan], version: str) -> None:
    made = plan(version)
    made._deserialize = lambda runtime, content: None  # type: ignore[method-assign]
    made.does["Runtime.deserialize_cuda_engine"] = made._deserialize
    made.trt = standin(api(version), made.does)
    made.logger = made.trt.ILogger.__new__(made.trt.ILogger)
    with pytest.raises(ModelError, match=r"refuses .*model\.plan: Serialization failed") as caught:
        made.open()
    assert "fcn-edge build" in caught.value.fix
    assert made.gpu.closed


def test_a_plan_that_finds_no_memory_is_not_called_damaged(plan: Callable[..., Plan]) -> None:
    made = plan()
    made.does["Runtime.deserialize_cuda_engine"] = lambda runtime, content: None
    made.trt = standin(api("10.3.0"), made.does)
    made.logger = made.trt.ILogger.__new__(made.trt.ILogger)
    with pytest.raises(MachineError, match=r"too little memory for .*model\.plan: out of memory") as caught:
        made.open(diagnostic=lambda: "out of memory: Requested size was 4 bytes")
    assert "Close other programs" in caught.value.fix
    assert made.gpu.closed


@pytest.mark.parametrize(
    ("bits", "reason", "error"),
    [
        (2, "not built for this GPU", EngineError),
        (5, "another version of the library and the driver is too old", EngineError),
        (16, "too little memory for it", MachineError),
        (18, "not built for this GPU and the GPU has too little memory", EngineError),
        (0, "refuses it", EngineError),
    ],
)
def test_rtx_says_why_a_plan_is_not_valid_before_it_reads_it(
    plan: Callable[..., Plan], bits: int, reason: str, error: type[Exception]
) -> None:
    made = plan("rtx-1.7.1")
    made.validity = lambda: (made.trt.EngineValidity.INVALID, bits)  # type: ignore[method-assign]
    with pytest.raises(error, match=reason):
        made.open()
    assert made.events == []
    assert made.gpu.closed


@pytest.mark.parametrize(
    "tensors",
    [
        {"scores": ("OUTPUT", "FLOAT", (11, 16, 12))},
        {"scores": ("OUTPUT", "FLOAT", (12, 8, 12))},
        {"scores": ("OUTPUT", "UINT8", (11, 8, 12))},
        {"image": ("INPUT", "FLOAT", (64, 96, 3))},
        {"image": ("INPUT", "UINT8", (3, 64, 96))},
        {"image": ("OUTPUT", "UINT8", (64, 96, 3))},
    ],
    ids=["rows", "classes", "type", "input type", "input shape", "no input"],
)
def test_a_plan_that_does_not_fit_its_spec_is_refused(plan: Callable[..., Plan], tensors: dict[str, Any]) -> None:
    made = plan()
    made.tensors.update(tensors)
    with pytest.raises(ModelError, match=r"model\.plan has"):
        made.open()
    assert made.gpu.closed


@pytest.mark.parametrize(
    ("call", "answer", "error", "message"),
    [
        ("ICudaEngine.create_execution_context", None, MachineError, "cannot make a session: Serialization failed"),
        ("IExecutionContext.set_tensor_address", False, DeviceError, "memory of a tensor: Serialization failed"),
        ("IExecutionContext.execute_async_v3", False, DeviceError, "failed to run the network: Serialization failed"),
    ],
)
def test_failing_calls_are_errors_and_nothing_is_left(
    plan: Callable[..., Plan], call: str, answer: Any, error: type[Exception], message: str
) -> None:
    made = plan()
    made.does[call] = lambda *args: answer
    made.trt = standin(api("10.3.0"), made.does)
    made.logger = made.trt.ILogger.__new__(made.trt.ILogger)
    with made.open() as engine, pytest.raises(error, match=message):
        engine.session()
    assert made.gpu.leftovers == []
