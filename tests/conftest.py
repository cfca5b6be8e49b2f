"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from fcn_edge.artifacts.models import resolved_model
from fcn_edge.backends import registry

from .levels_network import LevelsNetwork, write_levels_network, write_levels_split
from .quick_builds import make_builds_quick
from .tiny_network import TinyNetwork, write_tiny_network

# Two cores are shared by BLAS, OpenCV, torch and ONNX Runtime; pools that fight make the suite many times slower. Where
# pytest-xdist keeps every core busy, torch needs no second thread.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")

# How long examples take to draw depends on what else the machine does.
settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clock")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """In CI everything is installed that system tests need: one that skips there fails."""
    report = yield
    if report.skipped and "FCN_EDGE_NO_SKIPS" in os.environ and item.get_closest_marker("system"):
        report.outcome = "failed"
    return report


@pytest.fixture(scope="session", autouse=True)
def _runs_aside(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the state of the tests' trainings out of the user's cache."""
    os.environ["FCN_EDGE_RUNS"] = str(tmp_path_factory.getbasetemp() / "runs")


SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data and weights that are not part of the project; tests that need them skip where they are absent."""
    if not SHARED.is_dir():
        pytest.skip(f"no real data: {SHARED} does not exist")
    return SHARED


@pytest.fixture(scope="session")
def camvid(shared: Path) -> Path:
    """Root of CamVid with the splits train and val."""
    return shared / "data" / "camvid"


@pytest.fixture(scope="session")
def tiny_network() -> Callable[..., TinyNetwork]:
    """Writes a small self-describing ONNX file whose scores are known: ``tiny_network(path, **how)``."""
    pytest.importorskip("onnx")
    return write_tiny_network


@pytest.fixture
def onnxruntime_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The only backend there is, so that a build's choice does not hang on which one happens to be faster."""
    only = {"onnxruntime": registry.BACKENDS["onnxruntime"]}
    monkeypatch.setattr(registry, "BACKENDS", MappingProxyType(only))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, tiny_network: Callable[..., TinyNetwork]) -> TinyNetwork:
    """A small model that ends in scores, at 64x96."""
    return tiny_network(tmp_path_factory.mktemp("tiny") / "tiny.onnx")


@pytest.fixture(scope="session")
def levels(tmp_path_factory: pytest.TempPathFactory) -> LevelsNetwork:
    """A model with layers to quantize, whose masks are the same in 8 bits."""
    pytest.importorskip("onnx")
    return write_levels_network(tmp_path_factory.mktemp("levels") / "levels.onnx")


@pytest.fixture(scope="session")
def loud(tmp_path_factory: pytest.TempPathFactory) -> LevelsNetwork:
    """A model whose INT8 engine in ONNX Runtime holds only with ``encoder.features.1`` in floating point."""
    pytest.importorskip("onnx")
    return write_levels_network(tmp_path_factory.mktemp("loud") / "loud.onnx", loud=1000.0, name="loud")


@pytest.fixture(scope="session")
def levels_val(levels: LevelsNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A split of eight images that both of them are always right on."""
    return write_levels_split(tmp_path_factory.mktemp("levels-val") / "val", levels)


@pytest.fixture(scope="session")
def levels_train(levels: LevelsNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A split of six other images, which the tables are made on."""
    return write_levels_split(tmp_path_factory.mktemp("levels-train") / "train", levels, 6, first=100)


@pytest.fixture(scope="session")
def table_of(levels_train: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[LevelsNetwork], Path]:
    """The calibration table of a model, made once."""
    made: dict[Path, Path] = {}

    def table(network: LevelsNetwork) -> Path:
        from fcn_edge.artifacts.calibration_table import write_table
        from fcn_edge.datasets.calibration import calibration_set
        from fcn_edge.quantization.calibrate import calibration_table

        if network.path not in made:
            path = tmp_path_factory.mktemp("table") / "table.json"
            images = calibration_set(levels_train, network.spec.classes, 6)
            write_table(path, calibration_table(resolved_model(network.path), images, threads=1))
            made[network.path] = path
        return made[network.path]

    return table


@pytest.fixture(scope="session")
def levels_int8(
    levels: LevelsNetwork, table_of: Callable[[LevelsNetwork], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The INT8 engine of the levels model in ONNX Runtime; copy it before you damage it."""
    from fcn_edge.builder import BuildRequest, build_engine

    engine = tmp_path_factory.mktemp("levels-int8") / "engine"
    with pytest.MonkeyPatch.context() as monkeypatch:
        make_builds_quick(monkeypatch)
        request = BuildRequest(backend="onnxruntime", precision="int8", calibration=table_of(levels))
        build_engine(levels.path, request, output=engine)
    return engine


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, Path | None]]:
    """How often an ONNX file's ``header`` and an engine's ``manifest`` were read, by path, and a ``digest`` made."""
    import hashlib

    from fcn_edge.artifacts import engine_manifest, onnx_header

    counts: Counter[tuple[str, Path | None]] = Counter()
    make_header, read_document = onnx_header.OnnxHeader, engine_manifest.read_document

    def header(path: Path, *rest: Any) -> Any:
        counts["header", path] += 1
        return make_header(path, *rest)

    def document(path: Path, *rest: Any) -> Any:
        counts["manifest", path.parent] += 1
        return read_document(path, *rest)

    def sha256() -> Any:
        counts["digest", None] += 1
        return hashlib.sha256()

    monkeypatch.setattr(onnx_header, "OnnxHeader", header)
    monkeypatch.setattr(onnx_header, "hashlib", SimpleNamespace(sha256=sha256))
    monkeypatch.setattr(engine_manifest, "read_document", document)
    return counts


@pytest.fixture
def quick_builds(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Builds on few small frames, each candidate said to take 10 ms; put other times in by ``backend.precision``."""
    return make_builds_quick(monkeypatch)
