"""Evaluations of policies that were asked for: jobs in the log, carried out one after the other.

``pushwise evaluate pending``, which a scorer starts by itself, works on them: it reads the
workspace's tables and features, which a scorer does without.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, select, update

from serving.evaluation_errors import NoEvaluations, TooManyEvaluations, UnknownEvaluation
from serving.evaluation_schemas import EvaluationAsked, EvaluationState
from serving.log import Log
from serving.moments import iso
from serving.tables import evaluations as _jobs

MOST_STARTS = 3  # one that ends its worker so often is given up
MOST_WAITING = 20
CANCELLED = "it was cancelled"
_at = _jobs.c
_GIVEN_UP = f"its worker ended {MOST_STARTS} times before it was done"


def can_evaluate() -> bool:
    """Whether the features extra is installed. Imports nothing of it."""
    return all(find_spec(name) is not None for name in ("feast", "pandas", "duckdb"))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A job as it stands. failure: why there is no answer. report: see docs/offpolicy.md."""

    evaluation_id: str
    asked: EvaluationAsked
    state: EvaluationState
    failure: str | None
    report: Mapping[str, Any] | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Evaluations:
    """The jobs in a scorer's log. All methods raise ``LogUnavailable``."""

    log: Log

    def ask(self, asked: EvaluationAsked, at: datetime) -> Evaluation:
        """A job that waits; the earlier one where the same was asked and is not done yet.

        Raises:
            NoEvaluations: what reads past decisions is not installed here.
            TooManyEvaluations: enough wait already.
        """
        if not can_evaluate():
            raise NoEvaluations
        text = asked.model_dump_json()
        digest = hashlib.sha256(text.encode()).hexdigest()
        row = {
            "evaluation_id": f"ev_{uuid4().hex}",
            "digest": digest,
            "asked": text,
            "state": "queued",
            "starts": 0,
            "created_at": iso(at),
            "updated_at": iso(at),
        }

        def work(connection: Connection) -> Evaluation | None:
            waiting = select(_jobs).where(_at.state.in_(("queued", "running")))
            earlier = connection.execute(waiting).mappings().all()
            for one in earlier:
                if one["digest"] == digest:
                    return _stored(one)
            if len(earlier) >= MOST_WAITING:
                return None
            connection.execute(_jobs.insert(), [row])
            return _found(connection, str(row["evaluation_id"]))

        found = self.log.write(work)
        if found is None:
            raise TooManyEvaluations(MOST_WAITING)
        return found

    def find(self, evaluation_id: str) -> Evaluation:
        """Raises ``UnknownEvaluation``."""
        with self.log.reading() as connection:
            return _found(connection, evaluation_id)

    def newest(self, most: int = 20) -> Sequence[Evaluation]:
        """Newest first."""
        asked = select(_jobs).order_by(_at.seq.desc()).limit(most)
        with self.log.reading() as connection:
            return [_stored(row) for row in connection.execute(asked).mappings()]

    def cancel(self, evaluation_id: str, at: datetime) -> Evaluation:
        """It fails as cancelled, and whoever works on it stops; one that has ended stays as it is.

        Raises ``UnknownEvaluation``.
        """

        def work(connection: Connection) -> Evaluation:
            _found(connection, evaluation_id)
            _change(connection, evaluation_id, at, state="failed", failure=CANCELLED)
            return _found(connection, evaluation_id)

        return self.log.write(work)

    def wait(self) -> bool:
        """Whether there is something to do, or was when a worker ended."""
        going = select(_at.evaluation_id).where(_at.state.in_(("queued", "running"))).limit(1)
        with self.log.reading() as connection:
            return connection.execute(going).first() is not None

    def take(self, at: datetime) -> Evaluation | None:
        """The oldest job, now running; None where none waits.

        Only one worker may take jobs at a time: one that is running already has lost its worker,
        and starts again or is given up.
        """

        def work(connection: Connection) -> Evaluation | None:
            going = select(_jobs).where(_at.state.in_(("queued", "running")))
            for row in connection.execute(going.order_by(_at.seq)).mappings():
                mine = row["evaluation_id"]
                if row["starts"] >= MOST_STARTS:
                    _change(connection, mine, at, state="failed", failure=_GIVEN_UP)
                    continue
                _change(connection, mine, at, state="running", starts=row["starts"] + 1)
                return _found(connection, mine)
            return None

        return self.log.write(work)

    def finish(self, evaluation_id: str, report: Mapping[str, Any], at: datetime) -> None:
        """It is done, with what was found; one that was cancelled stays so."""
        text = json.dumps(report, allow_nan=False)
        self.log.write(
            lambda connection: _change(connection, evaluation_id, at, state="done", report=text)
        )

    def fail(self, evaluation_id: str, why: str, at: datetime) -> None:
        """It cannot be done."""
        self.log.write(
            lambda connection: _change(connection, evaluation_id, at, state="failed", failure=why)
        )


def _change(connection: Connection, evaluation_id: str, at: datetime, **values: Any) -> None:
    mine = update(_jobs).where(
        _at.evaluation_id == evaluation_id, _at.state.in_(("queued", "running"))
    )
    connection.execute(mine.values(updated_at=iso(at), **values))


def _found(connection: Connection, evaluation_id: str) -> Evaluation:
    asked = select(_jobs).where(_at.evaluation_id == evaluation_id)
    row = connection.execute(asked).mappings().one_or_none()
    if row is None:
        raise UnknownEvaluation
    return _stored(row)


def _stored(row: RowMapping) -> Evaluation:
    return Evaluation(
        row["evaluation_id"],
        EvaluationAsked.model_validate_json(row["asked"]),
        row["state"],
        row["failure"],
        None if row["report"] is None else json.loads(row["report"]),
        datetime.fromisoformat(row["created_at"]),
        datetime.fromisoformat(row["updated_at"]),
    )
