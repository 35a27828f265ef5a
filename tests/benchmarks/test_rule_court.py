"""The rule court on a synthetic market, as the benchmark prepares it."""

from __future__ import annotations

import pytest

from benchmarks.rule_court import FEW, finds_nothing, measure, prepared, ruling, thinned
from experiments.panel import CannotSay
from experiments.rule_court import Findings
from serving.court import Court
from training.market.config import MarketConfig

pytestmark = pytest.mark.slow  # markets are made and trees grown


@pytest.fixture(scope="module")
def market() -> Court:
    return prepared(MarketConfig(30_000, seed=1))


def test_members_who_did_not_browse_are_found_to_convert_more_than_those_who_did(
    market: Court,
) -> None:
    found = measure(market)
    assert found.converts
    assert found.better > 2 * found.picked


def test_a_hundred_decisions_say_nothing(market: Court) -> None:
    answer = ruling(thinned(market, FEW), "conversions")
    assert isinstance(answer, CannotSay)
    assert "wanted at least 100" in answer.reasons[0]


def test_the_gain_of_everybody_else_is_near_the_truth(market: Court) -> None:
    answer = ruling(market, "conversions")
    assert isinstance(answer, Findings)
    # A send adds .4 to 1 percentage points (training/market/README.md); a rule picks few.
    assert 0.004 < answer.left_out.conversions.mean < 0.01


def test_where_pushes_change_nothing_nothing_is_found() -> None:
    assert finds_nothing(prepared(MarketConfig(10_000, seed=0, effects_off=True)))
