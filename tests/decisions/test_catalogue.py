"""Offers and pushes: what they refuse, and that they survive storage."""

from __future__ import annotations

import json
from datetime import date

import pytest

from decisions.caps import Cap
from decisions.catalogue import Offer, Push
from decisions.policy import Policy, PolicyError, Prices
from decisions.records import CatalogueError
from tests.decisions.conftest import offer, push


def test_offers_and_pushes_read_back_as_they_were_written() -> None:
    for record in (
        offer("ten", stock=4, valid_to="2026-06-01T00:00:00+00:00", categories=["hualien"]),
        push(budget=100, exploration=0.1),
    ):
        assert type(record).from_json(json.loads(json.dumps(record.to_json()))) == record


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "push needs 'push_id'"),
        ({"offer_ids": []}, "push 'p' has no offers; list them in offer_ids"),
        ({"offer_ids": "ten"}, "offer_ids is text, wanted a list"),
        ({"send_at": "2026-05-01T09:00:00"}, "send_at of push 'p' has no offset"),
        ({"objective": "fame"}, "objective of push 'p' is 'fame'"),
        ({"holdout": 1.5}, "holdout of push 'p' is 1.5, wanted 0 to 1"),
        ({"budget": -3}, "budget of push 'p' is -3.0"),
        ({"budgt": 3}, "push has no field 'budgt'"),
        ({"budget": "much"}, "push does not read"),
        ({"send_at": date(2026, 5, 1)}, "send_at is 2026-05-01, wanted a time such as"),
        ({"attribution_days": -1}, "attribution_days of push 'p' is -1.0, wanted 0 to 3,650"),
        ({"attribution_days": float("nan")}, "attribution_days of push 'p' is nan"),
        ({"min_return": -1}, "min_return of push 'p' is -1.0"),
    ],
)
def test_a_wrong_push_says_what_is_wrong(content: dict[str, object], message: str) -> None:
    whole = {
        "push_id": "p", "channel": "push", "send_at": "2026-05-01T09:00:00+00:00",
        "offer_ids": ["ten"],
    }  # fmt: skip
    with pytest.raises(CatalogueError, match=message):
        Push.from_json({**whole, **content} if content else {})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"value": 120}, "takes 120.0 percent off"),
        ({"contact_cost": -1}, "contact_cost of offer 'ten' is -1.0"),
        ({"valid_to": "2026-05-01T09:00:00"}, "valid_to of offer 'ten' has no offset; add one"),
        ({"valid_from": date(2026, 5, 1)}, "valid_from is 2026-05-01, wanted a time"),
    ],
)
def test_a_wrong_offer_says_what_is_wrong(content: dict[str, object], message: str) -> None:
    with pytest.raises(CatalogueError, match=message):
        Offer.from_json({"offer_id": "ten", "kind": "percent_off", **content})


def test_policy_and_prices_read_back_and_refuse_what_they_do_not_know() -> None:
    policy = Policy("salt", caps=(Cap("channel", 2, hours=36, name="sms"),), quiet_hours=(22, 8))
    prices = Prices(budget=1, audience=-2, offers={"ten": 3})
    assert Policy.from_json(json.loads(json.dumps(policy.to_json()))) == policy
    assert Prices.from_json(json.loads(json.dumps(prices.to_json()))) == prices
    with pytest.raises(PolicyError, match="policy does not read"):
        Policy.from_json({"salt": "s", "colour": "red"})
    with pytest.raises(PolicyError, match="price of budget is -1"):
        Prices(budget=-1)
