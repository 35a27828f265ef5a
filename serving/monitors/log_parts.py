"""What monitors ask of the log itself, beside the tally: few rows, whatever its size."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, case, func, select

from decisions.pacing import CONTACTS, MONEY
from decisions.reasons import HOLDOUT
from serving import tables
from serving.experiment_entry import Entry
from serving.experiments import Book
from serving.ledger import State
from serving.log import Log
from serving.moments import iso
from serving.monitors.calibrated import Settled
from serving.monitors.drift import Drifted, mixed
from serving.monitors.pacing import Paced
from serving.monitors.seqs import first_since, newest, spread_rows
from serving.monitors.shares import Split
from serving.monitors.thresholds import Thresholds

_SAMPLE = 20_000  # decisions of a period whose estimates are read
_PUSHES = 200  # whose pace is told
_ESTIMATES = ("p_if_sent", "p_if_not")
_AT_ONCE = 500
_SENT = "sent"

Values = dict[str, dict[str, NDArray[np.float64]]]


def paced(
    log: Log, pushes: Sequence[str], now: datetime, over: Mapping[str, datetime]
) -> list[Paced]:
    """Money and contacts of ``pushes``, where these have such a limit; what expired is given back.

    Args:
        over: from when on pushes are history, where that is known.

    Raises:
        LogUnavailable.
    """
    row = tables.limits_used.c
    found = []
    for push_id in pushes[:_PUSHES]:
        used = log.used(push_id, now)
        wanted = row.push_id == push_id, row.name.in_((MONEY, CONTACTS)), row.most.is_not(None)
        with log.reading() as connection:
            limits = connection.execute(select(row.name, row.most).where(*wanted)).all()
        found += [
            Paced(push_id, name, used[name], most, over.get(push_id))
            for name, most in limits
            if name in used
        ]
    return found


def splits(log: Log) -> list[Split]:
    """The members of each experiment that runs, by arm and time of coming.

    Raises:
        LogUnavailable.
    """
    running: list[Entry] = []
    while page := Book(log).page(running[-1].experiment_id if running else "", 100, ["running"]):
        running += page
    with log.reading() as connection:
        return [
            _split(connection, entry) for entry in running if entry.declared.mode == "live"
        ]  # fmt: skip


def _split(connection: Connection, entry: Entry) -> Split:
    """Whoever came before a change of the shares counts under those of before."""
    made = tables.decisions
    mine = made.c.experiment == entry.experiment_id
    first = select(func.min(made.c.seq).label("seq")).where(mine).group_by(made.c.member_id)
    opening = first.subquery()
    changes = [iso(one.since) for one in entry.allocations[1:]]
    epoch: Any = sum((case((made.c.decided_at >= at, 1), else_=0) for at in changes), start=0)
    asked = (
        select(epoch if changes else func.min(0), made.c.arm, func.count())
        .join(opening, opening.c.seq == made.c.seq)
        .group_by(*([epoch] if changes else []), made.c.arm)
    )
    counts: list[dict[str, int]] = [{} for _ in entry.allocations]
    for number, arm, members in connection.execute(asked):
        counts[number or 0][arm] = members
    shares = [
        {name: one.allocation.share(name) for name in one.allocation.names}
        for one in entry.allocations
    ]
    return Split(entry.experiment_id, list(zip(counts, shares, strict=True)))


@dataclass(frozen=True, slots=True)
class Compared:
    """Drift of the estimates; why: where there is none to tell, the reason."""

    drifted: tuple[Drifted, ...] = ()
    why: str = ""


def score_drift(log: Log, limits: Thresholds, now: datetime) -> Compared:
    """The estimates of the last ``recent_days`` beside those of the same number of days after the
    release in use was first seen; of a release younger than twice that, beside the days before.

    Raises:
        LogUnavailable.
    """
    days = timedelta(days=limits.recent_days)
    with log.reading() as connection:
        release, seen = _in_use(connection)
        if release is None or seen is None:
            return Compared(why="nothing was decided yet")
        ripe = seen + 2 * days <= now
        since = seen if ripe else now - 2 * days
        only = release if ripe else None
        recent = _estimates(connection, (now - days, now), only)
        before = _estimates(connection, (since, since + days), only)
    if not any(recent.values()):
        return Compared(why=f"nothing was estimated in the last {limits.recent_days} days")
    what = f"after release {release} came" if ripe else "before"
    found = []
    for name in _ESTIMATES:
        one = mixed(recent[name], before[name])
        if one is not None:
            words = f"; {limits.recent_days} days beside the {limits.recent_days} days {what}"
            found.append(Drifted(name, one.index, one.now, one.before, one.bins, words))
    why = f"the pushes of the last {limits.recent_days} days are not those of the days {what}"
    return Compared(tuple(found), "" if found else why)


def _in_use(connection: Connection) -> tuple[str | None, datetime | None]:
    """The release of the newest decision, and when it was first seen."""
    made, seen = tables.decisions.c, tables.releases_seen.c
    last = select(made.release).where(made.seq == newest(connection, tables.decisions))
    release = connection.scalar(last)
    at = connection.scalar(select(seen.seen_at).where(seen.release == release))
    return release, None if at is None else datetime.fromisoformat(at)


def _estimates(
    connection: Connection, period: tuple[datetime, datetime], release: str | None
) -> Values:
    """By estimate and push, of a sample of the period's decisions; of one release where named."""
    made = tables.decisions
    first, stop = (first_since(connection, made, "decided_at", at) for at in period)
    names = ("push_id", "release", "answer")
    rows = spread_rows(connection, made, names, (first, stop), _SAMPLE)
    found: dict[str, dict[str, list[float]]] = {name: {} for name in _ESTIMATES}
    for row in rows:
        if release is not None and row.release != release:
            continue
        told = json.loads(row.answer)["estimates"] or {}
        for name, values in found.items():
            if told.get(name) is not None:
                values.setdefault(row.push_id, []).append(told[name])
    return {
        name: {push: np.array(one) for push, one in by_push.items()}
        for name, by_push in found.items()
    }


@dataclass(frozen=True, slots=True)
class Happened:
    """What came of a decision once its window was over. member: whose it is, as a number."""

    decision_id: str
    member: int
    converted: bool


def settled(log: Log, happened: Collection[Happened]) -> dict[str, Settled]:
    """What decisions predicted beside what came of them, by what the member got.

    A decision for an offer that was not sent (it failed; or its push reports sends, and not this
    one) is left out: it predicted another thing. So are estimates that rest on no data
    (``prior``), and decisions without an estimate.

    Raises:
        LogUnavailable.
    """
    wanted = {one.decision_id: one for one in happened}
    rows = list(_decisions(log, list(wanted)))
    reports = {row.push_id for row in rows if row.state == State.ACTIVATED}
    parts: dict[str, list[tuple[float, bool, int]]] = {}
    for row in rows:
        answer = json.loads(row.answer)
        name = _assigned(answer, row.state, row.push_id in reports)
        told = answer["estimates"] or {}
        predicted = told.get("p_if_sent" if name == _SENT else "p_if_not")
        if name and predicted is not None and told.get("evidence") not in (None, "prior"):
            one = wanted[row.decision_id]
            parts.setdefault(name, []).append((predicted, one.converted, one.member))
    return {name: _columns(rows_of) for name, rows_of in sorted(parts.items())}


def _assigned(answer: Mapping[str, Any], state: str | None, reports: bool) -> str:
    """Empty where it cannot be told what the member got."""
    if not answer["send"]:
        return "held_out" if answer["reason"] == HOLDOUT else "not_chosen"
    if state == State.FAILED or (reports and state not in (State.ACTIVATED, State.LATE)):
        return ""
    return _SENT


def _decisions(log: Log, ids: Sequence[str]) -> Iterable[Any]:
    made, held = tables.decisions, tables.reservations
    asked = select(made.c.decision_id, made.c.push_id, made.c.answer, held.c.state).join(
        held, held.c.decision_id == made.c.decision_id, isouter=True
    )
    for start in range(0, len(ids), _AT_ONCE):
        part = asked.where(made.c.decision_id.in_(ids[start : start + _AT_ONCE]))
        with log.reading() as connection:
            yield from connection.execute(part).all()


def _columns(rows: Sequence[tuple[float, bool, int]]) -> Settled:
    predicted, converted, member = zip(*rows, strict=True)
    return Settled(np.array(predicted), np.array(converted, dtype=bool), np.array(member))
