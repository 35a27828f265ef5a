"""Personas: what they hold, and how a decision falls short of what was expected."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.personas import (
    Expected,
    Found,
    Persona,
    PersonaError,
    Value,
    check_offers,
    described_row,
    personas_from,
    shortfalls,
)
from tests.decisions.conftest import AS_OF, Names

NAMES = Names(until=("contacts_7d",))
NOBODY = np.full(4, np.nan, dtype=np.float32)
GIFT = Found("gift", "", 3.0)
NOTHING = Found(None, "no_consent", float("nan"))


def persona(**changes: Any) -> dict[str, Any]:
    return {"name": "lapsed", "push": "spring", "features": {}, "send": True, **changes}


def test_a_described_member_has_what_is_said_and_nothing_else() -> None:
    features: dict[str, Value] = {
        "consent_push": True,
        "recency_days": date(2026, 4, 1),
        "lifecycle": "slipping",
    }
    row = described_row(features, NOBODY, NAMES, AS_OF)
    assert row[:3].tolist() == [1, 30, 1]
    assert np.isnan(row[3])


def test_a_described_member_is_like_another_but_for_what_is_said() -> None:
    like = np.array([1, 5, 0, 2], dtype=np.float32)
    features: dict[str, Value] = {
        "recency_days": float("nan"),
        "contacts_7d": datetime(2026, 5, 3, 12, tzinfo=UTC),
    }
    row = described_row(features, like, NAMES, AS_OF)
    assert row[[0, 2, 3]].tolist() == [1, 0, 2.5]
    assert np.isnan(row[1])
    assert like[1] == 5


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({"recency": 3}, "has no feature 'recency'; nearest: recency_days"),
        ({"lifecycle": "slippin"}, "has lifecycle = 'slippin', which it never is; nearest: slipp"),
        ({"lifecycle": 1}, "has lifecycle = 1, wanted text, such as active, slipping"),
        ({"consent_push": "yes"}, "has consent_push = 'yes', wanted a number"),
        ({"consent_push": date(2026, 5, 1)}, "does not count days since or until a moment"),
    ],
)
def test_a_feature_that_cannot_be_is_refused(features: dict[str, Any], message: str) -> None:
    with pytest.raises(PersonaError, match=message):
        described_row(features, NOBODY, NAMES, AS_OF)


@pytest.mark.parametrize(
    ("expected", "found", "said"),
    [
        (Expected(send=True, offers=("gift", "ten"), min_gain=3), GIFT, ()),
        (Expected(send=False, reason="no_consent", not_offer="gift"), NOTHING, ()),
        (Expected(send=True), NOTHING, ("a send",)),
        (Expected(send=False), GIFT, ("no send",)),
        (Expected(offers=("ten", "five")), GIFT, ("offer ten or five",)),
        (Expected(offers=("ten",), min_gain=1), NOTHING, ("offer ten", "a gain of at least 1.00")),
        (Expected(not_offer="gift"), GIFT, ("not offer gift",)),
        (Expected(reason="holdout"), NOTHING, ("no send because of holdout",)),
        (Expected(reason="no_consent"), GIFT, ("no send because of no_consent",)),
        (Expected(min_gain=3.01), GIFT, ("a gain of at least 3.01",)),
    ],
)
def test_a_decision_falls_short_in_words(
    expected: Expected, found: Found, said: tuple[str, ...]
) -> None:
    assert shortfalls(expected, found) == said


@given(st.sampled_from(["gift", "ten", None]), st.floats(-5, 5), st.floats(-5, 5))
def test_what_was_found_is_never_short_of_itself(
    offer_id: str | None, gain: float, less: float
) -> None:
    found = Found(offer_id, "" if offer_id else "no_consent", gain)
    sent = offer_id is not None
    expected = Expected(
        send=sent,
        offers=(offer_id,) if offer_id else (),
        not_offer=None if sent else "ten",
        reason=None if sent else "no_consent",
        min_gain=min(gain, less) if sent else None,
    )
    assert shortfalls(expected, found) == ()


def test_a_file_holds_personas() -> None:
    found = personas_from(
        {"personas": [persona(), persona(name="b", features={"n": 3}, offer="x")]}
    )
    assert [one.name for one in found] == ["lapsed", "b"]
    assert found[1].expected == Expected(send=True, offers=("x",))
    asked = Persona.from_json({"name": "real", "push": "p", "member": "m1", "reason": "holdout"})
    assert (asked.member, asked.like, asked.features) == ("m1", None, {})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "there is no persona; each is a table under"),
        ({"persona": []}, "there is no table 'persona'; each persona is a table under"),
        ({"personas": {"a": 1}}, "there is no persona"),
        ({"personas": [persona(), persona()]}, "two personas are called 'lapsed'"),
        ({"personas": [{"push": "spring"}]}, "a persona has no name; it holds: push"),
        ({"personas": [persona(ofer="x")]}, "'lapsed' has no key 'ofer'; nearest: offer"),
        ({"personas": [persona(send="yes")]}, "has send = 'yes', wanted true or false"),
        ({"personas": [persona(min_gain=True)]}, "has min_gain = True, wanted a number"),
        ({"personas": [persona(offers=[])]}, "wanted a list of offers"),
        ({"personas": [persona(offers=[3])]}, "wanted a list of offers"),
        ({"personas": [persona(offer="a", offers=["b"])]}, "wanted one of them"),
        ({"personas": [persona(reason="holdout")]}, "expects a send and none"),
        ({"personas": [persona(send=False, min_gain=2)]}, "expects a send and none"),
        ({"personas": [persona(member="m")]}, "needs either member, or features"),
        ({"personas": [persona(features={"a": [1]})]}, "has a = .1., wanted a number, text or a"),
        ({"personas": [{"name": "a", "member": "m", "send": True}]}, "persona 'a' names no push"),
        ({"personas": [{"name": "a", "member": "m", "push": "p"}]}, "expects nothing: give send"),
        ({"personas": [{"name": "a", "push": "p", "send": True}]}, "needs either member, or"),
    ],
)
def test_a_wrong_file_says_what_was_wanted(content: dict[str, Any], message: str) -> None:
    with pytest.raises(PersonaError, match=message):
        personas_from(content)


def test_an_offer_that_the_push_does_not_carry_is_refused() -> None:
    asked = Persona.from_json(persona(not_offer="ten-of"))
    with pytest.raises(
        PersonaError, match="offer 'ten-of', which push 'spring' does not carry; ne"
    ):
        check_offers(asked, ("ten-off", "gift"))
