from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.artifacts.calibration_table import TABLE_KEY
from fcn_edge.artifacts.onnx_header import SPEC_KEY
from fcn_edge.artifacts.quantization_record import QuantizationRecord, quantization_record_of_onnx
from fcn_edge.errors import ModelError

ORIGIN = QuantizationRecord(
    table="a" * 64,
    model="b" * 64,
    method="mse",
    excluded_layers=("decoder.score8",),
    images=("c" * 64,),
    int8_share=0.9,
)


@pytest.fixture
def written(tiny_network: Any, tiny: Any, tmp_path: Path) -> Any:
    """Writes an ONNX file that says something of its calibration."""

    def write(text: str) -> Path:
        path = tmp_path / "m.onnx"
        tiny_network(path, metadata={SPEC_KEY: tiny.spec.to_json(), TABLE_KEY: text})
        return path

    return write


def test_record_is_read_back(written: Any) -> None:
    assert quantization_record_of_onnx(written(ORIGIN.model_dump_json())) == ORIGIN


def test_float_graph_has_none(tiny: Any) -> None:
    assert quantization_record_of_onnx(tiny.path) is None


def test_keys_of_later_versions_are_left_alone(written: Any) -> None:
    assert (
        quantization_record_of_onnx(written(json.dumps({**json.loads(ORIGIN.model_dump_json()), "more": 1}))) == ORIGIN
    )


@pytest.mark.parametrize(
    "change",
    [{"images": ["abc"]}, {"int8_share": 2}, {"method": "guess"}, {"table": None}],
    ids=lambda change: next(iter(change)),
)
def test_what_makes_no_sense_is_a_model_error(written: Any, change: dict[str, Any]) -> None:
    text = json.dumps({**json.loads(ORIGIN.model_dump_json()), **change})
    with pytest.raises(ModelError, match=f"does not say properly what it was calibrated on: .*{next(iter(change))}"):
        quantization_record_of_onnx(written(text))


def test_no_json_is_a_model_error(written: Any) -> None:
    with pytest.raises(ModelError, match="does not say properly"):
        quantization_record_of_onnx(written("{"))
