"""What ONNX Runtime and OpenVINO, the backends of the processor, do alike; what every backend does is in contract/."""

from __future__ import annotations

import builtins
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

from fcn_edge.artifacts.device import DeviceInfo
from fcn_edge.backends.base import Backend
from fcn_edge.backends.onnxruntime import library as onnxruntime_library
from fcn_edge.backends.onnxruntime.cpu import OnnxRuntime
from fcn_edge.backends.openvino import library as openvino_library
from fcn_edge.backends.openvino.backend import OpenVino
from fcn_edge.backends.options import RunOptions
from fcn_edge.errors import MissingExtraError, ModelError, UsageError

BLACK = np.zeros((64, 96, 3), np.uint8)
LIBRARIES: dict[str, ModuleType] = {"onnxruntime": onnxruntime_library, "openvino": openvino_library}
INSTALL = {"onnxruntime": "pip install onnxruntime", "openvino": "pip install 'fcn_edge[openvino]'"}


@pytest.fixture(params=[OnnxRuntime, OpenVino], ids=lambda kind: kind.name)
def backend(request: pytest.FixtureRequest) -> Backend:
    made: Backend = request.param()
    probe = made.probe()
    if not probe.available:
        pytest.skip(probe.problem)
    return made


@pytest.fixture
def network(tmp_path: Path, tiny_network: Callable[..., Any]) -> Any:
    return tiny_network(tmp_path / "m.onnx")


def scores_of(backend: Backend, network: Any, **how: Any) -> Any:
    with backend.open_onnx(network.path, network.spec, (64, 96), **how) as engine, engine.session() as session:
        return session.scores(BLACK)


@pytest.fixture
def import_fails(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[ImportError], None]]:
    """Makes the import of the backend's library fail."""
    real, place = builtins.__import__, LIBRARIES[backend.name]

    def fail(error: ImportError) -> None:
        def imported(name: str, *rest: Any, **more: Any) -> Any:
            if name == backend.name:
                raise error
            return real(name, *rest, **more)

        place.library.cache_clear()
        if place is openvino_library:  # the core of the tests before is not let go
            monkeypatch.setattr(place, "_only_core", lambda: place.library().Core())
        else:
            monkeypatch.delitem(sys.modules, backend.name, raising=False)
        monkeypatch.setattr(builtins, "__import__", imported)

    yield fail
    place.library.cache_clear()


def test_missing_library_is_told_by_probe_and_raised_by_open(
    backend: Backend, network: Any, import_fails: Callable[[ImportError], None]
) -> None:
    import_fails(ModuleNotFoundError(f"No module named '{backend.name}'", name=backend.name))
    probe = backend.probe()
    assert not probe.available
    assert probe.version == ""
    assert INSTALL[backend.name] in probe.fix
    with pytest.raises(MissingExtraError, match=f"{backend.name}, which is not installed"):
        scores_of(backend, network)


def test_library_that_cannot_be_loaded_is_one_sentence(
    backend: Backend, import_fails: Callable[[ImportError], None]
) -> None:
    import_fails(ImportError("libtbb.so.12: cannot open shared object file"))
    probe = backend.probe()
    assert "libtbb" in probe.problem
    assert "pip install" in probe.fix


def test_another_missing_module_is_not_mistaken_for_it(
    backend: Backend, import_fails: Callable[[ImportError], None]
) -> None:
    import_fails(ModuleNotFoundError("No module named 'packaging'", name="packaging"))
    with pytest.raises(ModuleNotFoundError, match="packaging"):
        backend.probe()


@pytest.mark.parametrize("threads", [0, -1])
def test_no_threads_are_a_usage_error(backend: Backend, network: Any, threads: int) -> None:
    with pytest.raises(UsageError, match=f"threads is {threads}"):
        scores_of(backend, network, options=RunOptions(threads=threads))


def test_model_of_one_size_takes_no_other(backend: Backend, tmp_path: Path, tiny_network: Callable[..., Any]) -> None:
    network = tiny_network(tmp_path / "fixed.onnx", fixed=True)
    assert scores_of(backend, network).shape == (11, 8, 12)
    with pytest.raises(UsageError, match=r"takes 64x96 images .* 32x96 was asked for"):
        backend.open_onnx(network.path, network.spec, (32, 96))
    directory = tmp_path / "engine"
    directory.mkdir()
    with pytest.raises(UsageError, match="32x96"):
        backend.build(network.path, directory, (32, 96))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"outputs": 2}, "has 2 outputs"),
        ({"operator": "AveragePool"}, "as many as ONNX says"),
        ({"operator": "Convolute"}, r"m\.onnx: .*Convolute"),
    ],
    ids=["outputs", "arguments", "operator"],
)
def test_graphs_that_are_no_fcn_are_refused(
    backend: Backend, tmp_path: Path, tiny_network: Callable[..., Any], how: dict[str, Any], said: str
) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        scores_of(backend, tiny_network(tmp_path / "m.onnx", **how))
    assert "\n" not in caught.value.message
    assert ".cpp" not in caught.value.message


def test_output_that_does_not_fit_the_spec_is_refused(backend: Backend, network: Any) -> None:
    spec = network.spec.replace(classes=("a", "b"), palette=((0, 0, 0), (9, 9, 9)))
    with (
        backend.open_onnx(network.path, spec, (64, 96)) as engine,
        engine.session() as session,
        pytest.raises(ModelError, match=r"\(11, 8, 12\).* says \(2, 8, 12\)"),
    ):
        session.labels(BLACK)


def test_labels_of_no_class_are_refused(backend: Backend, tmp_path: Path, tiny_network: Callable[..., Any]) -> None:
    network = tiny_network(tmp_path / "labels.onnx", head="labels", bias=0.0)
    few = network.spec.replace(classes=network.spec.classes[:2], palette=network.spec.palette[:2])
    image = np.random.default_rng(0).integers(0, 256, BLACK.shape, np.uint8)
    for spec, fits in ((network.spec, True), (few, False)):
        with backend.open_onnx(network.path, spec, (64, 96)) as engine, engine.session() as session:
            if fits:
                assert session.labels(image).max() > 1
                continue
            with pytest.raises(ModelError, match="as labels; uint8 ids of its 2 classes were expected"):
                session.labels(image)


def test_weights_in_another_file_are_refused(backend: Backend, network: Any) -> None:
    onnx.save(onnx.load(network.path), network.path, save_as_external_data=True, location="w.bin", size_threshold=0)
    with pytest.raises(ModelError, match="weights in another file"):
        scores_of(backend, network)


def test_damaged_files_are_always_a_model_error(
    backend: Backend, network: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = network.path.read_bytes()
    chance = random.Random(0)
    sentences: list[str] = []
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[chance.randrange(900)] = chance.randrange(256)
        network.path.write_bytes(damaged)
        try:
            scores_of(backend, network)
        except ModelError as error:
            sentences.append(error.message)
    assert len(sentences) > 20
    assert not [sentence for sentence in sentences if "\n" in sentence or ".cpp" in sentence]
    assert capfd.readouterr() == ("", "")


def test_int8_plans_stay_on_their_instruction_set(backend: Backend) -> None:
    assert "for processors with z80" in backend.incompatibility(DeviceInfo("cpu", "X", "z80"), "int8")
    assert backend.incompatibility(DeviceInfo("cpu", "X", "z80"), "fp32") == ""
