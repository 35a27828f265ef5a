"""What pushes have used of their limits: reserved with the decision, spent when it was sent.

A reservation is made in the transaction that keeps its decision, so that no limit is ever passed,
whatever number of processes decide. It ends in one of these ways: the engine reports that the
message went out (``activated``: spent for good), that it could not (``failed``), or says nothing
until the decision expires (``expired``); the last two give back what was reserved. A message
reported as sent after that is taken again if it fits, else it is ``late``: it counts nowhere, and
its row tells by how much the engine went over the limits.

Every function works inside the caller's transaction, which must hold the write lock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, or_, select, tuple_, update

from decisions.pacing import Use
from serving import upsert
from serving.tables import decisions, limits_used, reservations

ASKED = "asked"  # counts decisions; not a limit
AT_ONCE = 2_000  # reservations that one call gives back: more would keep the others waiting
_SENT = frozenset({"sent", "delivered", "opened", "clicked", "redeemed"})


class State(StrEnum):
    """Of a reservation; see the module."""

    RESERVED = "reserved"
    ACTIVATED = "activated"
    FAILED = "failed"
    EXPIRED = "expired"
    LATE = "late"


# Made once: making a statement costs more than running it.
_COUNTERS = select(limits_used).where(limits_used.c.push_id == bindparam("push"))
_HELD_PAST = select(reservations.c.decision_id, reservations.c.takes).where(
    reservations.c.push_id == bindparam("push"),
    reservations.c.state == State.RESERVED,
    reservations.c.expires_at <= bindparam("at"),
)
_IS_DUE = _HELD_PAST.limit(1)
_DUE = _HELD_PAST.order_by(reservations.c.expires_at).limit(bindparam("most"))


@cache
def _change(dialect: str) -> Any:
    """Puts counters into the table, new ones and changed ones."""
    row = upsert.into(dialect, limits_used)
    return row.on_conflict_do_update(
        index_elements=["push_id", "name"],
        set_={name: row.excluded[name] for name in ("reserved", "spent", "planned", "most")},
    )


@dataclass(frozen=True, slots=True)
class Claim:
    """What one decision wants to reserve.

    takes: of each limit, by its name; empty where nothing is sent.
    planned: what the plan's own prices would have taken.
    expires_at: ISO 8601 in UTC.
    """

    decision_id: str
    takes: Mapping[str, int]
    planned: Mapping[str, int]
    expires_at: str


@dataclass(frozen=True, slots=True)
class Report:
    """What an outcome tells of a decision, named by its id, else by push and member."""

    type: str
    decision_id: str | None
    push_id: str | None
    member_id: str | None


def used(connection: Connection, push_id: str) -> dict[str, Use]:
    """By the name of the limit; one that nothing is taken of, or planned for, is left out."""
    found = {name: _use(row) for name, row in _counters(connection, push_id).items()}
    return {name: use for name, use in found.items() if use != Use()}


def due(connection: Connection, push_id: str, at: str) -> bool:
    """Whether a reservation of the push has expired by ``at`` and is still held."""
    return connection.execute(_IS_DUE, {"push": push_id, "at": at}).first() is not None


def expire(connection: Connection, push_id: str, at: str) -> None:
    """Give back what expired by ``at``, each reservation once; many take several calls."""
    rows = connection.execute(_DUE, {"push": push_id, "at": at, "most": AT_ONCE}).mappings().all()
    if rows:
        counters = _Counters(connection, push_id)
        for row in rows:
            counters.give_back(json.loads(row["takes"]))
        _enter(connection, State.EXPIRED, [row["decision_id"] for row in rows])
        counters.write(counters.most)


def reserve(
    connection: Connection,
    push_id: str,
    claims: Sequence[Claim],
    most: Mapping[str, int],
    at: str,
) -> frozenset[str]:
    """Reserve what fits into ``most``, in the order given; ids of the claims that did.

    A claim that takes nothing always fits. Each that fits counts as asked.
    """
    expire(connection, push_id, at)
    counters = _Counters(connection, push_id)
    taken = [claim for claim in claims if counters.take(claim, most)]
    rows = [
        {
            "decision_id": claim.decision_id, "push_id": push_id, "takes": json.dumps(claim.takes),
            "state": State.RESERVED, "expires_at": claim.expires_at,
        }
        for claim in taken if claim.takes
    ]  # fmt: skip
    if rows:
        connection.execute(reservations.insert(), rows)
    if taken:
        counters.write(most)
    return frozenset(claim.decision_id for claim in taken)


def settle(connection: Connection, reports: Iterable[Report]) -> None:
    """Move the reservations that ``reports`` are about, in their order; others are ignored."""
    telling = [report for report in reports if report.type in _SENT or report.type == "failed"]
    held = _held(connection, telling) if telling else {}
    counters: dict[str, _Counters] = {}
    moved: dict[str, State] = {}
    for report in telling:
        row = held.get(report.decision_id or (report.push_id, report.member_id))
        if row is None:
            continue
        push_id, decision_id = row["push_id"], row["decision_id"]
        if push_id not in counters:
            counters[push_id] = _Counters(connection, push_id)
        state = moved.get(decision_id, State(row["state"]))
        after = counters[push_id].told(report.type in _SENT, state, json.loads(row["takes"]))
        if after is not state:
            moved[decision_id] = after
    for state in State:
        _enter(connection, state, [one for one, after in moved.items() if after is state])
    for changed in counters.values():
        changed.write(changed.most)


class _Counters:
    """The counters of one push while a transaction changes them."""

    def __init__(self, connection: Connection, push_id: str) -> None:
        self._connection = connection
        self._push_id = push_id
        found = _counters(connection, push_id)
        self.most: Mapping[str, int | None] = {name: row["most"] for name, row in found.items()}
        self._changed: set[str] = set()
        self._values = {
            name: [row["reserved"], row["spent"], row["planned"]] for name, row in found.items()
        }

    def take(self, claim: Claim, most: Mapping[str, int]) -> bool:
        """Reserve ``claim`` if it fits."""
        if not self._fits(claim.takes, most):
            return False
        self._add(0, claim.takes)
        self._add(2, claim.planned)
        self._add(1, {ASKED: 1})
        return True

    def give_back(self, takes: Mapping[str, int]) -> None:
        self._add(0, takes, sign=-1)

    def told(self, sent: bool, state: State, takes: Mapping[str, int]) -> State:
        """The state after a report, with the counters changed to it."""
        if state is State.RESERVED:
            self.give_back(takes)
            if sent:
                self._add(1, takes)
            return State.ACTIVATED if sent else State.FAILED
        if sent and state in (State.EXPIRED, State.FAILED):
            if not self._fits(takes, self.most):
                return State.LATE
            self._add(1, takes)
            return State.ACTIVATED
        return state

    def write(self, most: Mapping[str, int | None]) -> None:
        """Put what changed into the table, beside the limits that hold from now on."""
        values = [
            {
                "push_id": self._push_id, "name": name, "most": most.get(name),
                "reserved": reserved, "spent": spent, "planned": planned,
            }
            for name, (reserved, spent, planned) in self._values.items()
            if name in self._changed
        ]  # fmt: skip
        if values:
            self._connection.execute(_change(self._connection.dialect.name), values)

    def _fits(self, takes: Mapping[str, int], most: Mapping[str, int | None]) -> bool:
        for name, amount in takes.items():
            limit = most.get(name)
            reserved, spent, _ = self._values.get(name, (0, 0, 0))
            if limit is not None and reserved + spent + amount > limit:
                return False
        return True

    def _add(self, column: int, amounts: Mapping[str, int], sign: int = 1) -> None:
        for name, amount in amounts.items():
            self._values.setdefault(name, [0, 0, 0])[column] += sign * amount
            self._changed.add(name)


def _counters(connection: Connection, push_id: str) -> dict[str, RowMapping]:
    found = connection.execute(_COUNTERS, {"push": push_id})
    return {row["name"]: row for row in found.mappings()}


def _use(row: RowMapping) -> Use:
    return Use(row["reserved"], row["spent"], row["planned"])


def _enter(connection: Connection, state: State, decision_ids: Sequence[str]) -> None:
    if decision_ids:
        mine = reservations.c.decision_id.in_(decision_ids)
        connection.execute(update(reservations).where(mine).values(state=state))


def _held(
    connection: Connection, reports: Sequence[Report]
) -> dict[str | tuple[str | None, str | None], RowMapping]:
    """Reservations by decision id, and by push and member."""
    ids = [report.decision_id for report in reports if report.decision_id]
    pairs = [(report.push_id, report.member_id) for report in reports if not report.decision_id]
    found: dict[str | tuple[str | None, str | None], RowMapping] = {}
    asked = select(reservations, decisions.c.member_id).join(
        decisions, decisions.c.decision_id == reservations.c.decision_id
    )
    member = tuple_(decisions.c.push_id, decisions.c.member_id)
    named = or_(decisions.c.decision_id.in_(ids), member.in_(pairs))
    for row in connection.execute(asked.where(named)).mappings():
        found[row["decision_id"]] = row
        found[row["push_id"], row["member_id"]] = row
    return found
