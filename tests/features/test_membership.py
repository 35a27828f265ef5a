"""Who is a member, and what the programme knows of them."""

from __future__ import annotations

import pandas as pd

from features.contract import Kind
from features.views import at
from tests.features.given import AS_OF, Given, Row, ago, events, one, shown, stood_on, untouched


def view(given: Given, *members: Row, **attributes: Kind) -> pd.DataFrame:
    given.attributes(**attributes)
    tables = given.tables(members=list(members))
    return shown(tables, "membership", attributes=attributes)


def test_members_are_those_in_members_events_or_decisions_known_by_then(given: Given) -> None:
    click = {"type": "view", "occurred_at": ago(3)}
    tables = given.tables(
        members=[{"member_id": "listed"}, {"member_id": "later", "updated_at": ago(-1)}],
        events=events(
            {**click, "member_id": "active"},
            {**click, "member_id": "late_news", "received_at": ago(-2)},
            {**click, "member_id": "listed"},
        ),
        decisions=[
            {
                "decision_id": "d",
                "push_id": "p",
                "member_id": "contacted",
                "probability": 1.0,
                "decided_at": ago(1),
            }
        ],
    )
    known = at(stood_on(tables, AS_OF), AS_OF, untouched).roster.execute()["member_id"]
    assert sorted(known) == ["active", "contacted", "listed"]


def test_the_newest_version_known_then_counts(given: Given) -> None:
    shown = view(
        given,
        {"member_id": "anna", "tier": "first", "known_at": None},
        {"member_id": "anna", "tier": "second", "updated_at": ago(10)},
        {"member_id": "anna", "tier": "future", "updated_at": ago(0)},
    )
    assert shown["tier"].to_dict() == {"anna": "second"}


def test_times_become_days_and_consent_one_or_zero(given: Given) -> None:
    anna = one(
        view(
            given,
            {
                "member_id": "anna",
                "joined_at": ago(100),
                "points_expire_at": ago(-10),
                "birth_year": 1990,
                "consent_push": True,
                "consent_email": False,
            },
        ),
        "anna",
    )
    assert anna[["tenure_days", "points_expire_days", "age"]].tolist() == [100, 10, 36]
    assert anna[["consent_push", "consent_email"]].tolist() == [1, 0]
    assert pd.isna(anna["consent_sms"])


def test_declared_attributes_keep_their_names(given: Given) -> None:
    shown = view(
        given,
        {
            "member_id": "anna",
            "income": 10.5,
            "children": 2,
            "segment": "a",
            "vip": True,
            "since": ago(7),
            "note": "tall",
        },
        income="number",
        children="integer",
        segment="category",
        vip="flag",
        since="time",
        note="text",
    )
    names = ["income", "children", "segment", "vip", "since"]
    assert one(shown, "anna")[names].tolist() == [10.5, 2, "a", 1, 7]
    assert "note" not in shown.columns


def test_who_joins_later_has_no_tenure_yet(given: Given) -> None:
    assert view(given, {"member_id": "anna", "joined_at": ago(-3)})["tenure_days"].isna().all()
