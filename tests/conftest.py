"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import pytest

from fcn_edge.backends import registry

from .tiny_network import TinyNetwork, write_tiny_network

# Two cores are shared by BLAS, OpenCV, torch and ONNX Runtime; pools that fight make the suite many times slower.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "2")

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
