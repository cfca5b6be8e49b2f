"""MODEL on the command line and in ``load()``: a shipped name, an ONNX file or an engine directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fcn_edge.errors import ModelError
from fcn_edge.modelfile import spec_of_onnx
from fcn_edge.spec import ModelSpec

__all__ = ["Model", "shipped_models", "resolved_model"]

ZOO = Path(__file__).parent / "zoo"


@dataclass(frozen=True)
class Model:
    """A model found on disk.

    Attributes:
        kind: ``onnx`` or ``engine``.
        path: The ONNX file or the engine directory.
        spec: What it is; of an engine it is read but not verified.
        shipped: Name in the zoo; None for other files.
    """

    kind: Literal["onnx", "engine"]
    path: Path
    spec: ModelSpec
    shipped: str | None = None


def shipped_models() -> tuple[str, ...]:
    """Names of the models that ship, sorted."""
    return tuple(sorted(path.parent.name for path in ZOO.glob("*/model.onnx")))


def resolved_model(text: str | Path) -> Model:
    """The model that a text names.

    Args:
        text: A shipped name, the path of an ``.onnx`` file, or that of an engine directory.

    Raises:
        ModelError: It names nothing, or the file is damaged.
        SpecError: The model has no valid spec.
        EngineError: The engine directory is damaged.
    """
    if str(text) in shipped_models():
        path = ZOO / str(text) / "model.onnx"
        return Model("onnx", path, spec_of_onnx(path), shipped=str(text))
    path = Path(text)
    if path.is_dir():
        from fcn_edge.engine import read_manifest

        return Model("engine", path, read_manifest(path).spec)
    if path.is_file():
        return Model("onnx", path, spec_of_onnx(path))
    raise ModelError(
        f"There is no model {str(text)!r}: a shipped name, an .onnx file or an engine directory was expected.",
        f"Shipped models: {', '.join(shipped_models()) or 'none'}.",
    )
