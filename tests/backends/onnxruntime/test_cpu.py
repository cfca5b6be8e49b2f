from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from fcn_edge.backends.base import Built
from fcn_edge.backends.onnxruntime import library as onnxruntime_library
from fcn_edge.backends.onnxruntime.cpu import OnnxRuntime
from fcn_edge.backends.options import RunOptions
from fcn_edge.errors import ModelError
from fcn_edge.system import cpu

onnxruntime = pytest.importorskip("onnxruntime")

BLACK = np.zeros((64, 96, 3), np.uint8)


@pytest.fixture
def network(tmp_path: Path, tiny_network: Callable[..., Any]) -> Any:
    return tiny_network(tmp_path / "m.onnx")


def opened(network: Any, **how: Any) -> Any:
    return OnnxRuntime().open_onnx(network.path, network.spec, how.pop("size", (64, 96)), **how)


def test_probe_says_what_is_here() -> None:
    probe = OnnxRuntime().probe()
    assert probe.available
    assert probe.version == onnxruntime.__version__
    assert "CPUExecutionProvider" in probe.providers
    assert [device.kind for device in probe.devices] == ["cpu"]


def test_plan_is_the_onnx_file_itself(network: Any, tmp_path: Path) -> None:
    directory = tmp_path / "engine"
    directory.mkdir()
    assert OnnxRuntime().build(network.path, directory, (64, 96)) == Built(("model.onnx",))
    assert (directory / "model.onnx").read_bytes() == network.path.read_bytes()


def test_open_axes_are_frozen_to_the_size(network: Any) -> None:
    with opened(network, size=(32, 128)) as engine:
        assert engine._runner.get_inputs()[0].shape == [32, 128, 3]


def test_a_name_that_is_no_utf8_is_refused_in_our_words(network: Any) -> None:
    path = network.path.rename(network.path.with_name("m\udcfe.onnx"))
    with pytest.raises(ModelError, match=r"m\\xfe.onnx is not UTF-8"):
        OnnxRuntime().open_onnx(path, network.spec, (64, 96))


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_those_asked_for(network: Any, threads: int) -> None:
    with opened(network, options=RunOptions(threads=threads)) as engine:
        options = engine._runner.get_session_options()
        assert options.intra_op_num_threads == threads
        # waiting threads must leave the cores to the other stages of a pipeline
        for key, value in onnxruntime_library._spinning(onnxruntime.__version__).items():
            assert options.get_session_config_entry(f"session.intra_op.{key}") == value


@pytest.mark.parametrize(("version", "expected"), [("1.18.0", "0"), ("1.26.1", "0"), ("1.27.0", "1"), ("2.0", "1")])
def test_threads_spin_where_the_time_can_be_bounded(version: str, expected: str) -> None:
    said = onnxruntime_library._spinning(version)
    assert said["allow_spinning"] == expected
    assert ("spin_duration_us" in said) == (expected == "1")


def test_threads_are_the_cores_when_left_out(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "available_cores", lambda: 3)
    with opened(network) as engine:
        assert engine._runner.get_session_options().intra_op_num_threads == 3


def test_newer_format_is_one_sentence_without_c_plus_plus(network: Any) -> None:
    model = onnx.load(network.path)
    model.ir_version = 77
    onnx.save(model, network.path)
    with pytest.raises(ModelError, match=r"m\.onnx: Unsupported model IR version: 77") as caught:
        opened(network)
    assert "::" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Non-zero status code returned while running Reorder node. Name:'a' Status Message: "
            "/onnxruntime_src/onnxruntime/cpu/nchwc_ops.cc:27 virtual onnxruntime::Status "
            "onnxruntime::Reorder::Compute(onnxruntime::OpKernelContext*) const (channels % 4) == 0 was false.",
            "Reorder 'a': (channels % 4) == 0 was false",
        ),
        (
            "/onnxruntime_src/cpu/qlinearconv.cc:91 static std::vector<float> onnxruntime::QLinearConv<T>::Compute("
            "onnxruntime::OpKernelContext*, int64_t) [with T = unsigned char; int64_t = long int] One(Y_scale) was "
            "false. QLinearConv : a scalar was expected.",
            "One(Y_scale) was false. QLinearConv : a scalar was expected",
        ),
        ("Load model from m.onnx failed:Node (a) Op (Conv) bad.", "Node (a) Op (Conv) bad"),
        (
            "/onnxruntime_src/core/graph/graph.cc:1571 void onnxruntime::Graph::Init() argument was false. No weight.",
            "argument was false. No weight",
        ),
        (
            "Non-zero status code returned while running Cast node. Name:'' Status Message: /onnxruntime_src/include/"
            "internal.h:656 void onnxruntime::utils::Helper::CheckCalledOnce() const called_ == 1 was false. Type 0.",
            "Cast '': called_ == 1 was false. Type 0",
        ),
        ("Exception in onnxruntime::Graph::Of<T> at once.", "Exception in"),
        (
            "Exception during start: [ONNXRuntimeError] : 1 : FAIL : upsamplebase.h:548 ScalesValidation Scale "
            "value should be greater than 0.",
            "Scale value should be greater than 0",
        ),
        (
            "Non-zero status code returned while running Conv node. Name:'' Status Message: conv.cc:275 Compute Conv : "
            "bias must be a 1D tensor",
            "Conv '': Conv : bias must be a 1D tensor",
        ),
        ("onnxruntime::Graph fails.", "its graph does not fit together"),
    ],
)
def test_reason_is_what_is_for_people(network: Any, text: str, said: str) -> None:
    with pytest.raises(ModelError) as caught, onnxruntime_library.errors_of(network.path):
        raise RuntimeError(f"[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : {text}")
    assert caught.value.message == f"ONNX Runtime cannot run {network.path}: {said}."


def test_damaged_names_are_told_without_python_s_words(network: Any) -> None:
    with pytest.raises(ModelError, match=r"a name in it is damaged\."), onnxruntime_library.errors_of(network.path):
        b"\xff".decode()


def test_what_is_raised_is_not_printed_too(network: Any, capfd: pytest.CaptureFixture[str]) -> None:
    model = onnx.load(network.path)
    conv = next(node for node in model.graph.node if node.op_type == "Conv")
    weight = next(each for each in model.graph.initializer if each.name == conv.input[1])
    channels, of, *kernel = weight.dims
    weight.CopyFrom(onnx.numpy_helper.from_array(np.zeros((channels, of + 2, *kernel), np.float32), weight.name))
    del model.graph.value_info[:]
    onnx.save(model, network.path)
    with pytest.raises(ModelError), opened(network) as engine, engine.session() as session:
        session.scores(BLACK)
    assert capfd.readouterr().err == ""


def test_what_a_gpu_would_say_is_a_bad_model_on_the_processor(network: Any) -> None:
    with pytest.raises(ModelError, match="CUDNN"), onnxruntime_library.errors_of(network.path):
        raise RuntimeError("CUDNN failure")


def test_full_memory_is_not_called_a_bad_model(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        __version__ = onnxruntime.__version__

        def InferenceSession(self, *_: Any, **__: Any) -> None:
            raise MemoryError

        def SessionOptions(self) -> Any:
            return onnxruntime.SessionOptions()

    monkeypatch.setattr(onnxruntime_library, "library", Full)
    with pytest.raises(MemoryError):
        opened(network)
