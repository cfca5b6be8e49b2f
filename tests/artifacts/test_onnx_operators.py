from __future__ import annotations

import pytest

from fcn_edge.artifacts.onnx_operators import MANY, OPERATORS, has_its_tensors


def test_every_operator_of_onnx_is_known_and_may_have_all_that_onnx_says() -> None:
    onnx = pytest.importorskip("onnx")
    schemas = [schema for schema in onnx.defs.get_all_schemas_with_history() if not schema.domain]
    assert len(schemas) > 300
    for schema in schemas:
        fewest_in, most_in, fewest_out, most_out = OPERATORS[schema.name]
        assert fewest_in <= schema.min_input <= schema.max_input <= most_in, schema.name
        assert fewest_out <= schema.min_output <= schema.max_output <= most_out, schema.name


def test_nodes_have_the_tensors_of_their_operator() -> None:
    assert OPERATORS["Conv"] == (2, 3, 1, 1)
    assert OPERATORS["Concat"] == (1, MANY, 1, 1)
    assert has_its_tensors("Conv", ["x", "w"], ["y"])
    assert has_its_tensors("Conv", ["x", "w", ""], ["y"])
    assert not has_its_tensors("Conv", ["x"], ["y"])
    assert not has_its_tensors("Conv", ["x", ""], ["y"])
    assert not has_its_tensors("Conv", ["x", "w", "b", "z"], ["y"])
    assert not has_its_tensors("Conv", ["x", "w"], [])
    assert has_its_tensors("OfTheFuture", [], ["y"])
