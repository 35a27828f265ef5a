"""The case that started the project, in the market's truth: who is worth a push to Hualien."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from training.market.config import MarketConfig
from training.market.make import block_truth, make_block
from training.market.truth import PushTruth
from training.market.world import World, make_world

MEMBERS, SEEDS = 20_000, range(5)
DEFAULT = 0  # the campaign's default offer is the first of the push


@pytest.fixture(scope="module")
def markets() -> list[tuple[World, PushTruth]]:
    return [(make_world(config), whole(config)) for config in map(config_of, SEEDS)]


def config_of(seed: int) -> MarketConfig:
    return MarketConfig(MEMBERS, seed)


def whole(config: MarketConfig) -> PushTruth:
    world = make_world(config)
    blocks = [
        block_truth(world, config, make_block(world, config, first)) for first in (0, MEMBERS // 2)
    ]
    arrays = {
        name: np.concatenate([getattr(block, name) for block in blocks])
        for name in PushTruth.__slots__[2:]
    }
    return PushTruth(blocks[0].push_id, blocks[0].offer_ids, **arrays)


def within(world: World, known: PushTruth, ranked: NDArray[np.int64]) -> NDArray[np.int64]:
    """Choice of a policy that sends the default offer in the order ``ranked`` while it may."""
    push = world.planned.push
    assert push.budget is not None
    assert push.max_audience is not None
    ranked = ranked[known.reachable[ranked]][: push.max_audience]
    affordable = np.cumsum(known.expected_cost[ranked, DEFAULT]) <= push.budget
    chosen = np.full(len(known.member_ids), -1)
    chosen[ranked[affordable]] = DEFAULT
    return chosen


@pytest.mark.slow
def test_members_of_one_taste_earn_three_times_what_recent_browsers_earn(
    markets: list[tuple[World, PushTruth]],
) -> None:
    ratios = []
    for _, known in markets:
        gain = known.expected_gain[:, DEFAULT]
        rule = known.reachable & known.browsed_recently
        alike = known.reachable & known.shares_taste & ~known.browsed_recently
        ratios.append(gain[alike].mean() / gain[rule].mean())
        assert 0 < gain[rule].mean() < 2
    print("gain of members of one taste over that of recent browsers:", np.round(ratios, 2))  # noqa: T201  # asked for with -s
    assert all(2 < ratio < 5 for ratio in ratios)
    assert 2.5 < np.mean(ratios) < 3.6


@pytest.mark.slow
def test_the_rule_earns_less_than_a_ranking_by_propensity(
    markets: list[tuple[World, PushTruth]],
) -> None:
    for world, known in markets:
        draw = np.random.default_rng(0).permutation(MEMBERS)
        rule = within(world, known, draw[known.browsed_recently[draw]])
        propensity = within(world, known, np.argsort(-known.p_if_not))
        assert 0 < known.gain(rule) < known.gain(propensity)
        # Not because it spends less: each unit of money earns less, too.
        worth = known.gain(rule) / known.cost(rule)
        assert worth < known.gain(propensity) / known.cost(propensity)
        # For browsers show the coupon on trips there that they book anyway.
        per_contact = [known.cost(one) / (one >= 0).sum() for one in (rule, propensity)]
        assert per_contact[0] > 1.5 * per_contact[1]


@pytest.mark.slow
def test_the_best_plan_spends_the_whole_budget(markets: list[tuple[World, PushTruth]]) -> None:
    for world, known in markets:
        push, reachable = world.planned.push, known.reachable
        gain, cost = known.expected_gain[reachable], known.expected_cost[reachable]
        best = gain.argmax(axis=1)
        rows = np.argsort(-gain.max(axis=1))[: push.max_audience]
        assert push.budget is not None
        assert cost[rows, best[rows]].sum() > 1.1 * push.budget


@pytest.mark.slow
def test_most_recent_browsers_need_no_push(markets: list[tuple[World, PushTruth]]) -> None:
    for _, known in markets:
        rule = known.reachable & known.browsed_recently
        assert known.p_if_not[rule].mean() > 3 * known.p_if_not[known.reachable].mean()
        sure = known.are("sure")[:, DEFAULT]
        assert sure[rule].mean() > 20 * sure[known.reachable & ~rule].mean()


def test_taste_for_a_place_shows_in_visits_to_places_like_it() -> None:
    config = MarketConfig(5_000, 3)
    world = make_world(config)
    block = make_block(world, config, 0)
    known = block_truth(world, config, block)
    strangers = ~known.browsed_recently & ~np.isin(
        np.arange(5_000), block.events.member[block.events.place == world.planned.place]
    )
    share = np.zeros(5_000)
    seen = block.events.place >= 0
    alike = np.isin(block.events.place, [1, 2, 11])  # taitung, alishan, jeju
    total = np.bincount(block.events.member[seen], minlength=5_000)
    share = np.bincount(block.events.member[seen & alike], minlength=5_000) / np.maximum(total, 1)
    of_taste = strangers & known.shares_taste & (total > 0)
    others = strangers & ~known.shares_taste & (total > 0)
    assert share[of_taste].mean() > 2.5 * share[others].mean()
