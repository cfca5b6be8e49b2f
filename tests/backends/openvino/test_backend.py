from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fcn_edge.backends.base import Built
from fcn_edge.backends.openvino import backend as module
from fcn_edge.backends.openvino import library as openvino_library
from fcn_edge.backends.openvino.backend import OpenVino
from fcn_edge.backends.options import RunOptions
from fcn_edge.errors import MachineError, ModelError, UsageError
from fcn_edge.system.cpu import available_cores, instruction_set
from fcn_edge.testing.engine import fake_spec

if not OpenVino().probe().available:  # which imports it without its telemetry
    pytest.skip(OpenVino().probe().problem, allow_module_level=True)

BLACK = np.zeros((64, 96, 3), np.uint8)


@pytest.fixture
def network(tmp_path: Path, tiny_network: Callable[..., Any]) -> Any:
    return tiny_network(tmp_path / "m.onnx")


@pytest.fixture
def plan(network: Any, tmp_path: Path) -> Path:
    """A built engine directory of the network at 64x96, without a manifest."""
    directory = tmp_path / "engine"
    directory.mkdir()
    assert OpenVino().build(network.path, directory, (64, 96)) == Built(("model.xml", "model.bin"))
    return directory


def opened(network: Any, **how: Any) -> Any:
    return OpenVino().open_onnx(network.path, network.spec, how.pop("size", (64, 96)), **how)


def scores_of(engine: Any) -> Any:
    with engine, engine.session() as session:
        return session.scores(BLACK)


def test_probe_says_what_is_here() -> None:
    import openvino

    probe = OpenVino().probe()
    assert probe.available
    assert openvino.__version__.startswith(f"{probe.version}-")
    assert probe.providers == ("CPU",)
    assert [(device.kind, device.capability) for device in probe.devices] == [("cpu", instruction_set())]


def test_library_calls_nobody_and_leaves_nothing_at_home(network: Any, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "def hook(event, arguments):\n"
        "    if event.startswith(('socket.', 'urllib.')) or event in ('os.fork', 'os.mkdir', 'subprocess.Popen'):\n"
        "        print(event, arguments)\n"
        "sys.addaudithook(hook)\n"
        "from pathlib import Path\n"
        "from fcn_edge.testing.engine import fake_spec\n"
        "from fcn_edge.backends.openvino.backend import OpenVino\n"
        f"OpenVino().open_onnx(Path({str(network.path)!r}), fake_spec(), (64, 96)).session()\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    variables = {name: value for name, value in os.environ.items() if name not in ("CI", "TF_BUILD", "JENKINS_URL")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**variables, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert list(home.iterdir()) == []


def test_telemetry_that_someone_imported_is_left_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = types.ModuleType("openvino_telemetry")
    monkeypatch.setitem(sys.modules, "openvino_telemetry", theirs)
    with openvino_library._no_telemetry():
        assert sys.modules["openvino_telemetry"] is theirs
    assert sys.modules["openvino_telemetry"] is theirs


def test_plan_is_the_same_bytes_whenever_and_wherever_it_is_built(network: Any, plan: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        other = tmp_path / name
        other.mkdir()
        copy = other / "copy.onnx"
        copy.write_bytes(network.path.read_bytes())
        OpenVino().build(copy, other, (64, 96))
        for file in ("model.xml", "model.bin"):
            assert (other / file).read_bytes() == (plan / file).read_bytes()
    assert str(tmp_path).encode() not in (plan / "model.xml").read_bytes()


def test_weights_are_not_rounded(network: Any, plan: Path) -> None:
    assert network.weight.tobytes() in (plan / "model.bin").read_bytes()


def test_weights_stored_as_fp16_stay_so_and_compute_in_fp32(network: Any, plan: Path) -> None:
    half = network.weight.astype(np.float16)
    model = onnx.load(network.path)
    for weight in model.graph.initializer:
        if weight.name == "weight":
            weight.CopyFrom(numpy_helper.from_array(half, "half"))
    model.graph.node.insert(0, helper.make_node("Cast", ["half"], ["weight"], to=TensorProto.FLOAT))
    onnx.save(model, network.path)
    OpenVino().build(network.path, plan, (64, 96))
    assert half.tobytes() in (plan / "model.bin").read_bytes()
    image = np.random.default_rng(0).integers(0, 256, BLACK.shape, np.uint8)
    with OpenVino().open(plan, network.spec, (64, 96)) as engine, engine.session() as session:
        scores = session.scores(image)
    network.weight[...] = half
    np.testing.assert_allclose(scores, network.scores(image), atol=2e-5)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_arithmetic_is_fp32_though_the_processor_has_less(
    network: Any, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import openvino

    monkeypatch.setattr(module.platform, "machine", lambda: "aarch64")
    with opened(network) as engine:
        assert engine._compiled.get_property("INFERENCE_PRECISION_HINT") == openvino.Type.f32
        assert engine._compiled.get_property("NUM_STREAMS") == 1
    profile = "openvino-vnni" if precision == "int8" else None
    spec = fake_spec(precision=precision, profile=profile)
    assert module._arithmetic(Capable("FP32", "FP16", "BF16", "INT8"), spec) == "f32"


class Capable:
    """A core whose processor can do certain types."""

    def __init__(self, *types: str) -> None:
        self.types = types

    def get_property(self, device: str, name: str) -> list[str]:
        assert (device, name) == ("CPU", "OPTIMIZATION_CAPABILITIES")
        return list(self.types)


@pytest.mark.parametrize(
    ("machine", "types", "said"),
    [
        ("aarch64", ("FP32", "FP16"), "f16"),
        ("aarch64", ("FP32",), "f32"),
        ("x86_64", ("FP32", "FP16", "BF16"), "f32"),
    ],
)
def test_fp16_plans_compute_in_fp16_on_arm_that_can(
    machine: str, types: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.platform, "machine", lambda: machine)
    assert module._arithmetic(Capable(*types), fake_spec(precision="fp16")) == said


def test_threads_are_those_asked_for(network: Any) -> None:
    with opened(network, options=RunOptions(threads=1)) as engine:
        assert engine._compiled.get_property("INFERENCE_NUM_THREADS") == 1


def test_threads_are_the_cores_when_left_out(network: Any) -> None:
    with opened(network) as engine:
        # OpenVINO starts no more than there are cores
        assert engine._compiled.get_property("INFERENCE_NUM_THREADS") == min(available_cores(), os.cpu_count() or 1)


def test_no_threads_for_a_plan_are_a_usage_error(network: Any, plan: Path) -> None:
    with pytest.raises(UsageError, match="threads is -1"):
        OpenVino().open(plan, network.spec, (64, 96), RunOptions(threads=-1))


def test_plan_of_another_size_is_refused(network: Any, plan: Path) -> None:
    with pytest.raises(ModelError, match="does not take one uint8 image of 32x96"):
        OpenVino().open(plan, network.spec, (32, 96))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Exception from src/inference/src/cpp/core.cpp:84:\nCheck 'false' failed at src/a.cpp:151:\n"
            "FrontEnd API failed with OpConversionFailure:\nModel wasn't fully converted.\nSummary:\n"
            "-- No conversion rule found for operations: Foo-20\nTo facilitate the conversion, refer to docs\n\n",
            "No conversion rule found for operations: Foo-20",
        ),
        (
            "Exception from a.cpp:84:\nCheck 'a (b) > c' failed at b.cpp:9:\nIncorrect weights in bin file!\n\n",
            "Incorrect weights in bin file",
        ),
        (
            "Exception from core.cpp:105:\nModel wasn't fully converted. Failed operations detailed log:\n"
            "-- Conv-20 with a message:\nWhile validating ONNX node '<Node(Conv): grid>': Check 'a' failed at b.h:3:\n"
            "While validating node 'opset1::Convolution c (normal[0]:f32[1,3]) -> (dynamic[...])'\n"
            "Strides has zero dimension(s). Strides{0, 0}\n\nSummary:\n-- Conversion is failed for: Conv-20\n",
            "Strides has zero dimension(s). Strides{0, 0}",
        ),
        ("bad allocation", "bad allocation"),
        ("Exception from a.cpp:84:\n", "it does not say why"),
        ("", "it does not say why"),
    ],
)
def test_reason_is_the_line_for_people(text: str, said: str) -> None:
    assert module._reason(RuntimeError(text)) == said


@contextmanager
def room_for(limit: int) -> Iterator[None]:
    """Limits the bytes that the process may write to a file, as a full disk would; only while nothing else writes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0, 4096, 10_000])
def test_plan_that_cannot_be_written_is_not_called_a_bad_model(network: Any, plan: Path, room: int) -> None:
    assert (plan / "model.bin").stat().st_size < 10_000 < (plan / "model.xml").stat().st_size
    for name in ("model.bin", "model.xml"):
        (plan / name).unlink()
    with pytest.raises(MachineError, match="could not write its engine"), room_for(room):
        OpenVino().build(network.path, plan, (64, 96))


@pytest.mark.parametrize("name", ["model.xml", "model.bin"])
def test_plan_that_was_written_in_part_is_noticed(
    network: Any, plan: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import openvino

    def saved(model: Any, path: str, **how: Any) -> None:
        openvino.save_model(model, path, **how)
        os.truncate(plan / name, (plan / name).stat().st_size // 2)

    monkeypatch.setattr(module, "library", lambda: types.SimpleNamespace(save_model=saved))
    with pytest.raises(MachineError, match="could not write its engine"):
        OpenVino().build(network.path, plan, (64, 96))


def test_files_that_are_not_there_are_a_model_error(network: Any, plan: Path) -> None:
    for name in ("model.bin", "model.xml"):
        (plan / name).unlink()
        with pytest.raises(ModelError, match=f"{name} cannot be read"):
            OpenVino().open(plan, network.spec, (64, 96))


@pytest.mark.parametrize("name", ["model.xml", "model.bin"])
@pytest.mark.parametrize("share", [0, 0.02, 0.5, 0.99])
def test_cut_off_plans_are_a_model_error(network: Any, plan: Path, name: str, share: float) -> None:
    whole = (plan / name).read_bytes()
    (plan / name).write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelError, match=r"OpenVINO cannot run .*model\.xml: ") as caught:
        OpenVino().open(plan, network.spec, (64, 96))
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "graph",
    [
        b"\0" * 900,
        b"junk" * 50,
        b"<html/>",
        b'<net name="x" version="11"></net>',
        b"<?xml?>" + b"<a>" * 9,
    ],
    ids=["zeros", "junk", "html", "empty", "deep"],
)
def test_what_is_no_plan_is_a_model_error(network: Any, plan: Path, graph: bytes) -> None:
    (plan / "model.xml").write_bytes(graph)
    with pytest.raises(ModelError):
        OpenVino().open(plan, network.spec, (64, 96))


def test_plan_that_is_cut_off_while_it_runs_is_not_missed(network: Any, plan: Path) -> None:
    with OpenVino().open(plan, network.spec, (64, 96)) as engine, engine.session() as session:
        before = session.scores(BLACK)
        os.truncate(plan / "model.bin", 0)  # would end a process that has it mapped
        np.testing.assert_array_equal(session.scores(BLACK), before)


def test_damaged_plans_are_always_a_model_error(network: Any, plan: Path) -> None:
    whole = (plan / "model.xml").read_bytes()
    digits = [place for place, byte in enumerate(whole) if chr(byte).isdigit()]
    chance = random.Random(0)
    sentences = []
    for _ in range(60):
        damaged = bytearray(whole)
        damaged[chance.choice(digits)] = chance.choice(b"0123456789-")
        (plan / "model.xml").write_bytes(damaged)
        try:
            scores_of(OpenVino().open(plan, network.spec, (64, 96)))
        except ModelError as error:
            sentences.append(error.message)
    assert len(sentences) > 10
    assert not [sentence for sentence in sentences if "\n" in sentence or ".cpp" in sentence]


def test_signals_are_handled_after_the_last_model_went_in_another_thread(network: Any) -> None:
    code = (
        "import gc, signal, threading\n"
        "from pathlib import Path\n"
        "from fcn_edge.testing.engine import fake_spec\n"
        "from fcn_edge.backends.openvino.backend import OpenVino\n"
        f"engines = [OpenVino().open_onnx(Path({str(network.path)!r}), fake_spec(), (64, 96))]\n"
        "thread = threading.Thread(target=lambda: (engines.pop().close(), gc.collect()))\n"
        "thread.start()\n"
        "thread.join()\n"
        "signal.signal(signal.SIGUSR1, lambda *_: print('handled'))\n"
        "signal.raise_signal(signal.SIGUSR1)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "handled\n")


def test_full_memory_is_not_called_a_bad_model(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def read_model(self, content: bytes) -> Any:
            raise MemoryError

    monkeypatch.setattr(module, "core", Full)
    with pytest.raises(MemoryError):
        opened(network)
