"""The durable log: decisions, events and outcomes are on disk before they are acknowledged."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from pathlib import Path
from time import time_ns
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Select, bindparam, select
from sqlalchemy.exc import SQLAlchemyError

from decisions.pacing import Use
from features.contract import EVENTS, OUTCOMES
from features.tombstones import known_key
from features.workspace import Workspace
from serving import ledger, schema, tables, upsert, vectors
from serving.among import among
from serving.batches import Batch, Taken
from serving.database import Database, LogError
from serving.errors import LogUnavailable
from serving.forgotten import Forgotten
from serving.moments import iso
from serving.vectors import LoggedVector
from serving.writer import GroupCommit

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LoggedDecision:
    """One row of the log. Moments are ISO 8601 in UTC; ``candidates``, ``context``, ``answer``,
    ``terms`` and ``inputs`` are JSON text; ``answer`` is a ``serving.schemas.Decision``, ``terms``
    what it was made with (``decisions.pacing.Terms``), ``inputs`` what a replay needs; both None
    where an older scorer decided. ``experiment``: whose arm ``arm`` is; None outside one."""

    decision_id: str
    push_id: str
    channel: str
    member_id: str
    offer_id: str | None
    probability: float
    decided_at: str
    candidates: str
    arm: str
    policy: str
    release: str
    context: str | None
    answer: str
    terms: str | None = None
    inputs: str | None = None
    experiment: str | None = None


_FIELDS = tuple(one.name for one in fields(LoggedDecision))


def _values(decision: LoggedDecision) -> dict[str, Any]:
    return {name: getattr(decision, name) for name in _FIELDS}


@dataclass(frozen=True, slots=True)
class Claims:
    """What fresh decisions of a push take of its limits.

    most: of each limit, by its name. claims: by decision id; a decision without one takes nothing.
    at: the moment up to which reservations have expired.
    """

    most: Mapping[str, int]
    claims: Mapping[str, ledger.Claim]
    at: datetime


def nobody_watches(writes: int, seconds: float) -> None:
    """Report commits to nobody."""


class Log:
    """The database of one scorer. Several processes may open the same one.

    Args:
        place: the database, or the path of an SQLite file; a file is made on first use.
        wait: seconds a caller waits for its commit before it is told that the log is unavailable.
        observe: told of every commit: writes in it, seconds it took.
        keys: the folder of the key by which erased members are known.

    Raises:
        LogError: it cannot be opened for writing, or wants `pushwise log migrate` first.
    """

    def __init__(
        self,
        place: Database | Path,
        wait: float = 5.0,
        observe: Callable[[int, float], None] = nobody_watches,
        keys: Path | None = None,
    ) -> None:
        database = place if isinstance(place, Database) else Database.file(place)
        self._wait = wait
        self._reading, self._writing = database.readers(), database.writers()
        _open(database, self._writing)
        self._writer = GroupCommit(self._writing, observe)
        self._keys = keys
        self.forgotten = Forgotten(lambda: None if keys is None else known_key(keys))

    @classmethod
    def of(
        cls, workspace: Workspace, observe: Callable[[int, float], None] = nobody_watches
    ) -> Log:
        """The log of a workspace's scorer, wherever the setting ``database_url`` puts it."""
        return cls(Database.of(workspace), observe=observe, keys=workspace.keys)

    @property
    def keys(self) -> Path:
        """The folder of the key by which erased members are known.

        Raises:
            LogError: the log was opened without one.
        """
        if self._keys is None:
            raise LogError("this log was opened without the folder of its workspace's keys")
        return self._keys

    def close(self) -> None:
        self._writer.close()
        self._reading.dispose()
        self._writing.dispose()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees everything committed. Raises ``LogUnavailable``."""
        try:
            with self._reading.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise LogUnavailable from error

    def write(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` returned, once it is on disk. Raises ``LogUnavailable``."""
        try:
            return self._writer.write(work, self._wait)
        except (SQLAlchemyError, TimeoutError) as error:
            raise LogUnavailable from error

    def check_writable(self) -> None:
        """Write something and wait until it is on disk. Raises ``LogUnavailable``."""
        self.write(_heartbeat)

    def decided(self, push_id: str, members: Sequence[str]) -> dict[str, LoggedDecision]:
        """What was decided earlier, by member; members without a decision are left out."""
        with self.reading() as connection:
            return decided_by(connection, push_id, members)

    def decision(self, decision_id: str) -> LoggedDecision | None:
        with self.reading() as connection:
            asked = _all_decisions().where(tables.decisions.c.decision_id == decision_id)
            row = connection.execute(asked).one_or_none()
        return None if row is None else LoggedDecision(**row._mapping)

    def suppressed(self, members: Sequence[str]) -> frozenset[str]:
        """Those of ``members`` who must not be contacted: who said so, and who was erased."""
        with self.reading() as connection:
            listed = suppressed_of(connection, members)
            return listed | self.forgotten.among(connection, members)

    def erased(self, members: Iterable[str]) -> frozenset[str]:
        """Those of ``members`` who were erased."""
        with self.reading() as connection:
            return self.forgotten.among(connection, members)

    def all_suppressed(self) -> frozenset[str]:
        """Everybody who must not be contacted, for a plan."""
        with self.reading() as connection:
            return frozenset(connection.scalars(select(tables.suppressions.c.member_id)))

    def used(self, push_id: str, at: datetime) -> dict[str, Use]:
        """What the push has used of its limits, by their names; what expired is given back."""
        moment = iso(at)
        with self.reading() as connection:
            if not ledger.due(connection, push_id, moment):
                return ledger.used(connection, push_id)

        def work(connection: Connection) -> dict[str, Use]:
            ledger.expire(connection, push_id, moment)
            return ledger.used(connection, push_id)

        return self.write(work)

    def keep_decisions(
        self,
        fresh: Sequence[LoggedDecision],
        sample: Sequence[LoggedVector] = (),
        claims: Claims | None = None,
    ) -> dict[str, LoggedDecision]:
        """Write decisions of one push; what then stands in the log, by member.

        A member decided meanwhile keeps the earlier decision: it may have been answered already.
        A decision whose claim does not fit what is left is not written, and its member is left
        out: decide again with what is left. Nor is one whose member was erased meanwhile.

        Args:
            sample: vectors of some of ``fresh``, kept in the same commit where the decision stands.
            claims: None where nothing is to be reserved.
        """

        def work(connection: Connection) -> dict[str, LoggedDecision]:
            members = [decision.member_id for decision in fresh]
            earlier = decided_by(connection, fresh[0].push_id, members)
            known = earlier.keys() | self.forgotten.among_now(connection, members)
            new = [decision for decision in fresh if decision.member_id not in known]
            kept = _reserved(connection, new, claims) if claims else new
            if kept:
                connection.execute(tables.decisions.insert(), [_values(one) for one in kept])
            made = {decision.decision_id for decision in kept}
            vectors.keep(connection, [one for one in sample if one.decision_id in made])
            return earlier | {decision.member_id: decision for decision in kept}

        return self.write(work) if fresh else {}

    def keep_events(self, rows: Sequence[object], received_at: datetime) -> Taken:
        """Check rows of the contract's table ``events`` and write those that fit."""
        return self.write(self.events_taken(rows, received_at))

    def keep_outcomes(self, rows: Sequence[object], received_at: datetime) -> Taken:
        """The same for ``outcomes``; see ``outcomes_taken``."""
        return self.write(self.outcomes_taken(rows, received_at))

    def events_taken(
        self, rows: Sequence[object], received_at: datetime
    ) -> Callable[[Connection], Taken]:
        """Rows of the table ``events``, checked now; writes those that fit when it is called."""
        return Batch(EVENTS, tables.events, received_at, self.forgotten).taking(rows)

    def outcomes_taken(
        self, rows: Sequence[object], received_at: datetime
    ) -> Callable[[Connection], Taken]:
        """The same for ``outcomes``. Who unsubscribes is suppressed in the same transaction.

        A row that names a decision and another member or push than that decision's is refused
        (``decision_mismatch``); so is an unsubscription of nobody we can name
        (``unknown_decision``).
        """
        return Batch(OUTCOMES, tables.outcomes, received_at, self.forgotten).taking(rows)


def _open(database: Database, writing: Engine) -> None:
    try:
        if database.path is not None:
            database.path.parent.mkdir(parents=True, exist_ok=True)
        with writing.begin() as connection:
            schema.open_tables(database, connection)
    except LogError:
        writing.dispose()
        raise
    except OSError as error:
        raise LogError(f"{database}: {error.strerror}") from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise schema.cannot_open(database, error) from error


def _reserved(
    connection: Connection, new: Sequence[LoggedDecision], claims: Claims
) -> list[LoggedDecision]:
    """Those of ``new`` whose claims fit."""
    if not new:
        return []
    wanted = [claims.claims[one.decision_id] for one in new if one.decision_id in claims.claims]
    fit = ledger.reserve(connection, new[0].push_id, wanted, claims.most, iso(claims.at))
    return [one for one in new if one.decision_id in fit or one.decision_id not in claims.claims]


def _all_decisions() -> Select[Any]:
    return select(*(tables.decisions.c[name] for name in _FIELDS))


def decisions_after(
    connection: Connection, seq: int, most: int
) -> list[tuple[int, LoggedDecision]]:
    """At most ``most`` decisions behind number ``seq``, oldest first, each with its own."""
    made = tables.decisions.c
    asked = _all_decisions().add_columns(made.seq).where(made.seq > seq)
    found = connection.execute(asked.order_by(made.seq).limit(most))
    return [(row.seq, LoggedDecision(*row[:-1])) for row in found]


def decided_by(
    connection: Connection, push_id: str, members: Sequence[str]
) -> dict[str, LoggedDecision]:
    """What was decided of ``members`` in a push, by member."""
    asked = _decided_among(connection.dialect.name)
    found = connection.execute(asked, {"push": push_id, "members": members})
    return {row.member_id: LoggedDecision(*row) for row in found}


@cache
def _decided_among(dialect: str) -> Select[Any]:
    made = tables.decisions.c
    return _all_decisions().where(
        made.push_id == bindparam("push"), among(dialect, made.member_id, "members")
    )


def suppressed_of(connection: Connection, members: Sequence[str]) -> frozenset[str]:
    """Those of ``members`` who must not be contacted."""
    if not members:
        return frozenset()
    asked = _suppressed_among(connection.dialect.name)
    return frozenset(connection.scalars(asked, {"members": members}))


@cache
def _suppressed_among(dialect: str) -> Select[tuple[str]]:
    listed = tables.suppressions.c.member_id
    return select(listed).where(among(dialect, listed, "members"))


def _heartbeat(connection: Connection) -> None:
    moment = time_ns()  # always another number: SQLite skips writing what is there already
    beat = upsert.insert(connection, tables.exports).values(name="heartbeat", seq=moment)
    connection.execute(beat.on_conflict_do_update(index_elements=["name"], set_={"seq": moment}))
