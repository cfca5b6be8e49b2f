from __future__ import annotations

import builtins
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from fcn_edge.backends import cpu, onnxruntime_library
from fcn_edge.backends.base import Built, Device
from fcn_edge.backends.onnxruntime import OnnxRuntime
from fcn_edge.errors import MissingExtraError, ModelError, UsageError

pytest.importorskip("onnxruntime")

BLACK = np.zeros((64, 96, 3), np.uint8)


@pytest.fixture
def network(tmp_path: Path, tiny_network: Callable[..., Any]) -> Any:
    return tiny_network(tmp_path / "m.onnx")


def opened(network: Any, **how: Any) -> Any:
    return OnnxRuntime().open_onnx(network.path, network.spec, how.pop("size", (64, 96)), **how)


@pytest.fixture
def import_fails(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[ImportError], None]]:
    """Makes the import of onnxruntime fail."""
    real = builtins.__import__

    def fail(error: ImportError) -> None:
        def imported(name: str, *rest: Any, **more: Any) -> Any:
            if name == "onnxruntime":
                raise error
            return real(name, *rest, **more)

        onnxruntime_library.library.cache_clear()
        monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
        monkeypatch.setattr(builtins, "__import__", imported)

    yield fail
    onnxruntime_library.library.cache_clear()


def test_probe_says_what_is_here() -> None:
    import onnxruntime

    probe = OnnxRuntime().probe()
    assert probe.available
    assert probe.version == onnxruntime.__version__
    assert "CPUExecutionProvider" in probe.providers
    assert [device.kind for device in probe.devices] == ["cpu"]


def test_missing_library_is_told_by_probe_and_raised_by_open(
    network: Any, import_fails: Callable[[ImportError], None]
) -> None:
    import_fails(ModuleNotFoundError("No module named 'onnxruntime'", name="onnxruntime"))
    probe = OnnxRuntime().probe()
    assert not probe.available
    assert probe.version == ""
    assert "fcn_edge[cpu]" in probe.fix
    with pytest.raises(MissingExtraError, match="onnxruntime, which is not installed"):
        opened(network)


def test_library_that_cannot_be_loaded_is_one_sentence(import_fails: Callable[[ImportError], None]) -> None:
    import_fails(ImportError("libgomp.so.1: cannot open shared object file"))
    probe = OnnxRuntime().probe()
    assert "libgomp" in probe.problem
    assert "pip install" in probe.fix


def test_another_missing_module_is_not_mistaken_for_it(import_fails: Callable[[ImportError], None]) -> None:
    import_fails(ModuleNotFoundError("No module named 'flatbuffers'", name="flatbuffers"))
    with pytest.raises(ModuleNotFoundError, match="flatbuffers"):
        OnnxRuntime().probe()


def test_plan_is_the_onnx_file_itself(network: Any, tmp_path: Path) -> None:
    directory = tmp_path / "engine"
    directory.mkdir()
    assert OnnxRuntime().build(network.path, directory, (64, 96)) == Built(("model.onnx",))
    assert (directory / "model.onnx").read_bytes() == network.path.read_bytes()


def test_open_axes_are_frozen_to_the_size(network: Any) -> None:
    with opened(network, size=(32, 128)) as engine:
        assert engine._runner.get_inputs()[0].shape == [32, 128, 3]


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_those_asked_for(network: Any, threads: int) -> None:
    with opened(network, threads=threads) as engine:
        options = engine._runner.get_session_options()
        assert options.intra_op_num_threads == threads
        # waiting threads must leave the cores to the other stages of a pipeline
        assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_threads_are_the_cores_when_left_out(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "available_cores", lambda: 3)
    with opened(network) as engine:
        assert engine._runner.get_session_options().intra_op_num_threads == 3


def test_no_threads_are_a_usage_error(network: Any) -> None:
    with pytest.raises(UsageError, match="threads is 0"):
        opened(network, threads=0)


def test_model_of_one_size_takes_no_other(tmp_path: Path, tiny_network: Callable[..., Any]) -> None:
    network = tiny_network(tmp_path / "fixed.onnx", fixed=True)
    with opened(network) as engine, engine.session() as session:
        assert session.scores(BLACK).shape == (11, 8, 12)
    with pytest.raises(UsageError, match=r"takes 64x96 images .* 32x96 was asked for"):
        opened(network, size=(32, 96))
    directory = tmp_path / "engine"
    directory.mkdir()
    with pytest.raises(UsageError, match="32x96"):
        OnnxRuntime().build(network.path, directory, (32, 96))


def test_unknown_operator_is_named(tmp_path: Path, tiny_network: Callable[..., Any]) -> None:
    network = tiny_network(tmp_path / "odd.onnx", operator="Convolute")
    with pytest.raises(ModelError, match=r"No Op registered for Convolute") as caught:
        opened(network)
    assert "fcn-edge export" in caught.value.fix


def test_newer_format_is_one_sentence_without_c_plus_plus(network: Any) -> None:
    model = onnx.load(network.path)
    model.ir_version = 77
    onnx.save(model, network.path)
    with pytest.raises(ModelError, match=r"m\.onnx: Unsupported model IR version: 77") as caught:
        opened(network)
    assert "::" not in caught.value.message


@pytest.mark.parametrize(
    ("how", "said"),
    [({"outputs": 2}, "has 2 outputs"), ({"operator": "AveragePool"}, "cannot run")],
    ids=["outputs", "operator"],
)
def test_graphs_that_are_no_fcn_are_refused(
    tmp_path: Path, tiny_network: Callable[..., Any], how: dict[str, Any], said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        opened(tiny_network(tmp_path / "m.onnx", **how))


def test_output_that_does_not_fit_the_spec_is_refused(network: Any) -> None:
    spec = network.spec.replace(classes=("a", "b"), palette=((0, 0, 0), (9, 9, 9)))
    with (
        OnnxRuntime().open_onnx(network.path, spec, (64, 96)) as engine,
        engine.session() as session,
        pytest.raises(ModelError, match=r"\(11, 8, 12\).* says \(2, 8, 12\)"),
    ):
        session.labels(BLACK)


def test_weights_in_another_file_are_refused(network: Any) -> None:
    onnx.save(onnx.load(network.path), network.path, save_as_external_data=True, location="w.bin", size_threshold=0)
    with pytest.raises(ModelError, match="weights in another file"):
        opened(network)


def test_damaged_files_are_always_a_model_error(network: Any, capfd: pytest.CaptureFixture[str]) -> None:
    whole = network.path.read_bytes()
    chance = random.Random(0)
    sentences: list[str] = []
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[chance.randrange(900)] = chance.randrange(256)
        network.path.write_bytes(damaged)
        try:
            with opened(network) as engine, engine.session() as session:
                session.scores(BLACK)
        except ModelError as error:
            sentences.append(error.message)
    assert len(sentences) > 20
    assert not [sentence for sentence in sentences if "\n" in sentence]
    assert capfd.readouterr() == ("", "")


def test_full_memory_is_not_called_a_bad_model(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def InferenceSession(self, *_: Any, **__: Any) -> None:
            raise MemoryError

        def SessionOptions(self) -> Any:
            import onnxruntime

            return onnxruntime.SessionOptions()

    monkeypatch.setattr(onnxruntime_library, "library", Full)
    with pytest.raises(MemoryError):
        opened(network)


def test_int8_plans_stay_on_their_instruction_set() -> None:
    assert "for processors with z80" in OnnxRuntime().misfit(Device("cpu", "X", "z80"), "int8")
    assert OnnxRuntime().misfit(Device("cpu", "X", "z80"), "fp32") == ""
