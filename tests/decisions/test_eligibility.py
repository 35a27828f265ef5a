"""Eligible, applicable, suitable: who may have what, now, and why everybody else may not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.caps import Cap
from decisions.decide import decide
from decisions.eligibility import eligibility
from decisions.errors import DecisionError
from decisions.funnel import funnel_of
from decisions.policy import Policy
from decisions.reasons import KINDS, words
from decisions.rules import RuleError
from tests.decisions.conftest import Fixed, ask, contacts, crowd, members, offer, push


def reasons_of_pairs(*parts: object, **changes: object) -> list[tuple[str, ...]]:
    found = eligibility(ask(*parts, **changes))  # type: ignore[arg-type]  # as ask takes them
    return [words(row) for row in found.code]


def test_every_pair_that_is_dropped_says_why() -> None:
    people = members((1, 10, 0), (1, 400, 0), (0, 10, 0), (1, 10, 1))
    two = push(offer_ids=["ten", "gift", "mail"], applicability="recency_days < 365")
    offers = (
        offer("ten", suitability='lifecycle == "active"'),
        offer("gift", stock=0),
        offer("mail", channels=["email"]),
    )
    assert reasons_of_pairs(people, two, *offers) == [
        ("", "out_of_stock", "other_channel"),
        ("not_applicable", "out_of_stock", "other_channel"),
        ("no_consent", "no_consent", "no_consent"),
        ("not_suitable", "out_of_stock", "other_channel"),
    ]


def test_the_funnel_counts_members_and_pairs_stage_by_stage() -> None:
    people = members((1, 10, 0), (1, 400, 0), (0, 10, 0), (1, 10, 1))
    wanted = push(applicability="recency_days < 365", suitability='lifecycle == "active"')
    question = ask(people, wanted)
    funnel = funnel_of(eligibility(question), decide(question, Fixed(np.array([[0.1]]))))
    assert [(one.name, one.members) for one in funnel.stages] == [
        ("asked", 4), ("eligible", 3), ("applicable", 2), ("suitable", 1), ("sent", 1),
    ]  # fmt: skip
    assert funnel.members == {"sent": 1, "no_consent": 1, "not_applicable": 1, "not_suitable": 1}


def test_a_member_is_left_alone_at_so_many_contacts_in_the_window() -> None:
    people = crowd(3)
    past = contacts(people, ("m0", 1), ("m0", 30), ("m1", 1), ("m1", 60))
    policy = Policy("salt", caps=(Cap("all", 2, hours=48),))
    found = decide(ask(people, push(), policy=policy, contacts=past), Fixed(np.array([[0.1]])))
    assert found.reason == ("frequency_cap", "", "")


def test_a_cap_holds_for_each_offer_or_channel_by_itself() -> None:
    people = crowd(2)
    past = contacts(people, ("m0", 5), offer_id="gift", channel="email")
    wanted = push(offer_ids=["ten", "gift"], channels=["email"])
    offers = (offer("ten"), offer("gift"))
    each_offer = Policy("salt", True, caps=(Cap("offer", 1, days=7),))
    each_channel = Policy("salt", True, caps=(Cap("channel", 1, days=7),))
    only_mail = Policy("salt", True, caps=(Cap("channel", 1, days=7, name="push"),))
    barred = "frequency_cap"
    # Options: ten and gift by push, ten and gift by email.
    for policy, wanted_reasons in (
        (each_offer, ("", barred, "", barred)),
        (each_channel, ("", "", barred, barred)),
        (only_mail, ("", "", "", "")),
    ):
        found = reasons_of_pairs(people, wanted, *offers, policy=policy, contacts=past)
        assert found == [wanted_reasons, ("", "", "", "")]


def test_a_day_begins_at_midnight_where_the_member_lives() -> None:
    # The send is at 09:00 UTC: 17:00 in Taipei, 02:00 in Los Angeles. A contact 10 hours earlier
    # was today in Taipei and yesterday in Los Angeles.
    zones = ("Asia/Taipei", "America/Los_Angeles")
    people = members((1, 10, 0), (1, 10, 0))
    names = replace(
        people.encoding,  # type: ignore[type-var]  # the conftest's dataclass
        names=(*people.encoding.names, "timezone"),
        categories={**people.encoding.categories, "timezone": zones},
    )
    values = np.column_stack([people.values, np.array([0, 1], dtype=np.float32)])
    people = replace(people, encoding=names, values=values)
    past = contacts(people, ("m0", 10), ("m1", 10))
    policy = Policy("salt", caps=(Cap("all", 1, days=1),))
    found = decide(ask(people, push(), policy=policy, contacts=past), Fixed(np.array([[0.1]])))
    assert found.reason == ("frequency_cap", "")
    night = Policy("salt", quiet_hours=(22, 8))
    found = decide(ask(people, push(), policy=night), Fixed(np.array([[0.1]])))
    assert found.reason == ("", "quiet_hours")


def test_a_service_message_knows_no_cap_but_goes_out_once() -> None:
    people = crowd(3)
    past = contacts(people, *[("m0", hours) for hours in range(30, 40)]).plus(
        contacts(people, ("m1", 3))
    )
    found = decide(ask(people, push(service=True), contacts=past), Fixed(np.array([[0.1]])))
    assert found.reason == ("", "duplicate", "")


def test_service_messages_are_not_counted_by_caps() -> None:
    people = crowd(1)
    past = contacts(people, *[("m0", hours) for hours in range(10)], service=True)
    assert decide(ask(people, push(), contacts=past), Fixed(np.array([[0.1]]))).sent.all()


def test_the_global_holdout_is_the_same_in_every_push() -> None:
    policy = Policy("salt", global_holdout=0.3)
    questions = [ask(crowd(2000), push(push_id=name), policy=policy) for name in ("may", "june")]
    answers = [decide(question, Fixed(np.array([[0.1]]))).reason for question in questions]
    sides = [np.array(answer) == "holdout" for answer in answers]
    assert (sides[0] == sides[1]).all()
    assert sides[0].mean() == pytest.approx(0.3, abs=0.04)


def test_an_unknown_member_is_reached_only_where_consent_may_be_taken_for_granted() -> None:
    people = replace(crowd(1), known=np.array([False]), values=np.full((1, 4), np.nan, np.float32))
    generous = Policy("salt", consent_when_missing=True)
    assert decide(ask(people, push()), Fixed(np.array([[0.1]]))).reason == (
        "unknown_member_fallback",
    )
    assert decide(ask(people, push(), policy=generous), Fixed(np.array([[0.1]]))).sent.all()


def test_a_rule_that_fails_says_whose_it_is() -> None:
    wrong = offer("ten", suitability="recensy_days < 3")
    with pytest.raises(RuleError, match="suitability of offer 'ten': no feature 'recensy_days'"):
        eligibility(ask(crowd(1), push(), wrong))


@pytest.mark.parametrize(
    ("cap", "message"),
    [
        ({"scope": "all", "most": 1}, "cap on all: give days or hours"),
        ({"scope": "al", "most": 1, "days": 1}, "a cap has the scope 'al', wanted one of all,"),
        ({"scope": "all", "most": 1, "days": 0}, "wanted a window above 0"),
    ],
)
def test_a_wrong_cap_says_what_is_wrong(cap: dict[str, object], message: str) -> None:
    with pytest.raises(DecisionError, match=message):
        Cap(**cap)  # type: ignore[arg-type]  # wrong on purpose


@settings(max_examples=100, deadline=None)
@given(
    sent=st.lists(st.tuples(st.sampled_from(["m0", "m1", "m2"]), st.floats(0, 200)), max_size=20),
    most=st.integers(1, 4),
    hours=st.integers(1, 100),
)
def test_a_cap_in_hours_counts_as_one_would_by_hand(
    sent: list[tuple[str, float]], most: int, hours: int
) -> None:
    people = crowd(3)
    policy = Policy("salt", caps=(Cap("all", most, hours=hours),))
    past = contacts(people, *sent)
    found = decide(ask(people, push(), policy=policy, contacts=past), Fixed(np.array([[0.1]])))
    for member, capped in zip(people.ids, found.reason, strict=True):
        counted = sum(who == member and ago <= hours for who, ago in sent)
        assert (capped == "frequency_cap") == (counted >= most)


def test_the_kinds_part_every_reason_of_a_pair() -> None:
    assert [len(reasons) for reasons in KINDS.values()] == [7, 4, 1]
