"""What is known at a moment, said slowly and plainly: loops over rows and exact numbers.

The oracle shares no code with the features. It is written from their definitions, so that a fault
in an expression cannot hide in both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

Row = Mapping[str, Any]
Value = Fraction | float | str | None
Features = dict[str, Value]

WEIGHTS = {"view": 1, "search": 1, "wishlist": 2, "add_to_cart": 3, "purchase": 5}
CLICKS = ("view", "search", "add_to_cart", "remove_from_cart", "wishlist", "app_open")
_TENTHS_OF_A_MILL = 10_000  # money has four decimals


@dataclass(frozen=True)
class History:
    """Everything that ever happens to a small shop: stored rows of every table of the contract.

    A row without ``known_at`` became known as ingest says: an event when it was received, else
    when it occurred; a member when it was updated; an item or offer has always been known.
    """

    members: Sequence[Row] = ()
    items: Sequence[Row] = ()
    events: Sequence[Row] = ()
    offers: Sequence[Row] = ()
    pushes: Sequence[Row] = ()
    decisions: Sequence[Row] = ()
    outcomes: Sequence[Row] = ()

    def tables(self) -> Iterator[tuple[str, Sequence[Row]]]:
        for table in fields(self):
            yield table.name, getattr(self, table.name)

    def with_more(self, other: History) -> History:
        """The rows of both."""
        return History(**{name: [*rows, *getattr(other, name)] for name, rows in self.tables()})


@dataclass(frozen=True)
class Known:
    """What of a history is known as of a moment.

    members, items, offers: the newest version of each, by id.
    events, decisions, outcomes: rows that had happened and were known.
    roster: every member who is known at all, in order of their ids.
    """

    as_of: datetime
    members: Mapping[str, Row]
    items: Mapping[str, Row]
    offers: Mapping[str, Row]
    events: Sequence[Row]
    decisions: Sequence[Row]
    outcomes: Sequence[Row]
    roster: Sequence[str] = field(default=())

    def of(self, member: str) -> list[Row]:
        """A member's events."""
        return [event for event in self.events if event["member_id"] == member]

    def within(self, moment: datetime, days: int) -> bool:
        """Whether a moment lies in the last ``days`` times 24 hours."""
        return self.as_of - timedelta(days=days) <= moment < self.as_of

    def days_since(self, moment: datetime | None) -> Fraction | None:
        """Days from a moment to now, in whole seconds; below 0 for one to come."""
        if moment is None:
            return None
        gone = self.as_of.replace(microsecond=0) - moment.astimezone(UTC).replace(microsecond=0)
        return Fraction(gone // timedelta(seconds=1), 86_400)

    def category(self, event: Row) -> str | None:
        """An event's category: its own, else its item's."""
        if event.get("category") is not None:
            return str(event["category"])
        item = self.items.get(event.get("item_id") or "")
        return None if item is None else item.get("category")


def known(history: History, as_of: datetime) -> Known:
    """What of ``history`` is known as of a moment."""
    events = [row for row in history.events if _counts(row, row["occurred_at"], as_of)]
    decisions = [row for row in history.decisions if _counts(row, row["decided_at"], as_of)]
    outcomes = [row for row in history.outcomes if _counts(row, row["occurred_at"], as_of)]
    members = _newest(history.members, "member_id", as_of)
    active = {row["member_id"] for row in [*events, *decisions]}
    return Known(
        as_of=as_of,
        members=members,
        items=_newest(history.items, "item_id", as_of),
        offers=_newest(history.offers, "offer_id", as_of),
        events=events,
        decisions=decisions,
        outcomes=outcomes,
        roster=sorted({*members, *active}),
    )


def _counts(row: Row, happened: datetime, as_of: datetime) -> bool:
    learned = row.get("known_at", row.get("received_at"))
    return happened < as_of and (learned is None or learned < as_of)


def _newest(rows: Sequence[Row], key: str, as_of: datetime) -> dict[str, Row]:
    """The newest version of each key: no time is older than any; equal times go by digest."""
    found: dict[str, Row] = {}
    for row in rows:
        if _learned(row) is not None and _learned(row) >= as_of:
            continue
        best = found.get(row[key])
        if best is None or _age(row) > _age(best):
            found[row[key]] = row
    return found


def _learned(row: Row) -> Any:
    return row.get("known_at", row.get("updated_at"))


def _age(row: Row) -> tuple[datetime, str]:
    return _learned(row) or datetime.min.replace(tzinfo=UTC), row["digest"]


def exact(value: float | Decimal | None, otherwise: int = 0) -> Fraction:
    """A number of the contract without any rounding; ``otherwise`` where it is missing."""
    return Fraction(otherwise) if value is None else Fraction(value)


def money(amount: Fraction) -> Fraction:
    """Rounded to money's four decimals, half away from zero."""
    whole = int(abs(amount) * _TENTHS_OF_A_MILL + Fraction(1, 2))
    return Fraction(whole if amount >= 0 else -whole, _TENTHS_OF_A_MILL)


def share(part: Fraction | int, whole: Fraction | int) -> Fraction | None:
    """``part`` of ``whole``; missing where the whole is 0."""
    return Fraction(part) / Fraction(whole) if whole else None


def worth(event: Row) -> Fraction:
    """|Quantity × unit price| of a line: a missing quantity is 1, a missing price 0."""
    return money(abs(exact(event.get("quantity"), 1) * exact(event.get("unit_price"))))
