"""A figure is not shown without its rule and its control; verdicts come from numbers."""

from __future__ import annotations

import pytest
from results_claims import (
    Claim,
    ClaimError,
    ClaimTable,
    at_least,
    beside_rules,
    close_to_zero,
    interval,
    number,
    within,
)

from dtb_models.bootstrap import Figure

NAN = float("nan")


@pytest.mark.parametrize(
    ("rules", "controls", "missing"),
    [
        ({"own mean": ""}, {"population": "0.1"}, "rule"),
        ({}, {"population": "0.1"}, "rule"),
        ({"own mean": "0.9"}, {"population": ""}, "control"),
        ({"own mean": "0.9"}, {}, "control"),
    ],
)
def test_a_claim_needs_a_rule_and_a_control(
    rules: dict[str, str], controls: dict[str, str], missing: str
) -> None:
    with pytest.raises(ClaimError, match=f"'RT r' was to be shown without a {missing} beside it"):
        Claim("RT r", "40", "0.93", rules, controls)


def test_what_was_not_measured_is_no_claim() -> None:
    claim = Claim("RT r", "", "", {}, {}, (at_least(None, 0.9),))
    assert (claim.aim, claim.verdict) == ("at least 0.9", "not measured")


def test_a_table_leaves_out_what_nobody_has() -> None:
    claims = (
        Claim("RT r", "40", "0.93", {"own mean": "0.9", "position": ""}, {"population": "0.1"}),
        Claim("log loss", "40", "0.2", {"own accuracy": "0.3"}, {"population": "0.4"}),
    )
    assert ClaimTable(claims, "ours").markdown().splitlines() == [
        "| figure | n | ours | own mean | own accuracy | population |",
        "| --- | --- | --- | --- | --- | --- |",
        "| RT r | 40 | 0.93 | 0.9 |  | 0.1 |",
        "| log loss | 40 | 0.2 |  | 0.3 | 0.4 |",
    ]


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (at_least(0.92, 0.92), "reached"),
        (at_least(0.9199, 0.92), "not reached"),
        (at_least(NAN, 0.92), "not measured"),
        (within(0.87, 0.87, 0.93), "reached"),
        (within(0.94, 0.87, 0.93), "not reached"),
        (close_to_zero(-0.09, 0.1, "|r| "), "reached"),
        (close_to_zero(-0.1, 0.1, "|r| "), "not reached"),
    ],
)
def test_a_verdict_follows_the_number(verdict: object, words: str) -> None:
    assert str(verdict) == words


@pytest.mark.parametrize(
    ("side", "values", "is_reached"),
    [
        ("above", (0.02, 0.01), True),
        ("above", (0.02, 0.0), False),
        ("below", (-0.02, -0.01), True),
        ("below", (-0.02, 0.01), False),
        ("not below", (0.0, 0.0), True),
        ("not below", (0.0, -0.01), False),
        ("not above", (0.0, -0.1), True),
        ("not above", (0.001, -0.1), False),
    ],
)
def test_beside_rules_every_difference_counts(
    side: str, values: tuple[float, float], is_reached: bool
) -> None:
    names = ("own mean", "regression")
    found = {
        name: Figure(value, value - 0.1, value + 0.1, 40)
        for name, value in zip(names, values, strict=True)
    }
    verdict = beside_rules(side, found)
    assert verdict.is_reached is is_reached
    assert verdict.aim == f"{side} that of own mean and regression"
    assert f"minus own mean: {values[0]:.3f} [{values[0] - 0.1:.3f}, " in verdict.detail


def test_without_one_of_the_differences_nothing_is_known() -> None:
    verdict = beside_rules("above", {"own mean": Figure(1.0, 0.9, 1.1, 40), "regression": None})
    assert (verdict.is_reached, str(verdict)) == (None, "not measured")


def test_numbers_have_three_decimals_and_no_minus_zero() -> None:
    assert (number(-0.0), number(0.12349), number(None), number(NAN)) == ("0.000", "0.123", "", "")
    assert interval(Figure(0.9, 0.8, 0.95, 40)) == "0.900 [0.800, 0.950]"
    assert interval(Figure(0.9, NAN, NAN, 1)) == "0.900"
    assert interval(None) == ""
