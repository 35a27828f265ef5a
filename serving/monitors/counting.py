"""Brings the tally of the log up to date."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, case, func, select

from features.progress import Progress
from serving import tables
from serving.log import Log
from serving.monitors.seqs import first_since, newest
from serving.monitors.tally import SPLIT, WEEKS, Counts, Tally
from serving.row_fields import field_of

_AT_ONCE = 100_000  # rows that one transaction adds up
_WHOLE = '%"degraded":[]%'


def brought_up(log: Log, tally: Tally, now: datetime, progress: Progress) -> Tally:
    """``tally`` with what the log took in since; of an empty one, of the last ``WEEKS`` weeks.

    Raises:
        LogUnavailable: the log cannot be read.
    """
    kept_since = now - timedelta(weeks=WEEKS)
    with log.reading() as connection:
        decisions, outcomes = (newest(connection, t) for t in (tables.decisions, tables.outcomes))
        if decisions < tally.decisions_seq or outcomes < tally.outcomes_seq:
            tally = Tally()  # another log stands in its place
        if not tally.decisions_seq:
            first = first_since(connection, tables.decisions, "decided_at", kept_since)
            tally.decisions_seq = first - 1
        if not tally.outcomes_seq:
            first = first_since(connection, tables.outcomes, "received_at", kept_since)
            tally.outcomes_seq = first - 1
    total = decisions - tally.decisions_seq + outcomes - tally.outcomes_seq
    done = 0
    for table, up_to in (("decisions", decisions), ("outcomes", outcomes)):
        after = getattr(tally, f"{table}_seq")
        while after < up_to:
            stop = min(after + _AT_ONCE, up_to)
            with log.reading() as connection:
                _ADD[table](connection, tally, after, stop)
            setattr(tally, f"{table}_seq", stop)
            done, after = done + stop - after, stop
            progress("log", done, total)
    tally.forget_before(kept_since)
    return tally


def _add_decisions(connection: Connection, tally: Tally, after: int, stop: int) -> None:
    made = tables.decisions.c
    hour = func.substr(made.decided_at, 1, 13).label("hour")
    sent = func.sum(case((made.offer_id.is_not(None), 1), else_=0)).label("sent")
    inside = and_(made.seq > after, made.seq <= stop)
    asked = (
        select(hour, made.push_id, made.channel, func.count().label("many"), sent)
        .where(inside)
        .group_by(hour, made.push_id, made.channel)
    )
    for row in connection.execute(asked):
        day = row.hour[:10]
        _add(tally.decided, row.hour, row.many)
        _add(tally.sends, row.hour, row.sent)
        _add(tally.asked.setdefault(day, {}), row.push_id, row.many)
        _add(tally.contacts.setdefault(day, {}), f"{row.channel}{SPLIT}{row.push_id}", row.sent)
    lacking = field_of(connection, made.inputs, "degraded").label("lacking")
    lesser = inside & made.inputs.is_not(None) & made.inputs.not_like(_WHOLE)
    grouped = select(hour, lacking, func.count()).where(lesser).group_by(hour, lacking)
    for at, reasons, many in connection.execute(grouped):
        for reason in json.loads(reasons or "[]"):
            _add(tally.degraded.setdefault(at, {}), str(reason), many)


def _add_outcomes(connection: Connection, tally: Tally, after: int, stop: int) -> None:
    told = tables.outcomes.c
    hour = func.substr(told.received_at, 1, 13).label("hour")
    kind = field_of(connection, told.row, "type").label("kind")
    inside = and_(told.seq > after, told.seq <= stop)
    for at, type_, many in connection.execute(
        select(hour, kind, func.count()).where(inside).group_by(hour, kind)
    ):
        _add(tally.outcomes.setdefault(at, {}), str(type_), many)
    gone = select(told.row, told.member_id).where(inside, kind == "unsubscribed")
    for row in connection.execute(gone):
        of = _send_of(connection, json.loads(row.row), row.member_id)
        if of is not None:
            day, sent_by = of
            _add(tally.left.setdefault(day, {}), sent_by, 1)


_ADD = {"decisions": _add_decisions, "outcomes": _add_outcomes}


def _send_of(
    connection: Connection, told: Mapping[str, Any], member_id: str | None
) -> tuple[str, str] | None:
    """Day, channel and push of the send that an unsubscription speaks of: the decision that it
    names, else that of its member in its push; None of one that was decided elsewhere."""
    made = tables.decisions.c
    named = select(made.decided_at, made.channel, made.push_id)
    if told.get("decision_id"):
        named = named.where(made.decision_id == told["decision_id"])
    else:
        named = named.where(made.push_id == told["push_id"], made.member_id == member_id)
    found = connection.execute(named).one_or_none()
    if found is None:
        return None
    return found.decided_at[:10], f"{found.channel}{SPLIT}{found.push_id}"


def _add(counts: Counts, key: str, many: int) -> None:
    counts[key] = counts.get(key, 0) + int(many)
