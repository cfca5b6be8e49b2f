"""Numbers for people."""

from __future__ import annotations

import pytest

from fcn_edge.bench.report.numbers import between, number, percent, points, signed, span


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\N{EN DASH}"),
        (0.0, "0"),
        (0.0042, "0.004"),
        (0.43, "0.430"),
        (3.846, "3.85"),
        (9.999, "10.0"),
        (47.52, "47.5"),
        (99.96, "100"),
        (260.4, "260"),
        (1682.54, "1683"),
    ],
)
def test_three_digits_count(value: float | None, text: str) -> None:
    assert number(value) == text


def test_an_interval_has_the_decimals_of_its_value() -> None:
    assert between((9.951, 10.08), 10.01) == "10.0\N{EN DASH}10.1"


def test_shares_are_in_percent_and_their_differences_in_points() -> None:
    assert percent(0.7449) == "74.5"
    assert percent(None) == "\N{EN DASH}"
    assert points(0.0744) == "+7.4"
    assert points(-0.006) == "\N{MINUS SIGN}0.6"
    assert points(-0.0001) == "0.0"


def test_a_difference_has_the_decimals_of_what_it_is_of() -> None:
    assert signed(2.303, 29.2) == "+2.3"
    assert signed(-24.17, 23.3) == "\N{MINUS SIGN}24.2"
    assert signed(0.04, 50.3) == "0.0"
    assert signed(-0.04, 50.3) == "0.0"
    assert signed(10, 50.3) == "+10.0"


def test_a_span_of_equals_is_one_value() -> None:
    assert span(["+7.4", "+7.4"]) == "+7.4"
    assert span(["+2.3", "+3.0", "+5.3"]) == "+2.3 to +5.3"
