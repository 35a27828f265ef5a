"""How often a member was reached."""

from __future__ import annotations

import pandas as pd

from features.contacts import attributed_outcomes, contacts, sent_decisions
from tests.features.given import AS_OF, Given, Row, ago, found, one


def decided(number: int, days: float, offer: str | None = "coupon", member: str = "anna") -> Row:
    return {
        "decision_id": f"d{number}",
        "push_id": f"p{number}",
        "member_id": member,
        "offer_id": offer,
        "probability": 0.5,
        "decided_at": ago(days),
    }


def outcome(number: int, kind: str, days: float, **more: object) -> Row:
    row: Row = {"event_id": f"x{number}{kind}", "type": kind, "occurred_at": ago(days)}
    return {**row, **(more or {"decision_id": f"d{number}"})}


def view(given: Given, decisions: list[Row], outcomes: list[Row]) -> pd.Series:
    tables = given.tables(decisions=decisions, outcomes=outcomes, members=[{"member_id": "anna"}])
    view = contacts(
        tables.members.select("member_id"),
        sent_decisions(tables.decisions),
        attributed_outcomes(tables.outcomes, tables.decisions),
        AS_OF,
    )
    return one(found(view), "anna")


def test_only_decisions_with_an_offer_that_did_not_fail_are_contacts(given: Given) -> None:
    anna = view(
        given,
        [decided(1, 0.5), decided(2, 5), decided(3, 5, None), decided(4, 6), decided(5, 20)],
        [outcome(4, "failed", 6)],
    )
    assert anna[["contacts_1d", "contacts_7d", "contacts_30d"]].tolist() == [1, 2, 3]
    assert anna["last_contact_days"] == 0.5


def test_repeated_opens_count_once_a_contact(given: Given) -> None:
    twice = [outcome(1, "opened", 2), {**outcome(1, "opened", 1), "event_id": "again"}]
    anna = view(given, [decided(1, 3), decided(2, 40)], [*twice, outcome(2, "clicked", 5)])
    assert anna["opens_30d"] == 1
    assert anna["clicks_30d"] == 0  # the contact is older than the window


def test_an_outcome_may_name_member_and_push(given: Given) -> None:
    anna = view(given, [decided(1, 3)], [outcome(1, "opened", 2, member_id="anna", push_id="p1")])
    assert anna["opens_30d"] == 1


def test_ignored_in_row_counts_since_the_last_answer(given: Given) -> None:
    decisions = [decided(number, days) for number, days in enumerate((40, 30, 20, 10))]
    assert view(given, decisions, [])["ignored_in_row"] == 4
    assert view(given, decisions, [outcome(1, "redeemed", 25)])["ignored_in_row"] == 2
    assert view(given, decisions, [outcome(3, "opened", 5)])["ignored_in_row"] == 0


def test_an_answer_not_yet_known_changes_nothing(given: Given) -> None:
    late = {**outcome(1, "unsubscribed", 2), "known_at": ago(-1)}
    assert view(given, [decided(1, 3)], [late])["unsubscribed"] == 0
    assert view(given, [decided(1, 3)], [outcome(1, "unsubscribed", 2)])["unsubscribed"] == 1


def test_an_unsubscription_counts_without_its_decision(given: Given) -> None:
    elsewhere = outcome(9, "unsubscribed", 2, member_id="anna", push_id="p9")
    assert view(given, [decided(1, 3, member="ben")], [elsewhere])["unsubscribed"] == 1
    named = outcome(9, "unsubscribed", 2, decision_id="d9", member_id="anna")
    assert view(given, [decided(1, 3, member="ben")], [named])["unsubscribed"] == 1


def test_who_was_never_contacted_has_zeros(given: Given) -> None:
    anna = view(given, [decided(1, 3, member="ben")], [])
    assert anna[["contacts_30d", "ignored_in_row", "unsubscribed"]].tolist() == [0, 0, 0]
    assert pd.isna(anna["last_contact_days"])


def test_nothing_is_heard_of_a_decision_still_to_come(given: Given) -> None:
    anna = view(given, [decided(1, -1)], [outcome(1, "unsubscribed", 2)])
    assert anna["unsubscribed"] == 0
