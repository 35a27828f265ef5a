"""The page of rules: whom one picks, what it earns, and what is said of one that is none."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from dashboard.areas.rule_audience import audience, wrong_at
from dashboard.areas.rule_language import examples, features
from decisions.rules import parse
from features.encoding import Encoding
from features.snapshot import Snapshot
from serving.court import Court, Question
from tests.dashboard.web.conftest import House, Opens
from tests.dashboard.web.reading import text_of
from tests.serving.conftest import AS_OF
from tests.serving.past_pushes import BROWSED, past_court
from tests.serving.real_scorer import RealScorer

ENCODING = Encoding.of(
    ("recency_days", "lifecycle", "value_tier", "consent_push", "seen_days__hualien", "tier"),
    {"lifecycle": ("new", "lapsed"), "value_tier": ("gold", "none"), "tier": ("silver", "gold")},
    vocabulary={"Hualien": "hualien"},
)


@pytest.fixture(scope="module")
def court() -> Court:
    return past_court()


@pytest.fixture
def judged(served: House, scorer: RealScorer, court: Court) -> House:
    """A dashboard over a release whose members have the features that the evidence has."""
    rng = np.random.default_rng(0)
    values = np.column_stack([rng.uniform(0, 90, 50), rng.integers(0, 2, 50)]).astype(np.float32)
    release = scorer.holder.release
    snapshot = Snapshot(AS_OF, court.encoding, release.snapshot.member_ids, values)
    scorer.holder.release = replace(release, snapshot=snapshot, court=court)
    return served


def data(page: str, name: str) -> dict[str, object]:
    """A file that the page holds."""
    link = re.findall(rf'download="{name}" href="data:application/json;base64,([^"]*)"', page)[0]
    found: dict[str, object] = json.loads(base64.b64decode(link))
    return found


def test_a_viewer_types_a_rule_and_gets_audience_and_verdict(judged: House, court: Court) -> None:
    fields = {"rule": BROWSED, "offer_id": "H-5", "pool": "scope", "objective": "margin"}
    reader = judged.reader("viewer")
    page = reader.send("/rules", fields)
    assert page.status_code == 200
    expected = court.audit(Question(BROWSED, "H-5", "scope"))
    assert data(page.text, "verdict.json") == json.loads(json.dumps(expected.to_json()))
    assert data(page.text, "audience.json")["of"] == 50
    text = text_of(page.text)
    assert expected.ruling.verdict in text
    assert "the rule leaves out" in text
    assert "as many of all, best by the model" in text
    assert "16,000 past decisions about 8,000 members in 2 pushes" in text
    assert 'value="scope" selected' in page.text
    piece = reader.send("/rules", fields, partial=True).text
    assert "<html" not in piece
    assert expected.ruling.verdict in text_of(piece)
    assert judged.ground.changes.newest() == []


def test_the_verdict_is_told_in_chinese(judged: House) -> None:
    fields = {"rule": BROWSED, "offer_id": "H-5", "pool": "scope", "objective": "conversions"}
    text = text_of(judged.reader("viewer", "zh-TW").send("/rules", fields).text)
    assert "這條規則選錯了會員：" in text or "但選的不是最合適的會員" in text
    assert "每千次聯繫增加" in text


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("en", "no past decision had one of these offers among its candidates"),
        ("zh-TW", "過往決策的候選中從未有這些優惠"),
    ],
)
def test_what_cannot_be_said_is_an_answer_with_its_reasons(
    judged: House, language: str, says: str
) -> None:
    fields = {"rule": BROWSED, "offer_id": "gift", "pool": "offer"}
    page = judged.reader("viewer", language).send("/rules", fields)
    assert page.status_code == 200
    assert data(page.text, "verdict.json")["answer"] == "cannot_say"
    assert says in text_of(page.text)


@pytest.mark.parametrize(
    ("rule", "at", "marked"),
    [
        ("seen_days__hualian <= 30", 1, "<mark>seen_days__hualian</mark> &lt;= 30"),
        ("seen_days__hualien <= 30 and", 29, "<mark>␣</mark>"),
        ('tier == "<script>"', 1, "<mark>tier</mark>"),
    ],
)
def test_a_mistake_is_shown_at_its_place(judged: House, rule: str, at: int, marked: str) -> None:
    page = judged.reader("viewer").send("/rules", {"rule": rule})
    assert page.status_code == 200, "an answer, which browsers do not count among their errors"
    assert marked in page.text
    assert f"At character {at}:" in text_of(page.text)
    assert text_of(page.text).casefold().count("at character") == 1, "the place is told once"
    assert "<script>" not in page.text.replace('<script src="', "")


def test_without_evidence_the_audience_is_still_told(served: House) -> None:
    text = text_of(served.reader("viewer").send("/rules", {"rule": "recency_days < 30"}).text)
    assert "Whom it picks" in text
    assert "pushwise train response" in text


def test_an_empty_rule_and_a_choice_that_is_none_are_refused(judged: House) -> None:
    reader = judged.reader("viewer")
    assert reader.send("/rules", {"rule": " "}).status_code == 422
    assert reader.send("/rules", {"rule": BROWSED, "pool": "x"}).status_code == 422
    assert reader.send("/rules", {"rule": BROWSED, "objective": "x"}).status_code == 422


def test_without_a_release_the_page_says_what_to_do(house: Opens) -> None:
    assert "pushwise release build --publish" in house().reader("viewer").text("/rules")


def test_features_are_found_by_name_and_value(judged: House) -> None:
    reader = judged.reader("viewer")
    assert "seen_days__hualien" in reader.text("/rules/features?find=hual")
    piece = reader.get("/rules/features?find=gold", partial=True).text
    assert "tier" in piece
    assert "seen_days__hualien" not in piece
    assert "No feature is called so." in reader.text("/rules/features?find=%3Cb%3E")


def test_help_says_what_a_feature_is_compared_with() -> None:
    kinds = {one.name: (one.kind, one.example) for one in features(ENCODING)}
    assert kinds["recency_days"] == ("days since, or a date", "recency_days <= 30d")
    assert kinds["tier"] == ("text", 'tier == "silver"')
    assert kinds["consent_push"] == ("true or false", "consent_push == true")
    for one in features(ENCODING):
        assert parse(one.example)


def test_examples_hold_over_the_features_that_there_are() -> None:
    found = examples(ENCODING)
    assert 'lifecycle in ["slipping", "lapsed"]' not in " ".join(found)
    assert "missing(recency_days)" in found
    assert not [rule for rule in found if "orders_365d" in rule]


def test_an_audience_is_spread_over_stages_and_tiers() -> None:
    nan = float("nan")
    values = np.array(
        [[10, 0, 0, 1, 1, 0], [50, 1, 1, 1, 1, 0], [70, 1, nan, 0, 1, 1]], dtype=np.float32
    )
    members = np.array([b"a", b"b", b"c"])
    found = audience("recency_days > 40", Snapshot(AS_OF, ENCODING, members, values))
    assert (found.members, found.of) == (2, 3)
    stages, tiers = found.spreads
    assert (stages.values, stages.picked, stages.everybody) == (["new", "lapsed"], [0, 2], [1, 2])
    assert (tiers.values, tiers.picked) == (["gold", "none", "unknown"], [0, 1, 1])
    assert wrong_at("no feature 'x' at character 7; nearest: y", "a" * 10) == 6
    assert wrong_at("the rule is too long", "a") is None
