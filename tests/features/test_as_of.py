"""As-of truth: what views see is what had happened and was known, and nothing else."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.contacts import attributed_outcomes, contacts, sent_decisions
from features.lifecycle import lifecycle
from features.membership import first_known, roster
from features.purchases import purchase_habits, purchase_lines, purchases
from features.tables import Tables, connect, open_tables
from features.workspace import Workspace
from tests.features.given import AS_OF, Given, Row, ago, found, write_batch

NAMES = ("anna", "ben", "cleo")
EXAMPLES = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

moments = st.integers(-20 * 24, 130 * 24).map(lambda hours: ago(hours / 24))
orders = st.fixed_dictionaries(
    {
        "member_id": st.sampled_from(NAMES),
        "type": st.sampled_from(["purchase", "purchase", "purchase", "refund"]),
        "occurred_at": moments,
        "received_at": st.none() | moments,
        "quantity": st.none() | st.integers(1, 3).map(float),
        "unit_price": st.integers(0, 50),
        "discount": st.none() | st.integers(0, 3),
        "order_id": st.none() | st.sampled_from(["o1", "o2", "o3"]),
    }
)
sends = st.fixed_dictionaries(
    {
        "member_id": st.sampled_from(NAMES),
        "push_id": st.just("p"),
        "offer_id": st.none() | st.just("coupon"),
        "probability": st.just(0.5),
        "decided_at": moments,
    }
)


def numbered(rows: list[Row], key: str) -> list[Row]:
    return [{key: f"{key}{number}", **row} for number, row in enumerate(rows)]


def known(row: Row) -> bool:
    """Whether a row counts as of ``AS_OF``."""
    happened: datetime = row.get("occurred_at") or row["decided_at"]
    return happened < AS_OF and (row.get("received_at") or happened) < AS_OF


def view_of(tables: Tables) -> pd.DataFrame:
    people = roster(first_known(tables.members, tables.events, tables.decisions), AS_OF)
    habits = purchase_habits(purchase_lines(tables.events), AS_OF)
    sent = sent_decisions(tables.decisions)
    heard = attributed_outcomes(tables.outcomes, tables.decisions)
    joined = purchases(people, habits, AS_OF)
    for part in (lifecycle(people, habits, AS_OF), contacts(people, sent, heard, AS_OF)):
        joined = joined.join(part, "member_id")
    return found(joined.order_by("member_id"))


def oracle(rows: list[Row], decisions: list[Row]) -> dict[str, dict[str, Any]]:
    """The central features once more, slowly and plainly."""
    lines = [row for row in rows if known(row)]
    members = {row["member_id"] for row in [*lines, *filter(known, decisions)]}
    days: dict[str, list[datetime]] = {}
    answer: dict[str, dict[str, Any]] = {}
    for member in members:
        own = [line for line in lines if line["member_id"] == member]
        ordered: dict[str, list[datetime]] = defaultdict(list)
        spend = Decimal(0)
        for line in own:
            gross = Decimal(line["quantity"] or 1) * line["unit_price"]
            recent = line["occurred_at"] >= ago(90)
            if line["type"] == "purchase":
                ordered[line["order_id"] or line["event_id"]].append(line["occurred_at"])
                spend += (gross - (line["discount"] or 0)) * recent
            else:
                spend -= gross * recent
        first_lines = sorted(min(times) for times in ordered.values())
        days[member] = first_lines
        last = max((max(times) for times in ordered.values()), default=None)
        answer[member] = {
            "recency_days": None if last is None else (AS_OF - last) / timedelta(days=1),
            "orders_30d": sum(time >= ago(30) for time in first_lines),
            "spend_90d": float(spend),
            "contacts_7d": sum(
                row["member_id"] == member
                and row["offer_id"] is not None
                and ago(7) <= row["decided_at"] < AS_OF
                for row in decisions
            ),
        }
    for member, stage in stages(days, answer).items():
        answer[member]["lifecycle"] = stage
    return answer


def stages(days: dict[str, list[datetime]], known: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Lifecycle by the definition in ``features.lifecycle``."""
    gaps: dict[str, list[int]] = {}
    for member, times in days.items():
        dates = sorted({time.date() for time in times})
        pairs = itertools.pairwise(dates)
        gaps[member] = [(later - earlier).days for earlier, later in pairs]
    means = [sum(own) / len(own) for own in gaps.values() if own]
    usual = float(pd.Series(means).median()) if means else 90.0
    answer: dict[str, str] = {}
    for member, times in days.items():
        if not times:
            answer[member] = "never_bought"
        elif min(times) >= ago(30):
            answer[member] = "new"
        else:
            own = gaps[member]
            mean = sum(own) / len(own) if own else 1.0
            expected = (mean ** len(own) * usual) ** (1 / (len(own) + 1))
            late = known[member]["recency_days"] / max(expected, 7.0)
            buying_days = len({time.date() for time in times if time >= ago(365)})
            loyal = "loyal" if buying_days >= 4 else "active"
            answer[member] = "lapsed" if late > 3 else "slipping" if late > 1.5 else loyal
    return answer


@pytest.fixture
def tables_of(tmp_path: Any) -> Iterator[Any]:
    """Opens the tables of rows, again and again, on one connection."""
    workspace = Workspace(tmp_path)
    connection = connect(workspace)

    def opened(rows: list[Row], decisions: list[Row]) -> Tables:
        write_batch(workspace, "events", rows)
        write_batch(workspace, "decisions", decisions)
        return open_tables(workspace, connection)

    yield opened
    connection.disconnect()


@pytest.mark.slow
@EXAMPLES
@given(st.lists(orders, max_size=12), st.lists(sends, max_size=4))
def test_views_equal_the_slow_oracle(tables_of: Any, rows: list[Row], decisions: list[Row]) -> None:
    rows, decisions = numbered(rows, "event_id"), numbered(decisions, "decision_id")
    shown = view_of(tables_of(rows, decisions))
    wanted = oracle(rows, decisions)
    assert set(shown.index) == set(wanted)
    for member, features in wanted.items():
        for name, value in features.items():
            got: Any = shown.loc[member, name]
            if value is None:
                assert pd.isna(got), (member, name)
            else:
                assert got == pytest.approx(value), (member, name)


@pytest.mark.slow
@EXAMPLES
@given(st.lists(orders, min_size=1, max_size=8), st.lists(orders, min_size=1, max_size=5))
def test_the_future_is_invisible(tables_of: Any, past: list[Row], poison: list[Row]) -> None:
    past = numbered(past, "event_id")
    unseen: list[Row] = [
        {**row, "event_id": f"later{number}"}
        if not known(row)
        # an event that happened in time, but whose arrival lies ahead
        else {**row, "event_id": f"later{number}", "received_at": ago(-1)}
        for number, row in enumerate(poison)
    ]
    before = view_of(tables_of(past, []))
    after = view_of(tables_of([*past, *unseen], []))
    pd.testing.assert_frame_equal(before, after)


def test_what_becomes_known_at_the_moment_itself_is_not_yet_known(given: Given) -> None:
    bought = {"event_id": "e", "member_id": "anna", "type": "purchase", "unit_price": 5}
    on_time = given.tables(events=[{**bought, "occurred_at": ago(0)}])
    assert view_of(on_time).empty
