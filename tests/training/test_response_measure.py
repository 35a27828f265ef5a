"""How good a response model is on later pushes, beside plain policies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.simulated import NAMES, simulated
from training.response_fit import FittedResponse, fit_response
from training.response_measure import Later, Measured, measure

pytestmark = pytest.mark.slow  # the model that is measured has to be fitted first

TOLD = ("uplift_area", "uplift_area_beside_rules", "gain_at_budget", "policy_value", "qini")


@pytest.fixture(scope="module")
def fitted() -> FittedResponse:
    world = simulated(12_000, seed=0)
    return fit_response(world.log, world.values, NAMES, seed=0)


@pytest.fixture(scope="module")
def later() -> Later:
    world = simulated(20_000, seed=99)
    return Later(world.log, world.values, NAMES)


@pytest.fixture(scope="module")
def measured(fitted: FittedResponse, later: Later) -> Measured:
    return measure(fitted.model, later, fitted.model)


def test_uplift_beats_the_best_offer_and_propensity_in_conversions(measured: Measured) -> None:
    found = {one.metric: one for one in measured.comparisons}
    assert tuple(found) == TOLD
    assert found["uplift_area"].beaten
    area = found["uplift_area_beside_rules"]
    assert set(area.baselines) == {"random", "propensity", "recency"}
    assert area.ours > area.baselines["propensity"]
    assert found["qini"].ours > found["qini"].baselines["propensity"]


def test_a_champion_that_is_the_model_is_as_good_without_error(measured: Measured) -> None:
    first = measured.comparisons[0]
    assert (first.champion, first.error) == (first.ours, 0.0)


def test_charts_show_promise_and_measure(measured: Measured) -> None:
    assert set(measured.charts) == {"gain_by_budget", "uplift_by_tenth", "qini"}
    tenths = measured.charts["uplift_by_tenth"].rows()
    promised = [row["y"] or 0 for row in tenths if row["series"] == "promised"]
    assert len(promised) == 10
    assert promised == sorted(promised, reverse=True)


def test_a_model_of_one_offer_for_all_is_no_worse_than_that_offer(
    fitted: FittedResponse, later: Later
) -> None:
    plain = replace(fitted.model, effect=replace(fitted.model.effect, personal=0.0))
    first = measure(plain, later).comparisons[0]
    assert first.ours == pytest.approx(first.baselines["best_offer"])
    assert first.beaten


def test_where_no_conversion_has_money_none_is_told(fitted: FittedResponse, later: Later) -> None:
    poor = replace(later.log, margin=np.zeros(len(later.log)))
    found = measure(fitted.model, replace(later, log=poor))
    assert "gain_at_budget" not in {one.metric for one in found.comparisons}


def test_where_nobody_converted_no_qini_is_told(fitted: FittedResponse, later: Later) -> None:
    still = replace(later.log, converted=np.zeros(len(later.log), dtype=bool))
    found = measure(fitted.model, replace(later, log=still))
    assert found.facts["qini"].startswith("cannot say")
