"""How things stand in the log: limits of pushes, audience jobs, erasures. Read for the metrics."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from sqlalchemy import Connection, func, select

from serving import tables
from serving.audiences import State
from serving.errors import LogUnavailable
from serving.log import Log
from serving.recent import Recent
from serving.scorer import Decider
from serving.telemetry import Telemetry
from serving.trials import ARMS

_EVERY = 10.0  # seconds: a scrape is no reason to read the log more often


@dataclass(frozen=True, slots=True)
class Standing:
    """used: share of the limit that is reserved or spent, by push and limit; limits only.
    jobs: audience jobs by state. erasures: how many are pending, and the Unix time when the oldest
    was asked for, 0 where none is."""

    used: Mapping[tuple[str, str], float]
    jobs: Mapping[str, int]
    erasures: tuple[int, float]


def standing(connection: Connection, pushes: Collection[str]) -> Standing:
    """As of now. Only of ``pushes``: the log remembers old ones for ever, and a metric must not."""
    row = tables.limits_used.c
    counted = select(row.push_id, row.name, row.reserved + row.spent, row.most)
    of_push = counted.where(row.most > 0, row.push_id.in_(pushes), ~row.name.startswith(ARMS))
    limits = connection.execute(of_push).all()
    job = tables.audiences.c
    found = connection.execute(select(job.state, func.count()).group_by(job.state)).all()
    states = dict.fromkeys(get_args(State), 0)
    erasure = tables.erasures.c
    pending = select(func.count(), func.min(erasure.asked_at)).where(erasure.state != "done")
    count, oldest = connection.execute(pending).one()
    return Standing(
        {(push_id, name): taken / most for push_id, name, taken, most in limits},
        states | {state: int(jobs) for state, jobs in found},
        (count, 0.0 if oldest is None else datetime.fromisoformat(oldest).timestamp()),
    )


class StandingGauges:
    """Brings the standing into the metrics, at most every ten seconds."""

    def __init__(self, log: Log, decider: Decider, telemetry: Telemetry) -> None:
        self._log = log
        self._decider = decider
        self._telemetry = telemetry
        self._read = Recent(self._bring, every=_EVERY)

    def refresh(self) -> None:
        """Returns within about half a second, also when the log's database hangs."""
        self._read.newest()

    def _bring(self) -> bool:
        try:
            with self._log.reading() as connection:
                found = standing(connection, self._decider.release.pushes)
        except LogUnavailable:
            return False
        self._telemetry.standing(found.used, found.jobs)
        self._telemetry.erasures(*found.erasures)
        return True
