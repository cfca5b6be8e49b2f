"""The plain float64 decoder that the tests hold every decoder to."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

__all__ = ["TOLERANCE", "wrong_pixels"]

_FILE = Path(__file__).resolve().parents[2] / "tests" / "ops" / "dense_reference.py"


def _module() -> ModuleType:
    # by its path: other packages install a "tests" of their own
    spec = spec_from_file_location("dense_reference", _FILE)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_REFERENCE = _module()
TOLERANCE: float = _REFERENCE.TOLERANCE
wrong_pixels = _REFERENCE.wrong_pixels
