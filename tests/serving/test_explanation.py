"""Explanations over HTTP: what the decision saw, in parts that add up, and in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update

from decisions.catalogue import Push
from decisions.explanation import OUTBID
from decisions.policy import Policy, Prices
from decisions.reasons import REASONS
from features.encoding import Encoding
from features.snapshot import Snapshot
from serving import explanation_words, tables
from serving.feature_words import has_words, phrase, spoken
from serving.log import Log
from serving.making import Subject
from serving.release import Release
from serving.scorer import Answers, Asked
from tests.serving.conftest import AS_OF, MEMBERS, Bench
from tests.serving.real_scorer import RealScorer, real_scorer
from tests.training.wide_models import NAMED, OFFERS, wide_models, wide_world


@pytest.fixture
def scorer(loaded: Release, bench: Bench, log: Log) -> Iterator[RealScorer]:
    with real_scorer(loaded, bench, log) as scorer:
        yield scorer


@pytest.fixture(scope="module")
def trained(loaded: Release) -> Release:
    """With a response model that was trained, on its own members and features."""
    spring = Push(
        "spring", "push", AS_OF + timedelta(days=1), tuple(one.offer_id for one in OFFERS),
        exploration=0.2, holdout=0.1,
    )  # fmt: skip
    members = np.array([member.encode() for member in MEMBERS])
    values = wide_world().values[: len(MEMBERS)]
    return replace(
        loaded,
        pushes={"spring": spring},
        offers={offer.offer_id: offer for offer in OFFERS},
        prices={"spring": Prices(budget=0.05, offers={"sea20": 0.1})},
        policy=Policy("salt", consent_when_missing=True),
        snapshot=Snapshot(AS_OF, Encoding(NAMED, {}), members, values),
        estimator=wide_models()["with every part"],
        shelf=None,
    )


@pytest.fixture
def response(trained: Release, bench: Bench, log: Log) -> Iterator[RealScorer]:
    with real_scorer(trained, bench, log) as scorer:
        yield scorer


def check(told: dict[str, Any], decision: dict[str, Any]) -> None:
    """The explained choice is the decision's, and everything adds up."""
    assert told["equal"]
    for name in ("send", "offer_id", "channel", "reason", "explored", "probability"):
        assert told[name] == decision[name], name
    sent = [one for one in told["options"] if one["left_at"] == "sent"]
    assert [one["offer_id"] for one in sent] == ([decision["offer_id"]] if told["send"] else [])
    estimates = decision["estimates"]
    for one in told["options"]:
        parts, charges = one["parts"], one["charges"]
        if parts is not None:
            spent = parts["coupon"] + parts["redemption"] + parts["contact"]
            gain = parts["earned"] - spent - parts["unsubscribing"]
            assert parts["gain"] == pytest.approx(gain, abs=1e-4)
            assert one["surplus"] == pytest.approx(parts["gain"] - sum(charges.values()))
    for made_of, estimate in (
        (told["chance_without"], estimates["p_if_not"]), (told["effect"], estimates["uplift"]),
    ):  # fmt: skip
        assert (made_of is None) == (estimate is None)
        if made_of is not None:
            parts = sum(one["part"] for one in made_of["features"])
            assert made_of["base"] + parts + made_of["rest"] == pytest.approx(
                made_of["estimate"], abs=1e-9
            )
            assert made_of["estimate"] == pytest.approx(estimate, abs=1e-6)


@pytest.mark.parametrize("over", ["scorer", "response"])
def test_the_explained_choice_is_the_one_that_was_made(
    over: str, request: pytest.FixtureRequest
) -> None:
    scorer: RealScorer = request.getfixturevalue(over)
    decided = scorer.decide(*MEMBERS[:25], "stranger")
    for one in decided:
        check(scorer.get(one, "explanation"), one)
    assert {True, False} == {one["send"] for one in decided}


def test_reasons_are_sentences_about_the_member(scorer: RealScorer) -> None:
    one = next(one for one in scorer.decide(*MEMBERS) if one["send"] and not one["explored"])
    told = scorer.get(one, "explanation")
    first = told["chance_without"]["features"][0]
    assert first["feature"] == "recency_days"
    way = "raises" if first["part"] > 0 else "lowers"
    assert first["text"].startswith(f"has not bought for {round(first['value'])} days: {way} the ")
    assert first["text"].endswith(f"by {100 * abs(first['part']):.2g} points")
    assert told["summary"][0] == f"Sent {one['offer_id']} by push."
    assert "assumed" in told["summary"][-1]
    assert (told["unit"], told["evidence"], told["interval"]) == ("money", "prior", None)


def test_where_effects_were_measured_an_interval_says_how_well(response: RealScorer) -> None:
    decided = response.decide(*MEMBERS)
    one = next(one for one in decided if one["estimates"]["evidence"] == "modelled")
    found = response.get(one, "explanation")["interval"]
    reliability = response.holder.release.estimator.reliability
    assert reliability is not None
    middle = reliability.slope * one["estimates"]["uplift"]
    assert (found["low"] + found["high"]) / 2 == pytest.approx(middle, rel=1e-4)
    assert found["confidence"] == 0.95


def test_holdout_and_draws_are_said_plainly(scorer: RealScorer) -> None:
    decided = scorer.decide(*MEMBERS)
    held = next(one for one in decided if one["reason"] == "holdout")
    told = scorer.get(held, "explanation")
    assert (told["held_out"], told["send"]) == (True, False)
    assert "held out, so that the effect of sending can be measured" in told["summary"][0]
    assert told["summary"][2].startswith("Without that, the choice would have been ")
    drawn = next(one for one in decided if one["explored"])
    told = scorer.get(drawn, "explanation")
    assert told["explored"]
    assert any("chance" in said or "at random" in said for said in told["summary"])


def test_nothing_is_shown_as_sent_to_who_must_not_be_contacted_by_now(scorer: RealScorer) -> None:
    sent = next(one for one in scorer.decide(*MEMBERS) if one["send"])
    stop = {"member_id": sent["member_id"], "since": "2026-05-02", "event_id": "o1"}
    insert = tables.suppressions.insert().values(**stop)
    scorer.log.write(lambda connection: connection.execute(insert))
    told = scorer.get(sent, "explanation")
    assert (told["send"], told["offer_id"], told["withheld"]) == (False, None, "suppressed")
    assert told["summary"][0].startswith("By now nothing may be sent")


@pytest.mark.parametrize("basis", ["segment_means", "safe_default"])
def test_what_stood_in_for_the_model_is_named(scorer: RealScorer, basis: str) -> None:
    (one,) = scorer.decide("m01")
    row = scorer.log.decision(one["decision_id"])
    assert row is not None
    text = (row.inputs or "").replace('"estimator":"model"', f'"estimator":"{basis}"')
    changed = update(tables.decisions).values(
        inputs=text.replace('"degraded":[]', '"degraded":["x"]')
    )
    scorer.log.write(lambda connection: connection.execute(changed))
    told = scorer.get(one, "explanation")
    assert (told["estimated_by"], told["degraded"]) == (basis, ["x"])
    assert told["effect"] is None
    assert all((one["parts"] is None) == (basis == "safe_default") for one in told["options"])


def test_fresh_values_are_the_ones_that_are_told(scorer: RealScorer) -> None:
    release = scorer.parts.decider.release
    asked = Asked(
        release, "spring", {m: Subject(fresh={"recency_days": 999.0}) for m in MEMBERS[:8]}
    )
    (answers,) = scorer.parts.scorer.decide_together([asked], AS_OF)
    assert isinstance(answers, Answers)
    one = next(a for a in answers.decisions.values() if a.estimates and a.estimates.p_if_not)
    told = scorer.get(one.model_dump(), "explanation")
    values = {f["feature"]: f["value"] for f in told["chance_without"]["features"]}
    assert values["recency_days"] == 999.0


def test_every_reason_has_words() -> None:
    assert all(explanation_words.knows(reason) for reason in (*REASONS[1:], OUTBID))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("recency_days", 143.2, "has not bought for 143 days"),
        ("recency_days", float("nan"), "has never bought"),
        ("spend_90d", 1234.5, "spent 1,234.50 in 90 days"),
        ("discount_share", 0.054, "bought 5.4 % at a discount"),
        ("seen_days__winter_boots", 1.2, "looked at winter boots 1 day ago"),
        ("lifecycle", 1.0, "stage of life is lapsed"),
        ("loyalty_score", 0.123, "loyalty score is 0.12"),
        ("loyalty_score", float("nan"), "loyalty score is not known"),
    ],
)
def test_features_are_told_with_their_units(name: str, value: float, said: str) -> None:
    categories = {"lifecycle": ("active", "lapsed")}
    assert phrase(name, spoken(name, value, categories)) == said


def test_every_member_feature_has_words() -> None:
    from features.reference import DEFINITIONS, reference

    views = reference().split("\n## ")
    ours = [
        v for v in views if v.split("\n")[0] in set(DEFINITIONS) - {"popularity", "offers", "pairs"}
    ]
    names = [
        part.strip(" `").replace("<c>", "shoes")
        for view in ours
        for line in view.splitlines()
        if line.startswith("- `")
        for part in line.removeprefix("- ").partition(": ")[0].split(",")
    ]
    expanded = [n for name in names for n in ([name] if "…" not in name else name.split(" … "))]
    assert len(expanded) > 50
    assert [name for name in expanded if not has_words(name)] == []
