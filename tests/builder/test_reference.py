from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.artifacts.models import resolved_model
from fcn_edge.backends.onnxruntime.cpu import OnnxRuntime
from fcn_edge.builder import Build, BuildRequest
from fcn_edge.builder.candidates import candidates_of
from fcn_edge.builder.reference import opened_reference
from fcn_edge.datasets import split_of
from fcn_edge.errors import MissingExtraError, UsageError
from fcn_edge.testing.engine import FakeEngine

pytestmark = pytest.mark.usefixtures("onnxruntime_alone", "quick_builds")


def runs_only_engines(self: Any, *_: Any, **__: Any) -> Any:
    raise UsageError("It runs built engines only.")


def backend_of(model: Path, **request: Any) -> str | None:
    """Name of the backend that runs the reference; None where there is none."""
    found, asked = resolved_model(model), BuildRequest(**request)
    with opened_reference(found, asked, candidates_of(found, asked, None)) as reference:
        if reference is not None:
            assert reference.session.size == (asked.size or found.spec.size)
        return None if reference is None else reference.backend


def test_none_is_opened_where_nothing_is_judged(levels: Any) -> None:
    assert backend_of(levels.path) is None
    assert backend_of(levels.path, precision="fp16", guard=False) is None


def test_one_is_opened_for_smaller_precisions_other_backends_and_scores(
    levels: Any, levels_val: Path, add_backend: Any
) -> None:
    assert backend_of(levels.path, precision="fp16", size=(96, 128)) == "onnxruntime"
    assert backend_of(levels.path, evaluation=split_of(levels_val)) == "onnxruntime"
    other = add_backend()
    assert backend_of(levels.path, backend="other") == "onnxruntime"
    assert backend_of(levels.path, backend="onnxruntime") is None
    other.problem, other.builds = "There is no GPU here.", True
    assert backend_of(levels.path, backend="other") is None, "the float candidate that does not run here says nothing"


def test_backend_that_runs_built_engines_only_is_passed_over(
    levels: Any, add_backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = add_backend()
    monkeypatch.setattr(OnnxRuntime, "open_onnx", runs_only_engines)
    other.open_onnx = lambda self, path, spec, size, options: FakeEngine(spec, size)
    assert backend_of(levels.path, backend="onnxruntime", precision="fp16") == "fake"
    other.open_onnx = runs_only_engines
    with pytest.raises(MissingExtraError, match="Judging a candidate against fp32 needs") as caught:
        backend_of(levels.path, backend="onnxruntime", precision="fp16")
    assert "pip install onnxruntime" in caught.value.fix


def test_build_that_judges_nothing_does_without(
    build: Callable[..., Build], levels: Any, tmp_path: Path, add_backend: Any
) -> None:
    gpu = add_backend("tensorrt", "cuda")
    built = build(levels.path, tmp_path / "e", backend="tensorrt", precision="fp16", guard=False)
    assert built.manifest.accuracy is None
    assert gpu.built
