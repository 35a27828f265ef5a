"""What happened between us and a member: evaluated, sent, skipped and why, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, func, select

from decisions.reasons import HOLDOUT
from serving import tables
from serving.log import Log
from serving.row_fields import field_of
from serving.schemas import Decision

_MOST = 10_000  # of each source: a page is sorted in memory
CHOSEN, SKIPPED, SUPPRESSED = "chosen", "skipped", "suppressed"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened.

    kind: ``chosen`` (a decision for an offer), ``skipped`` (one for no send), ``suppressed``, or
    the type of an outcome. entry_id: of the decision or of the event. offer_id: of a decision what
    was chosen. reason: why nothing was. value: that an outcome came with, in money.
    """

    at: str
    kind: str
    entry_id: str
    push_id: str | None = None
    decision_id: str | None = None
    offer_id: str | None = None
    channel: str | None = None
    reason: str | None = None
    explored: bool = False
    held_out: bool = False
    probability: float | None = None
    release: str | None = None
    value: str | None = None

    @property
    def place(self) -> tuple[str, str, str]:
        """Where it stands in the order; no two are alike."""
        return (self.at, self.kind, self.entry_id)


@dataclass(frozen=True, slots=True)
class Timeline:
    """entries: newest first. events: how many of each type are in the log, not listed one by one.
    following: the place of the last entry, where there are more."""

    entries: tuple[Entry, ...]
    events: dict[str, int]
    suppressed_since: str | None
    following: tuple[str, str, str] | None


def timeline(log: Log, member_id: str, after: tuple[str, str, str] | None, limit: int) -> Timeline:
    """A page of a member's timeline. Of a stranger, and of one who was erased, it is empty.

    Args:
        after: the place of the last entry seen; None for the newest.

    Raises:
        LogUnavailable: the log cannot be read.
    """
    with log.reading() as connection:
        entries = [
            *_decisions(connection, member_id),
            *_outcomes(connection, member_id),
            *_suppressions(connection, member_id),
        ]
        events = _counts(connection, member_id)
    since = next((one.at for one in entries if one.kind == SUPPRESSED), None)
    entries.sort(key=lambda one: one.place, reverse=True)
    left = [one for one in entries if after is None or one.place < after]
    page = tuple(left[:limit])
    return Timeline(page, events, since, page[-1].place if len(left) > limit else None)


def _newest(connection: Connection, table: Table, member_id: str) -> Iterator[Any]:
    asked = (
        select(table).where(table.c.member_id == member_id)
        .order_by(table.c.seq.desc()).limit(_MOST)
    )  # fmt: skip
    yield from connection.execute(asked)


def _decisions(connection: Connection, member_id: str) -> Iterator[Entry]:
    for row in _newest(connection, tables.decisions, member_id):
        answer = Decision.model_validate_json(row.answer)
        yield Entry(
            at=row.decided_at,
            kind=CHOSEN if answer.send else SKIPPED,
            entry_id=row.decision_id,
            push_id=row.push_id,
            decision_id=row.decision_id,
            offer_id=row.offer_id,
            channel=row.channel if answer.send else None,
            reason=answer.reason,
            explored=answer.explored,
            held_out=answer.reason == HOLDOUT,
            probability=row.probability,
            release=row.release,
        )


def _outcomes(connection: Connection, member_id: str) -> Iterator[Entry]:
    for stored in _newest(connection, tables.outcomes, member_id):
        row = json.loads(stored.row)
        yield Entry(
            at=row["occurred_at"],
            kind=row["type"],
            entry_id=stored.event_id,
            push_id=row.get("push_id"),
            decision_id=row.get("decision_id"),
            value=row.get("value"),
        )


def _suppressions(connection: Connection, member_id: str) -> Iterator[Entry]:
    listed = tables.suppressions
    for row in connection.execute(select(listed).where(listed.c.member_id == member_id)):
        yield Entry(at=row.since, kind=SUPPRESSED, entry_id=row.event_id)


def _counts(connection: Connection, member_id: str) -> dict[str, int]:
    kind = field_of(connection, tables.events.c.row, "type")
    mine = tables.events.c.member_id == member_id
    asked = select(kind, func.count()).where(mine).group_by(kind).order_by(kind)
    return {row[0]: row[1] for row in connection.execute(asked)}
