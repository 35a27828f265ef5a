"""What the response learner does with logs that hold little, or nothing, to learn from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.catalogue import Offer
from experiments.scores import MeanEffect
from tests.training.simulated import NAMES, OFFERS, Simulated, simulated
from training.errors import TrainingError
from training.levels import fit_levels, rising_in_depth
from training.push_log import NO_SEND
from training.response_fit import FittedResponse, fit_response


def sane(fitted: FittedResponse, world: Simulated) -> None:
    estimates = fitted.model.estimate(world.values[:200], NAMES, OFFERS)
    for part in (estimates.p_if_not, estimates.p_if_sent):
        assert ((part >= 0) & (part <= 1)).all()
    for part in (estimates.margin, estimates.revenue, estimates.p_redeem, estimates.coupon):
        assert np.isfinite(part).all()


@pytest.fixture(scope="module")
def small() -> Simulated:
    return simulated(4_000, seed=6)


@pytest.fixture(scope="module")
def fitted() -> FittedResponse:
    world = simulated(8_000, seed=3)
    return fit_response(world.log, world.values, NAMES, seed=3)


@settings(deadline=None, max_examples=20)
@given(
    kind=st.sampled_from(["percent_off", "amount_off", "points"]),
    depths=st.lists(st.floats(0, 90), min_size=2, max_size=5, unique=True),
    place=st.sampled_from([("sea",), ("city",), ("moon",), ()]),
    seed=st.integers(0, 1_000),
)
def test_a_deeper_offer_never_changes_less(
    fitted: FittedResponse, kind: str, depths: list[float], place: tuple[str, ...], seed: int
) -> None:
    offers = [Offer(f"of-{depth}", kind, depth, categories=place) for depth in sorted(depths)]
    if kind == "percent_off" and place == ("sea",):
        offers = sorted([*offers, OFFERS[1], OFFERS[2]], key=lambda one: one.value)
    whole = replace(fitted.model, effect=replace(fitted.model.effect, personal=1.0))
    values = simulated(30, seed).values
    p_if_sent = whole.estimate(values, NAMES, offers).p_if_sent
    assert (np.diff(p_if_sent, axis=1) >= -1e-9).all()


def test_effects_that_fall_with_depth_are_pooled_by_precision() -> None:
    offers = [Offer(f"p{depth}", "percent_off", depth) for depth in (5, 10, 20)]
    found = rising_in_depth(
        offers, [MeanEffect(0.02, 0.01), MeanEffect(0.01, 0.01), MeanEffect(0.03, 0.01)]
    )
    assert found == pytest.approx([0.015, 0.015, 0.03])


def test_a_depth_between_two_that_were_sent_lies_between_their_effects() -> None:
    offers = [Offer("p5", "percent_off", 5), Offer("p20", "percent_off", 20)]
    levels = fit_levels(offers, np.array([0.01, 0.04]), np.zeros(2))
    assert levels.of(Offer("p10", "percent_off", 10)).effect == pytest.approx(0.02)
    assert levels.of(Offer("p50", "percent_off", 50)).effect == pytest.approx(0.04)
    assert levels.of(Offer("gift", "gift", 10)).effect == pytest.approx(0.025)


def test_fifty_members_are_too_few_and_the_error_says_of_what() -> None:
    world = simulated(50, seed=1)
    with pytest.raises(TrainingError, match="conversions in 50 past decisions, wanted at least 30"):
        fit_response(world.log, world.values, NAMES, seed=0)


def test_fifty_members_of_whom_many_convert_get_one_effect_for_all() -> None:
    world = simulated(50, seed=2)
    half = replace(world.log, converted=np.arange(50) % 4 > 0)
    found = fit_response(half, world.values, NAMES, seed=0)
    sane(found, world)
    assert found.gate.personal == 0
    estimates = found.model.estimate(world.values, NAMES, OFFERS)
    for level in found.model.effect.levels.by_offer.values():
        assert np.isfinite(level.effect)
    expected = [found.model.effect.levels.of(offer).effect for offer in OFFERS]
    whole = np.clip(estimates.p_if_not[:, None] + expected, 0, 1)
    assert estimates.p_if_sent == pytest.approx(whole)


def test_everybody_converting_is_no_effect(small: Simulated) -> None:
    everybody = replace(small.log, converted=np.ones(len(small.log), dtype=bool))
    found = fit_response(everybody, small.values, NAMES, seed=0)
    sane(found, small)
    assert found.gate.personal == 0
    assert all(abs(effect.mean) < 0.01 for effect in found.effects)


def test_constant_features_tell_nobody_apart(small: Simulated) -> None:
    found = fit_response(small.log, np.ones_like(small.values), NAMES, seed=0)
    sane(found, small)
    assert found.gate.personal == 0


def test_features_missing_everywhere_or_here_and_there_are_no_obstacle(small: Simulated) -> None:
    holes = np.where(
        np.random.default_rng(0).random(small.values.shape) < 0.5, np.nan, small.values
    )
    holes[:, 0] = np.nan
    found = fit_response(small.log, holes.astype(np.float32), NAMES, seed=0)
    sane(found, small)
    nothing = np.full((1, len(NAMES)), np.nan, dtype=np.float32)
    estimates = found.model.estimate(nothing, NAMES, OFFERS)
    assert np.isfinite(estimates.p_if_sent).all()
    assert estimates.p_if_not[0] == pytest.approx(small.p_if_not.mean(), abs=0.1)


def test_an_arm_that_nobody_got_is_estimated_from_the_others(small: Simulated) -> None:
    log = small.log
    without = log.part(log.offer != 2)
    values = small.values[log.offer != 2]
    found = fit_response(without, values, NAMES, seed=0)
    sane(found, small)
    assert found.model.estimate(values[:1], NAMES, OFFERS).evidence[2] == "prior"


def test_nobody_left_out_cannot_be_learned_from(small: Simulated) -> None:
    sent = small.log.offer != NO_SEND
    with pytest.raises(TrainingError, match="0 past decisions of members who were sent nothing"):
        fit_response(small.log.part(sent), small.values[sent], NAMES, seed=0)


def test_a_member_repeated_a_thousand_times_does_not_open_the_gate() -> None:
    world = simulated(3_000, seed=5, strength=0.0)
    rows = np.r_[np.arange(3_000), np.full(1_000, 7)]
    log = world.log.part(rows)
    found = fit_response(log, world.values[rows], NAMES, seed=0)
    sane(found, world)
    assert found.gate.personal == 0
    assert found.effects[0].error > 0.005
