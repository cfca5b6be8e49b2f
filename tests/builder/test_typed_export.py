from __future__ import annotations

import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest

from fcn_edge.artifacts.calibration_table import QuantizationChoice, read_table, write_table
from fcn_edge.artifacts.onnx_header import spec_of_onnx
from fcn_edge.artifacts.quantization_record import quantization_record_of_onnx
from fcn_edge.builder import BuildRequest, write_typed_onnx
from fcn_edge.builder.typed_onnx import INT8_SHARE
from fcn_edge.errors import GuardError, TableError, UsageError


def inputs_of(path: Path) -> list[str | int]:
    (image,) = onnx.load_model(path).graph.input
    return [dim.dim_param or dim.dim_value for dim in image.type.tensor_type.shape.dim]


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_int8_graph_says_what_it_is_and_where_it_comes_from(
    levels: Any, table_of: Any, tmp_path: Path, backend: str
) -> None:
    request = BuildRequest(backend=backend, precision="int8", calibration=table_of(levels))
    export = write_typed_onnx(levels.path, request, tmp_path / "m.onnx")
    spec = spec_of_onnx(export.path)
    assert export.spec == spec
    assert (export.backend, spec.precision) == (backend, "int8")
    assert spec.profile is not None
    assert spec.profile.startswith(backend)
    record = quantization_record_of_onnx(export.path)
    assert record is not None
    assert record.table == read_table(table_of(levels)).digest
    assert export.int8_share == record.int8_share == pytest.approx(7168 / 7520)
    assert record.int8_share >= INT8_SHARE
    assert "QuantizeLinear" in {node.op_type for node in onnx.load_model(export.path).graph.node}
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_backend_that_is_not_installed_will_do(levels: Any, table_of: Any, tmp_path: Path, add_backend: Any) -> None:
    gpu = add_backend("tensorrt", "cuda")
    gpu.problem = "TensorRT is not installed."
    request = BuildRequest(backend="tensorrt", precision="int8", calibration=table_of(levels))
    export = write_typed_onnx(levels.path, request, tmp_path / "m.onnx")
    assert (export.backend, export.spec.profile) == ("tensorrt", "tensorrt")
    types = {each.data_type for each in onnx.load_model(export.path).graph.initializer}
    assert {onnx.TensorProto.INT8, onnx.TensorProto.FLOAT16} <= types
    assert gpu.built == []


def test_no_backend_library_is_imported(levels: Any, table_of: Any, tmp_path: Path) -> None:
    code = f"""
        import sys
        for name in ("onnxruntime", "openvino", "tensorrt", "torch"):
            sys.modules[name] = None
        from pathlib import Path
        from fcn_edge.builder import BuildRequest, write_typed_onnx
        for backend, precision in (("openvino", "int8"), ("onnxruntime", "int8"), ("auto", "fp16"), ("auto", "fp32")):
            request = BuildRequest(backend=backend, precision=precision, calibration=Path({str(table_of(levels))!r}))
            write_typed_onnx({str(levels.path)!r}, request, Path({str(tmp_path)!r}) / f"{{backend}}.{{precision}}.onnx")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_float_graphs_are_the_same_for_every_backend(levels: Any, tmp_path: Path, precision: str) -> None:
    written = {
        write_typed_onnx(
            levels.path, BuildRequest(backend=backend, precision=precision), tmp_path / f"{backend}.onnx"
        ).path.read_bytes()
        for backend in ("auto", "openvino")
    }
    assert len(written) == 1
    assert spec_of_onnx(tmp_path / "auto.onnx").precision == precision


def test_size_freezes_the_graph_and_none_leaves_it_open(levels: Any, table_of: Any, tmp_path: Path) -> None:
    for precision in ("fp32", "fp16", "int8"):
        given: dict[str, Any] = {"backend": "onnxruntime", "precision": precision, "calibration": table_of(levels)}
        path = tmp_path / "m.onnx"
        write_typed_onnx(levels.path, BuildRequest(**given), path)
        assert inputs_of(path) == ["32*h", "32*w", 3]
        write_typed_onnx(levels.path, BuildRequest(**given, size=(96, 128)), path)
        assert inputs_of(path) == [96, 128, 3]
        assert spec_of_onnx(path).size == (96, 128)


def test_choice_of_the_table_is_taken(levels: Any, table_of: Any, tmp_path: Path) -> None:
    table = read_table(table_of(levels))
    choice = QuantizationChoice(method="entropy", excluded_layers=("encoder.features.1.0",))
    write_table(
        tmp_path / "t.json", table.model_copy(update={"choices": dict.fromkeys(("openvino", "openvino-7bit"), choice)})
    )
    request = BuildRequest(backend="openvino", precision="int8", calibration=tmp_path / "t.json")
    write_typed_onnx(levels.path, request, tmp_path / "m.onnx")
    record = quantization_record_of_onnx(tmp_path / "m.onnx")
    assert record is not None
    assert (record.method, record.excluded_layers) == ("entropy", ("encoder.features.1.0",))


def test_graph_of_which_little_is_int8_is_not_written(levels: Any, table_of: Any, tmp_path: Path) -> None:
    table = read_table(table_of(levels))
    choice = QuantizationChoice(method="mse", excluded_layers=("encoder.features.0.0",))
    write_table(
        tmp_path / "t.json", table.model_copy(update={"choices": dict.fromkeys(("openvino", "openvino-7bit"), choice)})
    )
    request = BuildRequest(backend="openvino", precision="int8", calibration=tmp_path / "t.json")
    with pytest.raises(GuardError, match="Only 14% of the multiplications"):
        write_typed_onnx(levels.path, request, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize(
    ("request_", "output", "said"),
    [
        ({"precision": "auto"}, "m.onnx", "has one precision"),
        ({"precision": "int8"}, "m.onnx", "made for one backend"),
        ({"precision": "fp16"}, "m.plan", r"does not end in \.onnx"),
        ({"precision": "fp16", "backend": "tpu"}, "m.onnx", "no backend 'tpu'"),
        ({"precision": "fp16"}, "none/m.onnx", "could not be written"),
    ],
)
def test_wrong_arguments_are_usage_errors(
    levels: Any, tmp_path: Path, request_: dict[str, Any], output: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        write_typed_onnx(levels.path, BuildRequest(**request_), tmp_path / output)
    assert list(tmp_path.iterdir()) == []


def test_int8_without_a_table_is_a_table_error(levels: Any, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="needs a calibration table"):
        write_typed_onnx(levels.path, BuildRequest(backend="openvino", precision="int8"), tmp_path / "m.onnx")


def test_typed_graph_is_not_typed_again(levels: Any, tmp_path: Path) -> None:
    write_typed_onnx(levels.path, BuildRequest(precision="fp16"), tmp_path / "m.onnx")
    with pytest.raises(UsageError, match="is an fp16 graph already"):
        write_typed_onnx(tmp_path / "m.onnx", BuildRequest(precision="fp16", size=(96, 96)), tmp_path / "n.onnx")


@pytest.mark.parametrize("name", ["m.onnx", "link.onnx", "./sub/../m.onnx"])
def test_model_is_not_replaced_by_its_own_typed_graph(levels: Any, tmp_path: Path, name: str) -> None:
    model = tmp_path / "m.onnx"
    model.write_bytes(levels.path.read_bytes())
    (tmp_path / "link.onnx").symlink_to(model)
    (tmp_path / "sub").mkdir()
    with pytest.raises(UsageError, match="is the model that the typed graph is made from"):
        write_typed_onnx(model, BuildRequest(precision="fp16"), tmp_path / name)
    assert model.read_bytes() == levels.path.read_bytes()


@pytest.mark.parametrize(("backend", "precision"), [("tensorrt", "int8"), ("openvino", "int8"), ("auto", "fp16")])
def test_graph_may_take_several_images(
    levels: Any, table_of: Any, tmp_path: Path, backend: str, precision: str
) -> None:
    """Also for backends whose sessions take one: ``trtexec`` runs it."""
    request = BuildRequest(backend=backend, precision=precision, calibration=table_of(levels), batch=4)
    export = write_typed_onnx(levels.path, request, tmp_path / "m.onnx")
    assert inputs_of(export.path) == [4, "32*h", "32*w", 3]
    frozen = write_typed_onnx(levels.path, replace(request, size=(64, 96)), tmp_path / "f.onnx")
    assert inputs_of(frozen.path) == [4, 64, 96, 3]
    assert (quantization_record_of_onnx(export.path) is not None) == (precision == "int8")
