from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from fcn_edge.backends import base, registry
from fcn_edge.backends.registry import BACKENDS, available_backends, backend, preferred_backend
from fcn_edge.errors import MissingExtraError, UsageError


@pytest.mark.parametrize("name", BACKENDS)
def test_every_line_of_the_table_is_a_backend_of_that_name(name: str) -> None:
    made = backend(name)
    assert isinstance(made, base.Backend)
    assert made.name == name


@pytest.mark.parametrize("name", BACKENDS)
def test_every_line_names_an_extra_that_the_package_has(name: str) -> None:
    from importlib.metadata import metadata

    assert BACKENDS[name].extra in (metadata("fcn_edge").get_all("Provides-Extra") or [])


def test_unknown_backend_is_a_usage_error_that_lists_the_others() -> None:
    with pytest.raises(UsageError, match="no backend 'tpu'") as caught:
        backend("tpu")
    for name in BACKENDS:
        assert name in caught.value.fix


def test_no_backend_at_all_is_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BACKENDS", {"onnxruntime": BACKENDS["onnxruntime"]})
    monkeypatch.setattr(
        "fcn_edge.backends.onnxruntime.cpu.OnnxRuntime.probe", lambda self, device=0: base.Probe("", problem="Gone.")
    )
    for ask in (available_backends, preferred_backend):
        with pytest.raises(MissingExtraError) as caught:
            ask()
        assert caught.value.extra == "cpu"
        assert "pip install onnxruntime" in caught.value.fix


def test_preferred_backend_is_the_first_that_runs_and_no_other_library_is_imported() -> None:
    pytest.importorskip("onnxruntime")
    code = (
        "import sys; from fcn_edge.backends.registry import preferred_backend; "
        "print(preferred_backend().name, 'openvino' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["onnxruntime", "False"]


def test_preferred_backend_is_the_next_where_the_first_cannot_run(monkeypatch: pytest.MonkeyPatch) -> None:
    if not backend("openvino").probe().available:
        pytest.skip("openvino is not installed")
    monkeypatch.setattr(
        "fcn_edge.backends.onnxruntime.cpu.OnnxRuntime.probe", lambda self, device=0: base.Probe("", problem="Gone.")
    )
    assert preferred_backend().name == "openvino"
    assert [made.name for made in available_backends()] == ["openvino"]


def test_the_table_imports_no_library() -> None:
    code = (
        "import sys; import fcn_edge.backends.registry as r; [r.backend(name) for name in r.BACKENDS]; "
        "print([name for name in ('onnxruntime', 'openvino', 'onnx', 'torch', 'cv2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_entries_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        BACKENDS["onnxruntime"].extra = "gpu"  # type: ignore[misc]
    with pytest.raises(TypeError):
        BACKENDS["mine"] = BACKENDS["onnxruntime"]  # type: ignore[index]
