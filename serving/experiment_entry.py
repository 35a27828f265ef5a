"""One experiment as the log holds it: what was declared, and how far it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row

from experiments.assignment import Allocation, Range, Running
from experiments.declaration import from_json, to_json
from experiments.design import Experiment
from serving.moments import iso

State = Literal["draft", "running", "stopped", "decided"]


@dataclass(frozen=True, slots=True)
class Allocated:
    """Which buckets are whose, from a moment on. shares: as they were asked for, by arm."""

    since: datetime
    shares: Mapping[str, float]
    allocation: Allocation


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of an experiment.

    arm: that goes on. verdict: what the readout said then, as JSON; None where nobody read it.
    anyway: whether it was decided against the verdict, or without one. published: the release that
    was published for it; None where the arm is no release, or before it is done.
    """

    arm: str
    verdict: Mapping[str, Any] | None
    anyway: bool
    why: str
    by: str | None
    published: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "arm": self.arm,
            "verdict": None if self.verdict is None else dict(self.verdict),
            "anyway": self.anyway,
            "why": self.why,
            "by": self.by,
            "published": self.published,
        }


@dataclass(frozen=True, slots=True)
class Entry:
    """declared: as it was when it started. version: counts its changes from 1. slots: the buckets
    of its layer; none before it starts. allocations: oldest first, the first since the start.
    looks: when it is planned to be read."""

    declared: Experiment
    version: int
    state: State
    created_at: datetime
    slots: tuple[Range, ...] = ()
    allocations: tuple[Allocated, ...] = ()
    looks: tuple[datetime, ...] = ()
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    decided_at: datetime | None = None
    decision: Decided | None = None

    @property
    def experiment_id(self) -> str:
        return self.declared.experiment_id

    @property
    def experiment(self) -> Experiment:
        """With the shares of now."""
        if len(self.allocations) < 2:
            return self.declared
        shares = self.allocations[-1].shares
        arms = tuple(replace(arm, share=shares[arm.name]) for arm in self.declared.arms)
        return replace(self.declared, arms=arms)

    @property
    def etag(self) -> str:
        return f'"{self.version}"'

    def running(self) -> Running:
        """What assigns its members. Only of an entry that was started."""
        *before, now = self.allocations
        earlier = tuple((one.since, one.allocation) for one in before)
        since = now.since if before else None
        return Running(self.experiment, self.slots, now.allocation, earlier, since)

    def with_shares(self, shares: Mapping[str, float], since: datetime) -> Entry:
        """The same with other shares from ``since`` on, as few buckets moved as can be.

        Raises:
            ExperimentError: shares of other arms, or that do not add up to 1.
        """
        allocation = self.allocations[-1].allocation.changed(shares)
        changed = Allocated(since, dict(shares), allocation)
        return replace(self, allocations=(*self.allocations, changed))

    def facts(self) -> dict[str, Any]:
        """What a change is told by: every field of the declaration, and what became of it."""
        return {
            **to_json(self.experiment),
            "state": self.state,
            "slots": [list(one) for one in self.slots],
            "looks": [iso(one) for one in self.looks],
            "decision": None if self.decision is None else self.decision.to_json(),
        }

    def values(self) -> dict[str, Any]:
        """Of the columns of the table ``experiments``."""
        return {
            "experiment_id": self.experiment_id,
            "version": self.version,
            "state": self.state,
            "definition": json.dumps(to_json(self.declared)),
            "slots": json.dumps(self.slots),
            "allocations": json.dumps(
                [
                    {
                        "since": iso(one.since),
                        "shares": one.shares,
                        "runs": one.allocation.to_json(),
                    }
                    for one in self.allocations
                ]
            ),
            "looks": json.dumps([iso(one) for one in self.looks]),
            "created_at": iso(self.created_at),
            "started_at": _text(self.started_at),
            "stopped_at": _text(self.stopped_at),
            "decided_at": _text(self.decided_at),
            "decision": None if self.decision is None else json.dumps(self.decision.to_json()),
        }


def stored_entry(row: Row[Any]) -> Entry:
    """A row of the table ``experiments``."""
    return Entry(
        declared=from_json(json.loads(row.definition)),
        version=row.version,
        state=row.state,
        created_at=datetime.fromisoformat(row.created_at),
        slots=tuple((start, stop) for start, stop in json.loads(row.slots)),
        allocations=tuple(
            Allocated(
                datetime.fromisoformat(one["since"]),
                one["shares"],
                Allocation.from_json(tuple(one["shares"]), one["runs"]),
            )
            for one in json.loads(row.allocations)
        ),
        looks=tuple(datetime.fromisoformat(one) for one in json.loads(row.looks)),
        started_at=_moment(row.started_at),
        stopped_at=_moment(row.stopped_at),
        decided_at=_moment(row.decided_at),
        decision=None if row.decision is None else Decided(**json.loads(row.decision)),
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
