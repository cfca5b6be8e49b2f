"""What the tests of TensorRT's builder share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ...typed_network import TypedNetwork


@pytest.fixture
def typed_network(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small strongly typed ONNX file: ``typed_network(precision, **how)``."""
    pytest.importorskip("onnx")

    def write(precision: str, **how: object) -> Path:
        return TypedNetwork(precision, **how).write(tmp_path / "typed.onnx")  # type: ignore[arg-type]

    return write


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """An empty engine directory."""
    made = tmp_path / "engine"
    made.mkdir()
    return made
