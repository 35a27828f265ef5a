from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from scipy.stats import chisquare

from training.market.config import Market
from training.market.make import Block
from training.market.pushes import draw_choice
from training.market.world import World

Row = dict[str, Any]


def rows(market: Market, name: str) -> list[Row]:
    parts = [parquet.read_table(path) for path in market.tables[name]]
    listed: list[Row] = pa.concat_tables(parts).to_pylist()
    return listed


def test_choices_keep_to_the_logged_probabilities(world: World, block: Block) -> None:
    for done in block.rounds:
        offers = len(done.sending.offers)
        counts = np.bincount(done.choice[done.choice >= -1] + 1, minlength=offers + 1)
        share = (1 - done.sending.no_send) / offers
        wanted = np.array([done.sending.no_send] + [share] * offers) * counts.sum()
        assert chisquare(counts, wanted).pvalue > 1e-4


@pytest.mark.parametrize("push", range(10))
def test_probabilities_of_a_push_add_up_to_one(market: Market, push: int) -> None:
    push_id = rows(market, "pushes")[push]["push_id"]
    mine = [row for row in rows(market, "decisions") if row["push_id"] == push_id]
    probability = {row["offer_id"]: row["probability"] for row in mine}
    assert sum(probability.values()) == pytest.approx(1, abs=1e-12)
    assert set(probability) == {None, *mine[0]["candidates"]}
    assert 0.25 <= probability[None] <= 0.3


def test_every_draw_is_a_candidate(world: World) -> None:
    for sending in (*world.past, world.planned):
        choice = draw_choice(sending, 100_000, np.random.default_rng(0))
        assert set(choice) == set(range(-1, len(sending.offers)))


def test_those_who_consent_are_decided_until_they_unsubscribe(market: Market, block: Block) -> None:
    members = {row["member_id"]: row for row in rows(market, "members")}
    left = {
        row["member_id"]: row["occurred_at"]
        for row in rows(market, "outcomes")
        if row["type"] == "unsubscribed"
    }
    decided = Counter(row["push_id"] for row in rows(market, "decisions"))
    for row in rows(market, "decisions"):
        assert members[row["member_id"]]["consent_push"] is True
        assert left.get(row["member_id"], row["decided_at"]) >= row["decided_at"]
    for push in rows(market, "pushes")[:-1]:
        at = push["send_at"]
        asked = [
            member
            for member, row in members.items()
            if row["consent_push"] and row["joined_at"] < at and left.get(member, at) >= at
        ]
        assert decided[push["push_id"]] == len(asked)


def test_outcomes_and_the_event_log_tell_the_same_purchases(market: Market) -> None:
    bought: dict[str, list[Row]] = {}
    for event in rows(market, "events"):
        if event["type"] == "purchase":
            bought.setdefault(event["member_id"], []).append(event)
    reported = Counter(
        (row["decision_id"], row["occurred_at"], row["value"], row["margin"])
        for row in rows(market, "outcomes")
        if row["type"] == "converted"
    )
    expected: Counter[tuple[object, ...]] = Counter()
    for row in rows(market, "decisions"):
        start = row["decided_at"]
        for event in bought.get(row["member_id"], []):
            late = event["occurred_at"] - start
            if timedelta(0) < late <= timedelta(days=14):
                price = Decimal(str(event["quantity"])) * event["unit_price"]
                key = (
                    row["decision_id"], event["occurred_at"],
                    (price - event["discount"]).quantize(Decimal("0.0001")), event["margin"],
                )  # fmt: skip
                expected[key] += 1
    assert reported == expected
    assert len(expected) > 500


def test_a_redeemed_coupon_is_the_discount_of_a_purchase_in_scope(market: Market) -> None:
    offers = {row["offer_id"]: row for row in rows(market, "offers")}
    decisions = {row["decision_id"]: row for row in rows(market, "decisions")}
    bought = {
        (event["member_id"], event["occurred_at"]): event
        for event in rows(market, "events")
        if event["type"] == "purchase"
    }
    redeemed = [row for row in rows(market, "outcomes") if row["type"] == "redeemed"]
    assert len(redeemed) > 50
    for row in redeemed:
        event = bought[row["member_id"], row["occurred_at"]]
        offer = offers[decisions[row["decision_id"]]["offer_id"]]
        assert event["category"] in offer["categories"]
        assert offer["kind"] != "content"
        gross = event["quantity"] * float(event["unit_price"])
        if offer["kind"] == "percent_off":
            assert float(str(row["value"])) == pytest.approx(
                gross * float(str(offer["value"])) / 100
            )
            assert row["value"] == event["discount"]
        if offer["kind"] == "points":
            assert row["value"] == 0


def test_opened_comes_before_clicked_and_only_when_sent(market: Market) -> None:
    at: dict[str, dict[str, datetime]] = {"sent": {}, "opened": {}, "clicked": {}}
    for row in rows(market, "outcomes"):
        if row["type"] in at:
            at[row["type"]][row["decision_id"]] = row["occurred_at"]
    sent = {row["decision_id"] for row in rows(market, "decisions") if row["offer_id"]}
    assert set(at["sent"]) == sent
    assert all(at["sent"][one] < when for one, when in at["opened"].items())
    assert all(at["opened"][one] < when for one, when in at["clicked"].items())


def test_every_offer_of_the_planned_push_was_tried_before(world: World) -> None:
    tried = {offer for sending in world.past for offer in sending.push.offer_ids}
    assert set(world.planned.push.offer_ids) <= tried


def test_windows_of_past_pushes_do_not_overlap(world: World) -> None:
    days = [sending.day for sending in (*world.past, world.planned)]
    assert np.diff(days).min() > 14
