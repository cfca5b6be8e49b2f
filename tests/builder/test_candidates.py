from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fcn_edge.artifacts.calibration_table import read_table
from fcn_edge.artifacts.models import resolved_model
from fcn_edge.backends import registry
from fcn_edge.backends.options import BuildOptions
from fcn_edge.backends.probe import Probe
from fcn_edge.backends.registry import BACKENDS, backend
from fcn_edge.builder import build_engine, write_typed_onnx
from fcn_edge.builder.candidates import buildable_model, candidates_of
from fcn_edge.builder.options import BuildRequest
from fcn_edge.errors import GuardError, MachineError, UsageError


@pytest.mark.parametrize("name", [name for name, entry in BACKENDS.items() if entry.device == "cuda"])
def test_backends_of_gpus_take_one_frame_at_a_time(tmp_path: Path, tiny: Any, name: str) -> None:
    """Whether their library is here or not."""
    with pytest.raises(UsageError, match=f"A batch of 4 was asked for, and {name} takes one frame at a time"):
        candidates_of(resolved_model(tiny.path), BuildRequest(backend=name, batch=4), None)
    with pytest.raises(UsageError, match=f"{name} takes one frame at a time"):
        backend(name).build(tiny.path, tmp_path, (64, 96), BuildOptions(batch=4))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_backend_without_int8_convolutions_is_refused_before_anything_is_asked_of_the_machine(
    tmp_path: Path, levels: Any, table_of: Any, precision: str
) -> None:
    """Of a graph that is INT8 already too; no library and no GPU have to be here, and no table has to be made."""
    path, said = levels.path, "onnxruntime-cuda can build this model as fp16 or fp32 only, and int8 was asked for: "
    if precision == "int8":
        request = BuildRequest(backend="tensorrt", precision="int8", calibration=table_of(levels))
        path = write_typed_onnx(levels.path, request, tmp_path / "m.onnx").path
        said = f"{path} is an int8 graph, and "
    model, request = resolved_model(path), BuildRequest(backend="onnxruntime-cuda", precision="int8")
    with pytest.raises(GuardError) as caught:
        buildable_model(model, request)
    assert caught.value.message.startswith(f"{said}ONNX Runtime's CUDA provider has no INT8 convolution")
    assert caught.value.exit_code == 4
    assert "--precision fp16" in caught.value.fix
    with pytest.raises(GuardError):
        build_engine(model, request, output=tmp_path / "engine")
    assert not (tmp_path / "engine").exists()


def test_a_typed_graph_is_not_written_for_one_either(tmp_path: Path, levels: Any, table_of: Any) -> None:
    request = BuildRequest(backend="onnxruntime-cuda", precision="int8", calibration=table_of(levels))
    with pytest.raises(GuardError, match="no INT8 convolution"):
        write_typed_onnx(levels.path, request, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize("alone", [True, False])
def test_auto_passes_over_backends_without_int8_convolutions(
    levels: Any, table_of: Any, add_backend: Any, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_backend("tensorrt", "cuda").no_int8 = "it has none"
    if alone:
        monkeypatch.setattr(registry, "available_backends", lambda device: (registry.backend("tensorrt"),))
    model, table = resolved_model(levels.path), read_table(table_of(levels))
    found = candidates_of(model, BuildRequest(precision="auto"), table)
    others = [] if alone else [f"onnxruntime.{precision}" for precision in ("fp32", "int8")]
    assert [one.name for one in found] == [*others, "tensorrt.fp32", "tensorrt.fp16"]
    if alone:
        with pytest.raises(GuardError, match=r"tensorrt can build .* int8 was asked for: it has none\."):
            candidates_of(model, BuildRequest(precision="int8"), table)
    else:
        assert [one.name for one in candidates_of(model, BuildRequest(precision="int8"), table)] == others[1:]


@pytest.mark.parametrize("recipe", ["", "orin-nano"])
def test_a_recipe_on_a_machine_that_it_is_not_for(tiny: Any, monkeypatch: pytest.MonkeyPatch, recipe: str) -> None:
    gone = Probe("", (), problem="TensorRT is not installed.", fix="Install it.")
    monkeypatch.setattr(type(backend("tensorrt")), "probe", lambda *_: gone)
    request = BuildRequest(backend="tensorrt", precision="auto", recipe=recipe)
    with pytest.raises(MachineError) as caught:
        candidates_of(resolved_model(tiny.path), request, None)
    assert caught.value.fix == "Install it."
    said = "The recipe orin-nano is for machines that have it: elsewhere build without the recipe"
    assert caught.value.message.startswith(f"TensorRT is not installed. {said}" if recipe else "TensorRT is not")
    assert (said in caught.value.message) == bool(recipe)
