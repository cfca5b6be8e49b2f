from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.builder import Request
from fcn_edge.builder.outcome import Result, fastest_float, kept_result
from fcn_edge.builder.report import candidates_of
from fcn_edge.datasets import split_of
from fcn_edge.errors import GuardError, ModelError

from .made_up import result

pytestmark = pytest.mark.usefixtures("onnxruntime_alone")

AUTO = Request(backend="onnxruntime", precision="auto")


def reasons(results: list[Result], request: Request) -> dict[str, str]:
    kept = kept_result(results, request)
    made = candidates_of(results, kept, request)
    assert [one.kept for one in made] == [one is kept for one in results]
    return {f"{one.backend} {one.precision}": one.reason for one in made}


def test_int8_that_is_fast_and_holds_is_kept() -> None:
    results = [result(), result("int8", 5.0, holds=True, drop=0.004)]
    assert kept_result(results, AUTO) is results[1]
    assert reasons(results, AUTO) == {
        "onnxruntime fp32": "5.0 ms slower than onnxruntime int8",
        "onnxruntime int8": "the fastest, 2.00 times as fast as fp32",
    }


@pytest.mark.parametrize(
    ("ms", "drop", "said"),
    [
        (10 / 1.04, 0.009, "INT8 is not worth it here: 4 % faster, 0.9 points worse"),
        (12.5, 0.002, "INT8 is not worth it here: 20 % slower, 0.2 points worse"),
        (10.0, -0.002, "INT8 is not worth it here: 0 % faster"),
    ],
)
def test_int8_that_gains_little_is_not_worth_it(ms: float, drop: float, said: str) -> None:
    results = [result(), result("int8", ms, holds=True, drop=drop)]
    assert kept_result(results, AUTO) is results[0]
    assert reasons(results, AUTO)["onnxruntime int8"] == said


def test_int8_is_compared_with_the_fastest_float_of_any_backend() -> None:
    results = [result(ms=20.0), result(ms=10.0, backend="other"), result("int8", 12.0, holds=True)]
    assert kept_result(results, AUTO) is results[1]


def test_plan_that_the_guard_refuses_is_never_kept() -> None:
    results = [result(), result("int8", 1.0, holds=False, drop=0.3)]
    assert kept_result(results, AUTO) is results[0]
    assert reasons(results, AUTO) == {
        "onnxruntime fp32": "the only one that may be kept",
        "onnxruntime int8": "loses too much: loses 0.3",
    }


def test_plan_that_failed_says_why() -> None:
    failed = result("int8", None, trial=None, error=ModelError("It cannot do Conv."))
    assert reasons([result(), failed], AUTO)["onnxruntime int8"] == "It cannot do Conv."


def test_float_plan_that_is_only_compared_is_not_kept() -> None:
    named = Request(backend="onnxruntime", precision="int8")
    results = [result("int8", 12.0, holds=True), result(ms=10.0, reference=True)]
    assert kept_result(results, named) is results[0]
    assert reasons(results, named) == {
        "onnxruntime int8": "asked for, 0.83 times as fast as fp32",
        "onnxruntime fp32": "what the others are compared with",
    }


def test_named_precision_takes_the_fastest_backend_even_if_slow() -> None:
    named = Request(precision="int8")
    results = [result("int8", 12.0, holds=True), result("int8", 11.0, holds=True, backend="other")]
    assert kept_result(results, named) is results[1]


def test_refusal_of_all_is_a_guard_error_with_the_verdict() -> None:
    results = [
        result("int8", None, trial=None, error=ModelError("It cannot do Conv."), backend="other"),
        result("int8", None, holds=False, drop=0.2),
        result(ms=10.0, reference=True),
    ]
    with pytest.raises(GuardError, match=r"onnxruntime\.int8 is less accurate than is allowed: loses 0\.2\.") as caught:
        kept_result(results, Request(precision="int8"))
    assert caught.value.exit_code == 4
    assert caught.value.fix == (
        "Calibrate on more images like those to come, judge it on labelled images with --eval DIR, build another "
        "--precision, or take it as it is with --no-guard."
    )


def test_refusal_names_every_plan_and_what_became_of_the_search(levels_val: Path) -> None:
    searched = GuardError("INT8 does not hold the guard, with decoder in floating point.")
    results = [
        result("int8", None, holds=False, drop=0.2, error=searched),
        result("int8", None, holds=False, drop=0.1, backend="other"),
        result("int8", None, trial=None, error=GuardError("Only 50% would be INT8."), backend="third"),
        result(ms=10.0, reference=True),
    ]
    with pytest.raises(GuardError) as caught:
        kept_result(results, Request(precision="int8", evaluation=split_of(levels_val)))
    assert caught.value.message == (
        "onnxruntime.int8 is less accurate than is allowed: loses 0.2, and cannot be mended: INT8 does not hold the "
        "guard, with decoder in floating point; other.int8 is less accurate than is allowed: loses 0.1; third.int8 "
        "cannot be mended: Only 50% would be INT8."
    )
    assert caught.value.fix == (
        "Calibrate on more images like those to come, allow a larger --max-drop or --max-class-drop, build another "
        "--precision, or take it as it is with --no-guard instead of --eval."
    )


def test_refusal_of_a_float_plan_does_not_speak_of_calibration() -> None:
    with pytest.raises(GuardError, match="fp16 is less accurate") as caught:
        kept_result([result("fp16", None, holds=False)], Request(precision="fp16"))
    assert caught.value.fix.startswith("Judge it on labelled images with --eval DIR, ")


def test_failure_of_all_is_the_first_one_s_error() -> None:
    errors = [ModelError("First."), GuardError("Second.")]
    results = [result("int8", None, trial=None, error=error) for error in errors]
    with pytest.raises(ModelError, match="First"):
        kept_result(results, Request(precision="int8"))


def test_candidates_carry_what_was_measured() -> None:
    results = [result(), result("int8", 5.0, holds=True)]
    made = candidates_of(results, results[1], AUTO)
    assert [(one.end_to_end_ms, one.miou, one.int8_share) for one in made] == [(10.0, None, None), (5.0, None, 0.95)]


def test_backends_that_are_not_considered_are_named_for_auto_only() -> None:
    results = [result(backend="other")]
    auto = candidates_of(results, results[0], Request())
    assert [(one.backend, one.kept, one.reason) for one in auto] == [
        ("other", True, "the only one that runs here"),
        ("onnxruntime", False, "the graph is not made for it"),
    ]
    assert len(candidates_of(results, results[0], Request(backend="other"))) == 1


def test_fastest_float_is_one_that_was_timed() -> None:
    fast = result(ms=4.0)
    assert fastest_float([result(ms=None), result(ms=8.0), fast, result("int8", 1.0)]) is fast
    assert fastest_float([result(ms=None), result("int8", 1.0)]) is None
