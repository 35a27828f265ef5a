from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from pyarrow import compute, parquet

from training.errors import TrainingError
from training.market import truth
from training.market.browsing import CONSIDERED_DAYS, Intents, draw_intents
from training.market.buying import Purchases, draw_purchases
from training.market.config import Market, MarketConfig
from training.market.make import Block, before_pushes, block_truth, make_block
from training.market.members import Members, draw_members
from training.market.pushes import answer, moment, send
from training.market.response import response
from training.market.truth import PushTruth
from training.market.valuation import KINDS, worth
from training.market.world import ATTRIBUTION_DAYS, World, make_world


@pytest.fixture(scope="module")
def known(market: Market) -> PushTruth:
    return truth.load(market.folder).of(market.push_id)


def test_it_is_about_every_member_and_offer(market: Market, known: PushTruth) -> None:
    members = parquet.read_table(market.tables["members"][0])
    assert known.member_ids.tolist() == members["member_id"].to_pylist()
    pushes = parquet.read_table(market.tables["pushes"][0]).to_pylist()
    (planned,) = [push for push in pushes if push["push_id"] == market.push_id]
    assert list(known.offer_ids) == planned["offer_ids"]
    assert planned["send_at"] == market.config.history_end
    shape = (market.config.members, len(known.offer_ids))
    for values in (known.p_if_sent, known.expected_gain, known.expected_cost, known.kind):
        assert values.shape == shape
    for probability in (known.p_if_not, known.p_if_sent):
        assert ((probability >= 0) & (probability <= 1)).all()


def test_a_push_without_truth_is_named(market: Market) -> None:
    with pytest.raises(TrainingError, match="'kyoto-01'; there is one about: hualien-summer"):
        truth.load(market.folder).of("kyoto-01")


def test_a_folder_without_a_market_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="holds no synthetic market"):
        truth.load(tmp_path)


def test_a_policy_is_worth_the_sum_over_its_members(known: PushTruth) -> None:
    nobody = np.full(len(known.member_ids), -1)
    assert (known.gain(nobody), known.cost(nobody)) == (0, 0)
    chosen = nobody.copy()
    chosen[[3, 8]] = [1, 4]
    assert known.gain(chosen) == known.expected_gain[3, 1] + known.expected_gain[8, 4]
    assert known.cost(chosen) == known.expected_cost[3, 1] + known.expected_cost[8, 4]


def test_all_four_kinds_of_members_are_there(known: PushTruth) -> None:
    assert {kind: bool(known.are(kind).any()) for kind in KINDS} == dict.fromkeys(KINDS, True)
    uplift = known.p_if_sent - known.p_if_not[:, None]
    assert (uplift[known.are("put_off")] <= 0).all()
    assert uplift[known.are("persuaded")].mean() > 0.02
    assert np.abs(uplift[known.are("lost")]).max() < 0.01
    # The sure change little, and what they show their coupons for costs more than that brings.
    coupon = known.offer_ids.index("hualien-percent-10")
    sure = known.are("sure")[:, coupon]
    assert np.abs(uplift[sure, coupon]).mean() < 0.01
    assert known.expected_gain[sure, coupon].mean() < 0


def test_average_effects_are_those_of_real_pushes(known: PushTruth) -> None:
    uplift = (known.p_if_sent - known.p_if_not[:, None])[known.reachable].mean(axis=0)
    assert ((uplift > 0.003) & (uplift < 0.03)).all()


def test_without_effects_a_push_only_costs(market: Market) -> None:
    config = replace(market.config, effects_off=True)
    world = make_world(config)
    off = block_truth(world, config, make_block(world, config, 0))
    np.testing.assert_allclose(off.p_if_sent, np.tile(off.p_if_not[:, None], 5), rtol=1e-12)
    assert (off.expected_gain < -0.0499).all()
    assert not (off.are("persuaded") | off.are("put_off")).any()
    assert off.are("sure").any()


def test_the_rule_is_what_the_clickstream_shows(market: Market, known: PushTruth) -> None:
    events = parquet.read_table(market.tables["events"][0])
    seen = compute.and_(
        compute.equal(events["category"], "hualien"),
        compute.is_in(events["type"], pa.array(["view", "search", "add_to_cart"])),
    )
    since = pa.scalar(market.config.history_end - timedelta(days=30))
    lately = compute.greater_equal(events["occurred_at"], since)
    browsers = set(events.filter(compute.and_(seen, lately))["member_id"].to_pylist())
    assert browsers == set(known.member_ids[known.browsed_recently].tolist())


def test_the_reachable_consent_and_have_not_unsubscribed(market: Market, known: PushTruth) -> None:
    members = parquet.read_table(market.tables["members"][0])
    consent = members.filter(members["consent_push"])["member_id"].to_pylist()
    outcomes = parquet.read_table(market.tables["outcomes"][0])
    left = outcomes.filter(compute.equal(outcomes["type"], "unsubscribed"))["member_id"]
    reachable = set(known.member_ids[known.reachable].tolist())
    assert reachable == set(consent) - set(left.to_pylist())
    assert 0 < len(left) < 0.1 * len(consent)


def two_weeks(world: World, block: Block, rng: np.random.Generator) -> Purchases:
    """Draw anew what ``block`` will buy after the history, given the trips considered at its end.

    Consideration has no memory: what is still considered ends as if it had just begun.
    """
    members, open_now = block.members, block.history.intents
    alive = (open_now.start <= world.end) & (open_now.end > world.end)
    member, count = open_now.member[alive], int(alive.sum())
    begun = Intents(
        member,
        open_now.place[alive],
        open_now.start[alive],
        world.end + rng.exponential(CONSIDERED_DAYS, count),
        rng.random(count) < members.decisiveness[member],
    )
    span = (world.end, world.end + ATTRIBUTION_DAYS)
    drawn = [
        draw_purchases(world, members, intents, span, rng)
        for intents in (begun, draw_intents(world, members, span, rng))
    ]
    return drawn[0].plus(drawn[1])


def per_member(
    world: World, bought: Purchases, count: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(margin, any purchase) of each member, cancelled purchases left out."""
    made = ~bought.cancelled
    margin = np.zeros(count)
    np.add.at(margin, bought.member[made], bought.margin(world)[made] / 100)
    return margin, np.bincount(bought.member[made], minlength=count) > 0


def groups(members: Members, known: PushTruth) -> dict[str, NDArray[np.bool_]]:
    return {
        "all": np.ones(len(members), dtype=np.bool_),
        "browsers": known.browsed_recently,
        "of one taste": known.shares_taste,
        "averse": members.averse,
        "sure to buy": known.p_if_not > 0.3,
    }


@pytest.mark.slow
@pytest.mark.parametrize("column", [0, 1, 3, 4])
def test_the_truth_is_the_mean_of_many_redrawn_futures(
    world: World, block: Block, known: PushTruth, column: int
) -> None:
    members, rng, draws = block.members, np.random.default_rng(column), 1_500
    count = len(members)
    planned, effect = (
        world.planned,
        response(world, block.members, world.planned, block.ahead, False),
    )
    offer = planned.offers[column]
    sums = np.zeros((4, count))  # gain, cost, bought if not, bought if sent
    asked = groups(members, known)
    totals: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(draws):
        future = two_weeks(world, block, rng)
        margin, buys = per_member(world, future, count)
        choice = np.full(count, column)
        sent = answer(world, members, (planned, choice), effect, future, rng)
        margin_sent, buys_sent = per_member(world, sent.purchases, count)
        used = np.bincount(sent.purchases.member[sent.redeemed], minlength=count)
        given = np.zeros(count)
        if offer.kind != "points":  # their discount is the public promotion
            money = sent.purchases.discount[sent.redeemed] / 100
            np.add.at(given, sent.purchases.member[sent.redeemed], money)
        extra_cost = offer.contact_cost + used * offer.redemption_cost
        gain = margin_sent - margin - extra_cost
        sums += np.stack([gain, given + extra_cost, buys, buys_sent])
        for name, group in asked.items():
            totals[name].append(float(gain[group].sum()))
    for name, group in asked.items():
        drawn = np.array(totals[name])
        error = drawn.std() / np.sqrt(draws)
        assert abs(drawn.mean() - known.expected_gain[group, column].sum()) < 4 * error, name
    mean = sums.mean(axis=1) / draws
    wanted = (known.expected_cost[:, column], known.p_if_not, known.p_if_sent[:, column])
    for found, expected in zip(mean[1:], wanted, strict=True):
        assert found == pytest.approx(expected.mean(), rel=0.02)


@pytest.mark.slow
def test_what_came_of_past_pushes_is_what_the_truth_would_have_said() -> None:
    world, rng = make_world(MarketConfig(seed=11)), np.random.default_rng(11)
    members = draw_members(world, 0, 20_000, rng)
    history = before_pushes(world, members, rng)
    missed: dict[str, list[NDArray[np.float64]]] = {"margin": [], "purchase": []}
    for sending in world.past:
        now = moment(world, members, history, sending)
        value = worth(world, members, sending, now, response(world, members, sending, now, False))
        history, done = send(world, members, history, sending, rng, False)
        bought = next(one for one in done.outcomes if one.type == "converted")
        assert bought.margin is not None
        made = np.bincount(bought.member, bought.margin / 100, len(members))
        any_made = np.bincount(bought.member, minlength=len(members)) > 0
        for column, offer in enumerate(sending.offers):
            if offer.redemption_cost > 0:
                continue  # the gain also has a cost that is not in the margin
            sent = done.choice == column
            margin = value.margin_if_not + value.gain[:, column] + offer.contact_cost
            missed["margin"].append((made - margin)[sent])
            missed["purchase"].append((any_made - value.p_if_sent[:, column])[sent])
        left_alone = done.choice == -1
        missed["margin"].append((made - value.margin_if_not)[left_alone])
        missed["purchase"].append((any_made - value.p_if_not)[left_alone])
    for name, parts in missed.items():
        residual = np.concatenate(parts)
        error = residual.std() / np.sqrt(len(residual))
        assert abs(residual.mean()) < 3.5 * error, name
