"""The catalogue: offers and pushes that callers put, every version of them, in the scorer's log.

A release is built with the newest versions. A push is a plan until its ``send_at``; from then on
it is history: it changes no more, and goes into the workspace's tables once and for good. An offer
goes there version by version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select

from features.contract import contract_table
from features.rows import parse_row
from serving.batches import canonical
from serving.catalogue_entry import Kind
from serving.catalogue_entry import Row as ContractRow
from serving.errors import (
    LogUnavailable,
    PreconditionFailed,
    PushIsHistory,
    UnknownPush,
    WaitingPush,
)
from serving.log import Log
from serving.moments import iso
from serving.preconditions import Conditions
from serving.tables import catalogue as stored


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an offer or a push.

    number: counts from 1. row: the contract's columns. changed_by: id of the API key, None where
    the scorer asks for none.
    """

    kind: Kind
    entry_id: str
    number: int
    digest: str
    row: ContractRow
    changed_at: datetime
    changed_by: str | None

    @property
    def etag(self) -> str:
        return f'"{self.number}-{self.digest[:12]}"'


@dataclass(frozen=True, slots=True)
class Kept:
    """fresh: whether the call made the version, or it stood there already."""

    version: Version
    fresh: bool


class Catalogue:
    """The catalogue in a scorer's log."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def put(self, given: Given, conditions: Conditions) -> Kept:
        """Make ``given`` the newest version, unless it is that already. On disk once returned.

        Raises:
            PreconditionFailed: a condition does not hold.
            PushIsHistory: the push was due before ``given.changed_at``, and this would change it.
            LogUnavailable: nothing was kept.
        """

        def work(connection: Connection) -> Kept | PreconditionFailed | PushIsHistory:
            # A refusal is no fault of the transaction, which holds the writes of others too.
            try:
                return _put(connection, given, conditions)
            except (PreconditionFailed, PushIsHistory) as refused:
                return refused

        kept = self._log.write(work)
        if not isinstance(kept, Kept):
            raise kept
        return kept

    def find(self, kind: Kind, entry_id: str, number: int | None = None) -> Version | None:
        """The newest version, or version ``number``."""
        with self._log.reading() as connection:
            return _find(connection, kind, entry_id, number)

    def page(self, kind: Kind, after: str, most: int) -> list[Version]:
        """The newest version of each, ordered by id, from the first id behind ``after`` on."""
        asked = (
            _newest(kind).where(stored.c.entry_id > after).order_by(stored.c.entry_id).limit(most)
        )
        with self._log.reading() as connection:
            return [_version(row) for row in connection.execute(asked)]

    def newest(self, kind: Kind) -> list[Version]:
        """The newest version of each, ordered by id: what a release is built with."""
        with self._log.reading() as connection:
            found = connection.execute(_newest(kind).order_by(stored.c.entry_id))
            return [_version(row) for row in found]

    def among(self, kind: Kind, ids: Collection[str]) -> frozenset[str]:
        """Those of ``ids`` that the catalogue has."""
        mine = stored.c.kind == kind, stored.c.entry_id.in_(ids)
        with self._log.reading() as connection:
            return frozenset(connection.scalars(select(stored.c.entry_id).where(*mine)))

    def settled(self, kind: Kind, at: datetime) -> list[Settled]:
        """What the workspace's tables are to get: offers' versions, oldest first, and pushes that
        were due by ``at`` as they stood; what was marked is left out."""
        if kind == "pushes":
            asked = _newest(kind).where(stored.c.send_at <= iso(at))
        else:
            asked = select(stored).where(stored.c.kind == kind)
        asked = asked.where(stored.c.exported.is_(False)).order_by(stored.c.seq)
        with self._log.reading() as connection:
            return [Settled(row.seq, json.loads(row.row)) for row in connection.execute(asked)]

    def mark(self, settled: Sequence[Settled]) -> None:
        """Never give these again."""
        places = [one.seq for one in settled]

        def work(connection: Connection) -> None:
            for start in range(0, len(places), _AT_ONCE):
                some = stored.c.seq.in_(places[start : start + _AT_ONCE])
                connection.execute(stored.update().where(some).values(exported=True))

        self._log.write(work)


_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Given:
    """A contract row that was checked, and who gives it when."""

    kind: Kind
    entry_id: str
    row: ContractRow
    changed_at: datetime
    changed_by: str | None


@dataclass(frozen=True, slots=True)
class Settled:
    """A contract row as ``parse_row`` takes it. seq: its place in the catalogue."""

    seq: int
    row: dict[str, Any]


def missing_push(catalogue: Catalogue, push_id: str, unknown: UnknownPush) -> UnknownPush:
    """What to answer about a push that the release in use does not have: it may wait for the next.

    Args:
        unknown: the answer where the catalogue does not have it either, or cannot be read.
    """
    try:
        return unknown if catalogue.find("pushes", push_id) is None else WaitingPush()
    except LogUnavailable:
        return unknown


def _put(connection: Connection, given: Given, conditions: Conditions) -> Kept:
    current = _find(connection, given.kind, given.entry_id, None)
    conditions.check(current)
    text = canonical(given.row)
    digest = hashlib.sha256(text.encode()).hexdigest()
    if current is not None and current.digest == digest:
        return Kept(current, fresh=False)
    if current is not None and given.kind == "pushes":
        due = current.row["send_at"]
        if isinstance(due, datetime) and due <= given.changed_at:
            raise PushIsHistory
    number = 1 if current is None else current.number + 1
    send_at = given.row.get("send_at")
    connection.execute(
        insert(stored).values(
            kind=given.kind, entry_id=given.entry_id, version=number, digest=digest, row=text,
            send_at=iso(send_at) if isinstance(send_at, datetime) else None,
            changed_at=iso(given.changed_at), changed_by=given.changed_by, exported=False,
        )
    )  # fmt: skip
    made = Version(
        given.kind, given.entry_id, number, digest, given.row, given.changed_at, given.changed_by
    )
    return Kept(made, fresh=True)


def _find(connection: Connection, kind: Kind, entry_id: str, number: int | None) -> Version | None:
    asked = _newest(kind) if number is None else select(stored).where(stored.c.kind == kind)
    if number is not None:
        asked = asked.where(stored.c.version == number)
    row = connection.execute(asked.where(stored.c.entry_id == entry_id)).one_or_none()
    return None if row is None else _version(row)


def _newest(kind: Kind) -> Select[Any]:
    other = stored.alias()
    last = (
        select(func.max(other.c.version))
        .where(other.c.kind == kind, other.c.entry_id == stored.c.entry_id)
        .scalar_subquery()
    )
    return select(stored).where(stored.c.kind == kind, stored.c.version == last)


def _version(row: Row[Any]) -> Version:
    return Version(
        kind=row.kind,
        entry_id=row.entry_id,
        number=row.version,
        digest=row.digest,
        row=parse_row(contract_table(row.kind), json.loads(row.row)),
        changed_at=datetime.fromisoformat(row.changed_at),
        changed_by=row.changed_by,
    )
