from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fcn_edge.artifacts.models import Model
from fcn_edge.backends.base import Built
from fcn_edge.builder import BuildRequest
from fcn_edge.builder.report import guard_sentence, warnings_of
from fcn_edge.testing.engine import fake_spec

from .made_up import outcome

FLOAT_MODEL = Model("onnx", Path("m.onnx"), fake_spec())


@pytest.mark.parametrize(("ms", "warned"), [(12.0, True), (10.0, True), (9.9, False)])
def test_precision_that_is_no_faster_than_fp32_is_warned_of(ms: float, warned: bool) -> None:
    kept = outcome("int8", ms, holds=True)
    found = warnings_of(kept, [kept, outcome(ms=10.0, reference=True)], BuildRequest(precision="int8"), FLOAT_MODEL)
    expected = (
        f"int8 was asked for and is no faster than fp32 here: {ms:.1f} ms per frame, "
        "and onnxruntime fp32 takes 10.0 ms."
    )
    assert found == ((expected,) if warned else ())


def test_engine_that_nobody_looked_at_is_warned_of() -> None:
    kept, unguarded = outcome("int8", 5.0), BuildRequest(precision="int8", guard=False)
    (warning,) = warnings_of(kept, [kept], unguarded, FLOAT_MODEL)
    assert "--no-guard" in warning
    assert guard_sentence(kept, unguarded, FLOAT_MODEL) == "none: it was built with --no-guard"
    floats = outcome()
    assert warnings_of(floats, [floats], BuildRequest(guard=False), FLOAT_MODEL) == ()
    assert guard_sentence(floats, BuildRequest(), FLOAT_MODEL) == ""


def test_typed_model_is_warned_of() -> None:
    model = Model("onnx", Path("m.int8.onnx"), fake_spec(precision="int8", profile="p"))
    kept = outcome("int8", 5.0)
    (warning,) = warnings_of(kept, [kept], BuildRequest(precision="int8"), model)
    assert "It was not judged: m.int8.onnx is an int8 graph already" in warning
    assert "not at hand" in guard_sentence(kept, BuildRequest(precision="int8"), model)


def test_engine_for_another_machine_is_warned_of() -> None:
    kept = outcome("int8", None, holds=True)
    (warning,) = warnings_of(kept, [kept], BuildRequest(precision="int8"), FLOAT_MODEL)
    assert "This machine cannot run it" in warning
    assert "judged through its ONNX graph" in warning
    assert guard_sentence(kept, BuildRequest(precision="int8"), FLOAT_MODEL) == "loses 0.0"


def test_int8_that_auto_could_not_try_is_warned_of() -> None:
    outcomes = [outcome()]
    (warning,) = warnings_of(outcomes[0], outcomes, BuildRequest(precision="auto"), FLOAT_MODEL)
    assert warning == (
        "INT8 was not tried: the model has no calibration table; make one with "
        "fcn-edge calibrate m.onnx --images DIR -o table.json, and give it with --calibration table.json."
    )
    assert warnings_of(outcomes[0], [*outcomes, outcome("int8")], BuildRequest(precision="auto"), FLOAT_MODEL) == ()
    typed = Model("onnx", Path("m.fp16.onnx"), fake_spec(precision="fp16"))
    assert not any("INT8" in line for line in warnings_of(outcomes[0], outcomes, BuildRequest(precision="auto"), typed))


@pytest.mark.parametrize(("unknown", "said"), [(1, "1 convolution that the plan does not name counts"), (2, "2 convo")])
def test_convolutions_that_the_plan_does_not_name_are_counted(unknown: int, said: str) -> None:
    kept = outcome("int8", 5.0, holds=True)
    assert kept.compiled is not None
    compiled = replace(kept.compiled, built=Built((), {}, 0.85, unknown))
    kept = replace(kept, compiled=compiled)
    (warning,) = warnings_of(kept, [kept], BuildRequest(precision="int8"), FLOAT_MODEL)
    assert warning.startswith(f"At least 85% of the multiplications are INT8: {said}")


def test_a_share_that_is_only_the_graph_s_is_said_to_be() -> None:
    kept = outcome("int8", 5.0, holds=True)
    assert kept.compiled is not None
    assert warnings_of(kept, [kept], BuildRequest(precision="int8"), FLOAT_MODEL) == ()
    compiled = replace(
        kept.compiled,
        built=Built((), {"int8_share_of": "the graph"}),
        typed=replace(kept.compiled.typed, int8_share=0.9),
    )
    kept = replace(kept, compiled=compiled)
    (warning,) = warnings_of(kept, [kept], BuildRequest(precision="int8"), FLOAT_MODEL)
    assert warning.startswith("90% of the multiplications are INT8 in the graph; what the plan does is not known")


def test_int8_that_no_backend_has_is_not_blamed_on_the_table() -> None:
    kept = outcome(backend="onnxruntime-cuda")
    kept.candidate.backend.no_int8 = "it has none"
    (warning,) = warnings_of(kept, [kept], BuildRequest(precision="auto"), FLOAT_MODEL)
    assert warning == "INT8 was not tried: it has none."
    assert "calibration" in warnings_of(kept, [kept, outcome()], BuildRequest(precision="auto"), FLOAT_MODEL)[0]


def test_table_that_changes_nothing_is_warned_of() -> None:
    outcomes = [outcome()]
    (warning,) = warnings_of(outcomes[0], outcomes, BuildRequest(calibration=Path("t.json")), FLOAT_MODEL)
    assert warning == "t.json changes nothing in fp32: --precision int8 or auto uses a calibration table."
    assert warnings_of(outcomes[0], outcomes, BuildRequest(), FLOAT_MODEL) == ()
