from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fcn_edge.artifacts.calibration_table import read_table
from fcn_edge.artifacts.models import resolved_model
from fcn_edge.backends.onnxruntime.cpu import OnnxRuntime
from fcn_edge.builder.mixed_precision import groups_of
from fcn_edge.builder.profile_tuning import chosen_for_profiles
from fcn_edge.datasets import split_of
from fcn_edge.errors import GuardError


def test_a_model_that_loses_nothing_is_quantized_whole(levels: Any, table_of: Any, levels_val: Path) -> None:
    """The profiles of processors: float32 between Q/DQ. FP16 rounds otherwise in older ONNX Runtimes."""
    table = read_table(table_of(levels))
    chosen = chosen_for_profiles(
        resolved_model(levels.path),
        table,
        split_of(levels_val),
        profiles=["onnxruntime", "openvino"],
        max_drop=0.0,
        max_class_drop=0.0,
    )
    assert chosen.choices.keys() == {"onnxruntime", "openvino"}
    for choice in chosen.choices.values():
        assert choice.excluded_layers == ()
        assert choice.selected_on.endswith("8 images")
    assert chosen.tensors == table.tensors


def test_layers_that_cost_too_much_stay_in_floating_point(loud: Any, table_of: Any, levels_val: Path) -> None:
    told: list[str] = []
    chosen = chosen_for_profiles(
        resolved_model(loud.path),
        read_table(table_of(loud)),
        split_of(levels_val),
        profiles=["onnxruntime"],
        max_drop=0.01,
        max_class_drop=0.03,
        tell=told.append,
    )
    floats = chosen.choices["onnxruntime"].excluded_layers
    assert list(groups_of(floats)) == ["encoder.features.1"]
    assert told[0] == "onnxruntime:"
    assert any(line.startswith("encoder.features.1 alone") for line in told)


def test_limits_that_no_choice_holds_are_an_error(loud: Any, table_of: Any, levels_val: Path) -> None:
    with pytest.raises(GuardError, match="does not hold the guard"):
        chosen_for_profiles(
            resolved_model(loud.path),
            read_table(table_of(loud)),
            split_of(levels_val),
            profiles=["onnxruntime"],
            max_drop=-1.0,
            max_class_drop=0.0,
        )


def test_no_fused_graph_chooses_anything(
    levels: Any, table_of: Any, levels_val: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a fused graph gives depends on the processor's integer instructions."""
    monkeypatch.setattr(OnnxRuntime, "open_onnx", lambda *_, **__: pytest.fail("a fused graph was judged"))
    chosen = chosen_for_profiles(
        resolved_model(levels.path),
        read_table(table_of(levels)),
        split_of(levels_val),
        profiles=["onnxruntime"],
        max_drop=0.0,
        max_class_drop=0.0,
    )
    assert chosen.choices["onnxruntime"].excluded_layers == ()
