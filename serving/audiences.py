"""Audiences that were asked for: jobs in the log, each worked on by one worker at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, select

from decisions.catalogue import Push
from serving import tables
from serving.errors import AudienceEnded, UnknownAudience
from serving.log import Log
from serving.moments import iso

State: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]
LEASE = timedelta(seconds=10)  # a worker that was not heard of for so long is gone
MOST_STARTS = 4  # a job that ends its worker so often is given up

_jobs = tables.audiences
_at = _jobs.c


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked: a push of the release, and what goes before its own limits.

    rule: members whom it picks are compared with; None for none.
    """

    push_id: str
    rule: str | None = None
    budget: float | None = None
    max_audience: int | None = None
    min_audience: int | None = None

    def push(self, pushes: Mapping[str, Push]) -> Push:
        """The push to plan. ``KeyError`` when it is not there."""
        names = ("budget", "max_audience", "min_audience")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return replace(pushes[self.push_id], **given)

    def digest(self, release: str) -> str:
        text = json.dumps([release, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Progress:
    """done of total in a stage; total is 0 where nothing is counted."""

    stage: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Audience:
    """A job as it stands. failure: ``detail`` and ``conflicts``; summary: see
    ``serving.audience_summary.Summary.to_json``."""

    audience_id: str
    release: str
    wanted: Wanted
    state: State
    progress: Progress
    failure: Mapping[str, Any] | None
    summary: Mapping[str, Any] | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Audiences:
    """The jobs in a scorer's log. All methods raise ``LogUnavailable``."""

    log: Log

    def ask(self, wanted: Wanted, release: str, at: datetime) -> Audience:
        """A job that waits; the earlier one where the same was asked of the same release, unless
        that failed or was cancelled."""
        digest = wanted.digest(release)
        row = {
            "audience_id": f"au_{uuid4().hex}",
            "digest": digest,
            "release": release,
            "asked": json.dumps(asdict(wanted)),
            "state": "queued",
            "stage": "waiting",
            "done": 0,
            "total": 0,
            "starts": 0,
            "created_at": iso(at),
            "updated_at": iso(at),
        }

        def work(connection: Connection) -> Audience:
            good = _at.state.in_(("queued", "running", "done"))
            asked = select(_jobs).where(_at.digest == digest, good).limit(1)
            earlier = connection.execute(asked).one_or_none()
            if earlier is not None:
                return _stored(earlier._mapping)
            connection.execute(_jobs.insert(), [row])
            return _found(connection, str(row["audience_id"]))

        return self.log.write(work)

    def find(self, audience_id: str) -> Audience:
        """Raises ``UnknownAudience``."""
        with self.log.reading() as connection:
            return _found(connection, audience_id)

    def of_push(self, push_id: str, most: int = 20) -> Sequence[Audience]:
        """The jobs of a push, the newest first."""
        # As ``ask`` writes it. LIKE of SQLite takes small letters for large ones too.
        begins = f'{{"push_id": {json.dumps(push_id)}, '
        asked = select(_jobs).where(_at.asked.startswith(begins, autoescape=True))
        found = list[Audience]()
        with self.log.reading() as connection:
            for row in connection.execute(asked.order_by(_at.seq.desc())):
                if row.asked.startswith(begins):
                    found.append(_stored(row._mapping))
                if len(found) == most:
                    break
        return found

    def cancel(self, audience_id: str, at: datetime) -> Audience:
        """Stop a job for good; its worker notices within a second.

        Raises:
            UnknownAudience: there is none.
            AudienceEnded: it is done or failed.
        """

        def work(connection: Connection) -> Audience:
            mine = _at.audience_id == audience_id
            going = _at.state.in_(("queued", "running"))
            _change(connection, [mine, going], at, state="cancelled", worker=None)
            return _found(connection, audience_id)

        found = self.log.write(work)
        if found.state != "cancelled":
            raise AudienceEnded(found.state)
        return found

    def due(self, release: str | None, at: datetime) -> bool:
        """Whether a worker has something to do now: see ``claim``."""
        with self.log.reading() as connection:
            return not _busy(connection, at) and bool(_waiting(connection, release, at))

    def claim(self, release: str | None, worker: str, at: datetime) -> Audience | None:
        """The oldest job, now ``worker``'s alone; None where nothing waits or another is at work.

        A job whose worker is gone starts again from the beginning.

        Args:
            release: take only jobs of this release; None: of any.
            worker: a name that is never used again.
        """

        def work(connection: Connection) -> Audience | None:
            if _busy(connection, at):
                return None
            for row in _waiting(connection, release, at):
                mine = [_at.audience_id == row.audience_id]
                if row.starts >= MOST_STARTS:
                    detail = f"its worker ended {row.starts} times before it was done"
                    failure = json.dumps({"detail": detail, "conflicts": []})
                    _change(connection, mine, at, state="failed", worker=None, failure=failure)
                    continue
                _change(
                    connection, mine, at, state="running", stage="loading", done=0, total=0,
                    starts=row.starts + 1, worker=worker, lease_until=iso(at + LEASE),
                )  # fmt: skip
                return _found(connection, row.audience_id)
            return None

        return self.log.write(work)

    def beat(self, worker: str, progress: Progress, at: datetime) -> bool:
        """Tell that ``worker`` lives and how far it is; whether its job is still its own."""
        return self._write(worker, at, lease_until=iso(at + LEASE), **asdict(progress))

    def give_back(self, worker: str, at: datetime, *, crashed: bool = False) -> bool:
        """Let the job of ``worker`` wait again; whether it had one."""
        starts = _at.starts if crashed else _at.starts - 1
        return self._write(worker, at, state="queued", stage="waiting", worker=None, starts=starts)

    def fail(self, worker: str, failure: Mapping[str, Any], at: datetime) -> bool:
        """End the job of ``worker``; whether it had one."""
        return self._write(worker, at, state="failed", worker=None, failure=json.dumps(failure))

    def finish(
        self, worker: str, summary: Mapping[str, Any], publish: Callable[[], None], at: datetime
    ) -> bool:
        """End the job of ``worker`` with what it found; whether it was still its own.

        Args:
            publish: moves the files into place. It runs only while the job is the worker's, and
                nobody else can take it meanwhile.
        """
        text = json.dumps(summary, allow_nan=False)

        def work(connection: Connection) -> bool:
            if not _change(connection, _held(worker), at, state="done", worker=None, summary=text):
                return False
            publish()
            return True

        return self.log.write(work)

    def start_again(self, successors: Mapping[str, str], at: datetime) -> None:
        """Let running jobs wait again, and those of releases that are gone be of their successors.

        Their workers notice within a second, and leave nothing behind.

        Args:
            successors: new release id by old.
        """

        def work(connection: Connection) -> None:
            going = _at.state.in_(("queued", "running"))
            running = [_at.state == "running"]
            _change(connection, running, at, state="queued", stage="waiting", worker=None)
            for old, new in successors.items():
                _change(connection, [_at.release == old, going], at, release=new)

        self.log.write(work)

    def lost(self, audience_id: str, at: datetime) -> None:
        """The files of a finished job are gone: asked for again, it is a new one."""
        detail = "its files held members who were erased; ask for it again"
        failure = json.dumps({"detail": detail, "conflicts": []})
        mine = [_at.audience_id == audience_id, _at.state == "done"]
        change = {"state": "failed", "failure": failure}
        self.log.write(lambda connection: _change(connection, mine, at, **change))

    def workers(self) -> frozenset[str]:
        """Who is at work."""
        with self.log.reading() as connection:
            at_work = connection.scalars(select(_at.worker).where(_at.state == "running"))
            return frozenset(one for one in at_work if one is not None)

    def has(self, worker: str) -> bool:
        """Whether ``worker`` has a job."""
        with self.log.reading() as connection:
            return connection.execute(select(_at.seq).where(*_held(worker))).first() is not None

    def _write(self, worker: str, at: datetime, /, **values: Any) -> bool:
        return self.log.write(lambda connection: _change(connection, _held(worker), at, **values))


def _held(worker: str) -> list[Any]:
    return [_at.worker == worker, _at.state == "running"]


def _change(connection: Connection, which: list[Any], at: datetime, **values: Any) -> bool:
    """Whether there was one to change."""
    changed = connection.execute(_jobs.update().where(*which).values(updated_at=iso(at), **values))
    return changed.rowcount > 0


def _busy(connection: Connection, at: datetime) -> bool:
    running = select(_at.seq).where(_at.state == "running", _at.lease_until > iso(at)).limit(1)
    return connection.execute(running).first() is not None


def _waiting(connection: Connection, release: str | None, at: datetime) -> list[Any]:
    """Jobs to be worked on, oldest first: those that wait, and those whose worker is gone."""
    gone = (_at.state == "running") & (_at.lease_until <= iso(at))
    asked = select(_at.audience_id, _at.starts).where((_at.state == "queued") | gone)
    if release is not None:
        asked = asked.where(_at.release == release)
    return list(connection.execute(asked.order_by(_at.seq)))


def _found(connection: Connection, audience_id: str) -> Audience:
    row = connection.execute(select(_jobs).where(_at.audience_id == audience_id)).one_or_none()
    if row is None:
        raise UnknownAudience
    return _stored(row._mapping)


def _stored(row: RowMapping) -> Audience:
    def content(name: str) -> Any:
        return None if row[name] is None else json.loads(row[name])

    return Audience(
        audience_id=row["audience_id"],
        release=row["release"],
        wanted=Wanted(**json.loads(row["asked"])),
        state=row["state"],
        progress=Progress(row["stage"], row["done"], row["total"]),
        failure=content("failure"),
        summary=content("summary"),
        created_at=datetime.fromisoformat(row["created_at"]),
        updated_at=datetime.fromisoformat(row["updated_at"]),
    )
