from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fcn_edge.artifacts.onnx_header import SPEC_KEY, metadata_of_onnx, model_digest, spec_of_onnx
from fcn_edge.errors import ModelError, SpecError

onnx = pytest.importorskip("onnx")

READERS: list[Callable[[Path], object]] = [metadata_of_onnx, model_digest, spec_of_onnx]


@pytest.fixture
def model(tiny):
    """The onnx package's view of a small model that can be changed."""
    return onnx.load_model(tiny.path)


@pytest.fixture
def saved(tmp_path: Path):
    def save(model: object) -> Path:
        path = tmp_path / "model.onnx"
        onnx.save_model(model, path)
        return path

    return save


def test_metadata_is_what_the_onnx_package_reads(tiny, model) -> None:
    expected = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata_of_onnx(tiny.path) == expected
    assert spec_of_onnx(tiny.path) == tiny.spec


def test_metadata_of_any_text(model, saved) -> None:
    entries = {"": "empty key", "empty": "", "Größe": "größer ☃", "long": "x" * 100_000}
    onnx.helper.set_model_props(model, entries)
    assert metadata_of_onnx(saved(model)) == entries


def test_metadata_without_a_value(model, saved) -> None:
    del model.metadata_props[:]
    model.metadata_props.add().key = "key"
    assert metadata_of_onnx(saved(model)) == {"key": ""}


def test_digest_does_not_see_metadata_nor_producer(tiny, model, saved) -> None:
    before = model_digest(tiny.path)
    assert len(before) == 64
    onnx.helper.set_model_props(model, {"other": "entry"})
    model.producer_name, model.producer_version, model.doc_string = "somebody", "9", "text"
    assert model_digest(saved(model)) == before


def test_digest_sees_one_weight(tiny, model, saved) -> None:
    before = model_digest(tiny.path)
    weight = next(value for value in model.graph.initializer if value.data_type == onnx.TensorProto.FLOAT)
    values = onnx.numpy_helper.to_array(weight).copy()
    values.flat[0] = np.nextafter(values.flat[0], np.float32(np.inf))
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    assert model_digest(saved(model)) != before


@pytest.mark.parametrize("change", ["node", "opset", "input", "ir_version"])
def test_digest_sees_the_graph(tiny, model, saved, change: str) -> None:
    before = model_digest(tiny.path)
    if change == "node":
        model.graph.node[0].name = "renamed"
    elif change == "opset":
        model.opset_import[0].version -= 1
    elif change == "input":
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 64
    else:
        model.ir_version -= 1
    assert model_digest(saved(model)) != before


def test_every_truncation_is_one_sentence(tiny, tmp_path: Path) -> None:
    content = tiny.path.read_bytes()
    path = tmp_path / "cut.onnx"
    ends = {*range(200), *range(200, len(content), 97), *range(len(content) - 400, len(content))}
    for end in sorted(ends):
        path.write_bytes(content[:end])
        with pytest.raises(ModelError):
            spec_of_onnx(path)


def test_a_file_cut_after_its_graph_has_no_digest(model, saved, tmp_path: Path) -> None:
    """Cut where one field ends and the next begins, a message is still well formed."""
    del model.metadata_props[:]
    content = saved(model).read_bytes()
    opset = model.opset_import[0].SerializeToString()
    assert content.endswith(opset)
    path = tmp_path / "cut.onnx"
    path.write_bytes(content[: -len(opset) - 2])
    assert onnx.load_model(path).graph == model.graph
    for read in READERS:
        with pytest.raises(ModelError, match="is cut off"):
            read(path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(content=b"A" + bytes(8) + b"=" + bytes(4))  # opset and graph as numbers
@given(content=st.binary(max_size=400))
def test_random_bytes_are_no_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "random.onnx"
    path.write_bytes(content)
    for read in READERS:
        with pytest.raises(ModelError):
            read(path)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes_never_end_in_another_error(tiny, tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(tiny.path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.onnx"
    path.write_bytes(content)
    for read in READERS:
        with suppress(ModelError, SpecError):
            read(path)


def test_missing_empty_and_unreadable_files(tmp_path: Path) -> None:
    empty = tmp_path / "empty.onnx"
    empty.touch()
    for path, message in [
        (tmp_path / "missing.onnx", "There is no model file"),
        (tmp_path, "There is no model file"),
        (empty, "is not an ONNX file, or is cut off"),
    ]:
        for read in READERS:
            with pytest.raises(ModelError, match=message):
                read(path)


def test_a_foreign_model_has_no_spec(model, saved) -> None:
    del model.metadata_props[:]
    path = saved(model)
    assert metadata_of_onnx(path) == {}
    with pytest.raises(ModelError, match=r"is a trained network \(another program's ONNX file\)") as caught:
        spec_of_onnx(path)
    assert caught.value.fix == f"Make a model of it: fcn-edge export {path} -o net.onnx"


def test_a_spec_that_is_not_valid(model, saved) -> None:
    onnx.helper.set_model_props(model, {SPEC_KEY: "{}"})
    with pytest.raises(SpecError, match="name: "):
        spec_of_onnx(saved(model))
