"""Fresh features: right whatever the order of the rows, and however often they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from features.fresh import (
    HORIZON,
    Contacted,
    Did,
    FreshRow,
    MemberState,
    Row,
    due,
    fold,
    forget,
    fresh_row,
    newest_of,
    utc_day,
)

NOW = datetime(2026, 5, 20, 15, tzinfo=UTC)


def ago(**since: float) -> datetime:
    return NOW - timedelta(**since)


def folded(rows: Sequence[Row]) -> MemberState:
    state = MemberState()
    for row in rows:
        state = fold(state, row)
    return state


def test_a_day_of_one_member() -> None:
    state = folded(
        [
            Did("view", ago(hours=5), "boots", "shoes"),
            Did("add_to_cart", ago(hours=4), "boots", "shoes", 80.0),
            Did("add_to_cart", ago(hours=3), "cap", "hats", 20.0),
            Did("remove_from_cart", ago(hours=2), "boots", "shoes"),
            Did("app_open", ago(hours=1)),
            Contacted("yesterday", ago(hours=16)),
            Contacted("morning", ago(hours=9)),
            Contacted("lost", ago(hours=8)),
            Contacted("lost", ago(hours=8), failed=True),
        ]
    )
    assert fresh_row(state, NOW) == FreshRow(
        last_seen_at=ago(hours=1),
        last_category="shoes",
        last_category_at=ago(hours=2),
        open_cart_items=1.0,
        open_cart_value=20.0,
        open_cart_at=ago(hours=2),
        contacts_today=1.0,
        contacts_at=ago(hours=8),
        last_click_at=ago(hours=1),
        cared_category="hats",
        cared_category_at=ago(hours=3),
    )


def test_a_purchase_is_no_click_and_shows_no_new_interest() -> None:
    state = folded(
        [
            Did("view", ago(hours=2), "boots", "shoes"),
            Did("purchase", ago(hours=1), "cap", "hats", 20.0),
        ]
    )
    found = fresh_row(state, NOW)
    assert (found.last_seen_at, found.last_category) == (ago(hours=1), "hats")
    assert (found.last_click_at, found.cared_category) == (ago(hours=2), "shoes")


# Few moments, items and ids: the interesting things happen where they meet.
moments = st.integers(0, 40).map(lambda step: ago(days=step, hours=step % 3))
whats = st.sampled_from(["view", "add_to_cart", "remove_from_cart", "purchase", "app_open"])
maybe = st.sampled_from([None, "boots", "cap"])
dids = st.builds(Did, whats, moments, maybe, maybe, st.sampled_from([None, 5.0, 7.5]))
contacts = st.builds(
    lambda number, failed: Contacted(f"d{number}", ago(hours=7 * number), failed),
    st.integers(0, 9),
    st.booleans(),
)
histories = st.lists(dids | contacts, max_size=25)


@settings(max_examples=400)
@given(st.data(), histories)
def test_neither_order_nor_repetition_changes_a_state(
    data: st.DataObject, history: list[Row]
) -> None:
    again = data.draw(st.lists(st.sampled_from(history), max_size=10)) if history else []
    mixed = data.draw(st.permutations([*history, *again]))
    assert folded(mixed) == folded(history)


def slowly(history: Sequence[Row]) -> FreshRow:
    """The definitions, by looking at all rows each time."""
    did = [row for row in history if isinstance(row, Did)]
    named = [(row.at, row.category) for row in did if row.category]
    cared = [
        (row.at, row.category) for row in did
        if row.category and row.type in ("view", "search", "wishlist", "add_to_cart")
    ]  # fmt: skip
    touching = [
        row for row in did
        if row.item_id and row.type in ("add_to_cart", "remove_from_cart", "purchase")
    ]  # fmt: skip
    worths = []
    for item in {row.item_id for row in touching}:
        of_item = [row for row in touching if row.item_id == item]
        adds = [row for row in of_item if row.type == "add_to_cart" and row.at >= NOW - HORIZON]
        if adds:
            newest = max(row.at for row in adds)
            if not any(row.at >= newest for row in of_item if row.type != "add_to_cart"):
                worths.append(max(row.worth or 0.0 for row in adds if row.at == newest))
    sent = {row.decision_id: row.at for row in history if isinstance(row, Contacted)}
    lost = {row.decision_id for row in history if isinstance(row, Contacted) and row.failed}
    newest_sent = max(sent.values(), default=None)
    return FreshRow(
        last_seen_at=max((row.at for row in did), default=None),
        last_category=max(named)[1] if named else None,
        last_category_at=max(named)[0] if named else None,
        open_cart_items=float(len(worths)) if touching else None,
        open_cart_value=sum(worths) if touching else None,
        open_cart_at=max((row.at for row in touching), default=None),
        contacts_today=None
        if newest_sent is None
        else float(
            sum(at.date() == newest_sent.date() for key, at in sent.items() if key not in lost)
        ),
        contacts_at=newest_sent,
        last_click_at=max((row.at for row in did if row.type != "purchase"), default=None),
        cared_category=max(cared)[1] if cared else None,
        cared_category_at=max(cared)[0] if cared else None,
    )


@settings(max_examples=400)
@given(histories)
def test_features_are_what_their_definition_says(history: list[Row]) -> None:
    assert fresh_row(folded(history), NOW) == slowly(history)


@settings(max_examples=200)
@given(histories, st.lists(dids, max_size=5))
def test_what_is_forgotten_is_never_missed(history: list[Row], later: list[Row]) -> None:
    kept, pruned = folded(history), forget(folded(history), NOW)
    for row in later:
        kept, pruned = fold(kept, row), forget(fold(pruned, row), NOW)
    assert fresh_row(pruned, NOW) == fresh_row(kept, NOW)


@settings(max_examples=200)
@given(histories)
def test_between_two_dues_nothing_changes_by_time_alone(history: list[Row]) -> None:
    state = folded(history)
    next_change = due(state, NOW)
    if next_change is None:
        assert not fresh_row(state, NOW).open_cart_items
        return
    before = next_change - timedelta.resolution
    assert fresh_row(state, before) == fresh_row(state, NOW)
    items = fresh_row(state, NOW).open_cart_items or 0
    assert (fresh_row(state, next_change).open_cart_items or 0) < items


def test_what_is_stored_wins_where_it_is_newer_and_not_of_the_future() -> None:
    mine = FreshRow(ago(hours=2), "hats", ago(hours=2), 1.0, 9.0, ago(hours=3))
    stored = FreshRow(ago(hours=1), "shoes", ago(hours=3), 4.0, 5.0, NOW + timedelta(days=900))
    assert newest_of(stored, mine, not_after=NOW) == replace(mine, last_seen_at=ago(hours=1))


def test_a_utc_day_begins_at_utc_midnight() -> None:
    tokyo = datetime.fromisoformat("2026-05-21T08:30:00+09:00")
    assert utc_day(tokyo) == datetime(2026, 5, 20, tzinfo=UTC)
