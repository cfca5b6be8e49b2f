from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.errors import ModelError, SpecError
from fcn_edge.modelfile import SPEC_KEY, metadata_of_onnx, model_digest, spec_of_onnx

onnx = pytest.importorskip("onnx")

Write = Callable[..., Any]


def test_spec_comes_back_without_the_onnx_package(tiny: Any) -> None:
    assert spec_of_onnx(tiny.path) == tiny.spec


def test_metadata_is_what_the_onnx_package_says(tmp_path: Path, tiny_network: Write) -> None:
    metadata = {"a": "", "ключ": "значение " * 100, "": "x"}
    network = tiny_network(tmp_path / "m.onnx", metadata=metadata)
    assert metadata_of_onnx(network.path) == metadata
    assert {entry.key: entry.value for entry in onnx.load(network.path).metadata_props} == metadata


def test_digest_covers_graph_weights_and_opset_and_no_metadata(tmp_path: Path, tiny: Any, tiny_network: Write) -> None:
    digest = model_digest(tiny.path)
    renamed = tiny_network(tmp_path / "m.onnx", metadata={SPEC_KEY: tiny.spec.replace(name="new").to_json()})
    assert model_digest(renamed.path) == digest
    assert model_digest(tiny_network(tmp_path / "m.onnx", seed=1).path) != digest
    model = onnx.load(tiny.path)
    model.opset_import[0].version = 19
    onnx.save(model, tmp_path / "m.onnx")
    assert model_digest(tmp_path / "m.onnx") != digest
    model = onnx.load(tiny.path)
    model.producer_name = "somebody"
    onnx.save(model, tmp_path / "m.onnx")
    assert model_digest(tmp_path / "m.onnx") == digest


def test_file_without_a_spec_is_a_model_error(tmp_path: Path, tiny_network: Write) -> None:
    with pytest.raises(ModelError, match="without an fcn_edge spec"):
        spec_of_onnx(tiny_network(tmp_path / "m.onnx", metadata={"other": "x"}).path)


def test_spec_that_is_not_valid_is_a_spec_error(tmp_path: Path, tiny_network: Write) -> None:
    with pytest.raises(SpecError):
        spec_of_onnx(tiny_network(tmp_path / "m.onnx", metadata={SPEC_KEY: "{}"}).path)


@pytest.mark.parametrize("read", [metadata_of_onnx, model_digest, spec_of_onnx])
def test_what_is_no_onnx_file_is_a_model_error(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    for content in (b"", b"\x00", b"junk" * 50, b"\xff" * 50):
        (tmp_path / "m.onnx").write_bytes(content)
        with pytest.raises(ModelError, match="not an ONNX file"):
            read(tmp_path / "m.onnx")
    for missing in (tmp_path / "none.onnx", tmp_path):
        with pytest.raises(ModelError, match="no model file"):
            read(missing)


def test_cut_off_file_has_no_digest(tmp_path: Path, tiny: Any) -> None:
    whole = tiny.path.read_bytes()
    chance = random.Random(0)
    for _ in range(50):
        (tmp_path / "m.onnx").write_bytes(whole[: chance.randrange(100, len(whole) - len(tiny.spec.to_json()) - 100)])
        with pytest.raises(ModelError, match="cut off"):
            model_digest(tmp_path / "m.onnx")


def test_no_damage_makes_another_error(tmp_path: Path, tiny: Any) -> None:
    whole = tiny.path.read_bytes()
    chance = random.Random(1)
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[-chance.randrange(1, 1500)] = chance.randrange(256)
        (tmp_path / "m.onnx").write_bytes(damaged)
        try:
            spec_of_onnx(tmp_path / "m.onnx")
            model_digest(tmp_path / "m.onnx")
        except (ModelError, SpecError) as error:
            assert "\n" not in error.message  # noqa: PT017
