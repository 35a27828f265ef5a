from __future__ import annotations

import math

import pytest

from dashboard.numbers import Unit, between, number, told


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (1234567.8, "money", "1,234,568"),
        (12.345, "money", "12.35"),
        (0.01234, "money", "0.0123"),
        (-3.5, "money", "−3.50"),
        (0.0123, "share", "1.23%"),
        (0.0042, "points", "0.420 pp"),
        (40_000, "count", "40,000"),
        (0.0, "number", "0"),
        (-7e-15, "money", "0"),
        (None, "money", "–"),
        (math.inf, "money", "–"),
    ],
)
def test_a_number_shows_the_digits_that_count(value: float, unit: Unit, words: str) -> None:
    assert told(value, unit) == words


def test_a_difference_shows_its_sign_and_what_rounds_to_nothing_has_none() -> None:
    assert told(1.5, "money", signed=True) == "+1.50"
    assert told(-0.2, "count") == "0"


def test_the_page_keeps_the_number_unrounded() -> None:
    assert number(1 / 3, "share") == '<data value="0.3333333333333333">33.33%</data>'
    assert between(None, 1.0) == ""
    assert "−1.00" in between(-1.0, 2.0)
    assert "+2.00" in between(-1.0, 2.0)
