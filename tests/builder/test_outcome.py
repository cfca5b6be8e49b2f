from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.builder import BuildRequest
from fcn_edge.builder.outcome import Outcome, fastest_float, kept_outcome
from fcn_edge.builder.report import reports_of
from fcn_edge.datasets import split_of
from fcn_edge.errors import GuardError, ModelError

from .made_up import outcome

pytestmark = pytest.mark.usefixtures("onnxruntime_alone")

AUTO = BuildRequest(backend="onnxruntime", precision="auto")


def reasons(outcomes: list[Outcome], request: BuildRequest) -> dict[str, str]:
    kept = kept_outcome(outcomes, request)
    made = reports_of(outcomes, kept, request)
    assert [one.kept for one in made] == [one is kept for one in outcomes]
    return {f"{one.backend} {one.precision}": one.reason for one in made}


def test_int8_that_is_fast_and_holds_is_kept() -> None:
    outcomes = [outcome(), outcome("int8", 5.0, holds=True, drop=0.004)]
    assert kept_outcome(outcomes, AUTO) is outcomes[1]
    assert reasons(outcomes, AUTO) == {
        "onnxruntime fp32": "5.0 ms slower than onnxruntime int8",
        "onnxruntime int8": "the fastest, 2.00 times as fast as fp32",
    }


@pytest.mark.parametrize(
    ("ms", "drop", "said"),
    [
        (10 / 1.04, 0.009, "INT8 is not worth it here: 4% faster, 0.9 points worse"),
        (12.5, 0.002, "INT8 is not worth it here: 20% slower, 0.2 points worse"),
        (10.0, -0.002, "INT8 is not worth it here: 0% faster"),
    ],
)
def test_int8_that_gains_little_is_not_worth_it(ms: float, drop: float, said: str) -> None:
    outcomes = [outcome(), outcome("int8", ms, holds=True, drop=drop)]
    assert kept_outcome(outcomes, AUTO) is outcomes[0]
    assert reasons(outcomes, AUTO)["onnxruntime int8"] == said


def test_int8_is_compared_with_the_fastest_float_of_any_backend() -> None:
    outcomes = [outcome(ms=20.0), outcome(ms=10.0, backend="other"), outcome("int8", 12.0, holds=True)]
    assert kept_outcome(outcomes, AUTO) is outcomes[1]


def test_candidate_that_the_guard_refuses_is_never_kept() -> None:
    outcomes = [outcome(), outcome("int8", 1.0, holds=False, drop=0.3)]
    assert kept_outcome(outcomes, AUTO) is outcomes[0]
    assert reasons(outcomes, AUTO) == {
        "onnxruntime fp32": "the only one that may be kept",
        "onnxruntime int8": "loses too much: loses 0.3",
    }


def test_candidate_that_failed_says_why() -> None:
    failed = outcome("int8", None, compiled=None, error=ModelError("It cannot do Conv."))
    assert reasons([outcome(), failed], AUTO)["onnxruntime int8"] == "It cannot do Conv."


def test_float_candidate_that_is_only_compared_is_not_kept() -> None:
    named = BuildRequest(backend="onnxruntime", precision="int8")
    outcomes = [outcome("int8", 12.0, holds=True), outcome(ms=10.0, reference=True)]
    assert kept_outcome(outcomes, named) is outcomes[0]
    assert reasons(outcomes, named) == {
        "onnxruntime int8": "asked for, 0.83 times as fast as fp32",
        "onnxruntime fp32": "what the others are compared with",
    }


def test_named_precision_takes_the_fastest_backend_even_if_slow() -> None:
    named = BuildRequest(precision="int8")
    outcomes = [outcome("int8", 12.0, holds=True), outcome("int8", 11.0, holds=True, backend="other")]
    assert kept_outcome(outcomes, named) is outcomes[1]


def test_refusal_of_all_is_a_guard_error_with_the_verdict() -> None:
    outcomes = [
        outcome("int8", None, compiled=None, error=ModelError("It cannot do Conv."), backend="other"),
        outcome("int8", None, holds=False, drop=0.2),
        outcome(ms=10.0, reference=True),
    ]
    with pytest.raises(GuardError, match=r"onnxruntime\.int8 is less accurate than is allowed: loses 0\.2\.") as caught:
        kept_outcome(outcomes, BuildRequest(precision="int8"))
    assert caught.value.exit_code == 4
    assert caught.value.fix == (
        "Calibrate on more images like those to come, judge it on labeled images with --eval DIR, build another "
        "--precision, or take it as it is with --no-guard."
    )


def test_refusal_names_every_candidate_and_what_became_of_the_search(levels_val: Path) -> None:
    searched = GuardError("INT8 does not hold the guard, with decoder in floating point.")
    outcomes = [
        outcome("int8", None, holds=False, drop=0.2, error=searched),
        outcome("int8", None, holds=False, drop=0.1, backend="other"),
        outcome("int8", None, compiled=None, error=GuardError("Only 50% would be INT8."), backend="third"),
        outcome(ms=10.0, reference=True),
    ]
    with pytest.raises(GuardError) as caught:
        kept_outcome(outcomes, BuildRequest(precision="int8", evaluation=split_of(levels_val)))
    assert caught.value.message == (
        "onnxruntime.int8 is less accurate than is allowed: loses 0.2, and cannot be fixed: INT8 does not hold the "
        "guard, with decoder in floating point; other.int8 is less accurate than is allowed: loses 0.1; third.int8 "
        "is not built: Only 50% would be INT8."
    )
    assert caught.value.fix == (
        "Calibrate on more images like those to come, allow a larger --max-drop or --max-class-drop, build another "
        "--precision, or take it as it is with --no-guard instead of --eval."
    )


def test_refusal_for_its_share_of_int8_does_not_offer_to_go_without_the_guard() -> None:
    share = GuardError("Only 50% would be INT8.", "Build --precision fp16.")
    outcomes = [outcome("int8", None, compiled=None, error=share, backend=name) for name in ("onnxruntime", "other")]
    with pytest.raises(
        GuardError, match=r"onnxruntime\.int8 is not built: Only 50% would be INT8; other\.int8"
    ) as caught:
        kept_outcome(outcomes, BuildRequest(precision="int8", guard=False))
    assert caught.value.fix == "Build --precision fp16."


def test_refusal_of_a_float_candidate_does_not_speak_of_calibration() -> None:
    with pytest.raises(GuardError, match="fp16 is less accurate") as caught:
        kept_outcome([outcome("fp16", None, holds=False)], BuildRequest(precision="fp16"))
    assert caught.value.fix.startswith("Judge it on labeled images with --eval DIR, ")


def test_failure_of_all_is_the_first_one_s_error() -> None:
    errors = [ModelError("First."), GuardError("Second.")]
    outcomes = [outcome("int8", None, compiled=None, error=error) for error in errors]
    with pytest.raises(ModelError, match="First"):
        kept_outcome(outcomes, BuildRequest(precision="int8"))


def test_candidates_carry_what_was_measured() -> None:
    outcomes = [outcome(), outcome("int8", 5.0, holds=True)]
    made = reports_of(outcomes, outcomes[1], AUTO)
    assert [(one.end_to_end_ms, one.miou, one.int8_share) for one in made] == [(10.0, None, None), (5.0, None, 0.95)]


def test_backends_that_are_not_considered_are_named_for_auto_only() -> None:
    outcomes = [outcome(backend="other")]
    auto = reports_of(outcomes, outcomes[0], BuildRequest())
    assert [(one.backend, one.kept, one.reason) for one in auto] == [
        ("other", True, "the only one that runs here"),
        ("onnxruntime", False, "the graph is not made for it"),
    ]
    assert len(reports_of(outcomes, outcomes[0], BuildRequest(backend="other"))) == 1


def test_fastest_float_is_one_that_was_timed() -> None:
    fast = outcome(ms=4.0)
    assert fastest_float([outcome(ms=None), outcome(ms=8.0), fast, outcome("int8", 1.0)]) is fast
    assert fastest_float([outcome(ms=None), outcome("int8", 1.0)]) is None
