"""The book of experiments in a scorer's log: draft, running, stopped, decided.

Every change is one transaction with its line in the audit trail, and asks for nothing where what
is wanted stands already: the same call again gives the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from sqlalchemy import Connection, select

from experiments.assignment import BUCKETS, Allocation, Range, Running, free_slots
from experiments.declaration import from_json, to_json
from experiments.design import Experiment
from experiments.errors import ExperimentError
from experiments.looks import planned
from serving.experiment_audit import Audited, Change, audited, write_down
from serving.experiment_entry import (
    Allocated,
    Decided,
    Entry,
    State,
    stored_entry,
)
from serving.experiment_errors import (
    DecidedOtherwise,
    ExperimentExists,
    LayerFull,
    PushTaken,
    UnknownExperiment,
    WrongState,
)
from serving.log import Log
from serving.scorer_error import ScorerError
from serving.tables import experiment_audit, experiments

T = TypeVar("T")
Step = Callable[[Connection, Entry], Entry]
_REFUSALS = (ScorerError, ExperimentError)


@dataclass(frozen=True, slots=True)
class Kept:
    """fresh: whether the call declared the experiment, or it stood there already."""

    entry: Entry
    fresh: bool


class Book:
    """The experiments of a scorer's log."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def create(self, experiment: Experiment, change: Change) -> Kept:
        """A draft. Declared again in the same words, whatever its state by now, it is as it was.

        Raises:
            ExperimentExists: its id is taken by one that was declared otherwise.
        """
        _check(experiment)

        def work(connection: Connection) -> Kept:
            there = _found(connection, experiment.experiment_id)
            change.conditions.check(there)
            if there is not None:
                if there.declared != experiment:
                    raise ExperimentExists
                return Kept(there, fresh=False)
            made = Entry(experiment, 1, "draft", change.at)
            connection.execute(experiments.insert(), [made.values()])
            write_down(connection, None, made, "created", change)
            return Kept(made, fresh=True)

        return self._write(work)

    def revise(self, experiment: Experiment, change: Change) -> Entry:
        """Declare a draft anew.

        Raises:
            UnknownExperiment, WrongState.
        """
        _check(experiment)

        def step(_: Connection, entry: Entry) -> Entry:
            if entry.declared == experiment:
                return entry
            _wants(entry, "draft")
            return replace(entry, declared=experiment)

        return self._change(experiment.experiment_id, "revised", change, step)

    def discard(self, experiment_id: str, change: Change) -> None:
        """Delete a draft, which never decided anything. Its trail stays.

        Raises:
            UnknownExperiment, WrongState.
        """

        def work(connection: Connection) -> None:
            entry = _found(connection, experiment_id)
            if entry is None:
                raise UnknownExperiment
            _wants(entry, "draft")
            change.conditions.check(entry)
            one = experiments.c.experiment_id == experiment_id
            connection.execute(experiments.delete().where(one))
            write_down(connection, entry, None, "discarded", change)

        self._write(work)

    def start(self, experiment_id: str, change: Change) -> Entry:
        """Take the buckets of its layer that are free, and decide from now on. See
        ``serving.lifecycle`` for what comes before.

        Raises:
            UnknownExperiment, WrongState, LayerFull.
            PushTaken: a running experiment of another layer decides one of its pushes.
        """

        def step(connection: Connection, entry: Entry) -> Entry:
            if entry.state == "running":
                return entry
            _wants(entry, "draft")
            # What a shadow experiment writes down takes no member from any other.
            shadow = entry.declared.mode == "shadow"
            live = [one for one in _running(connection) if one.declared.mode == "live"]
            others = [] if shadow else live
            _check_pushes(entry.declared, others)
            shares = _shares(entry)
            return replace(
                entry,
                state="running",
                started_at=change.at,
                slots=_slots(entry.declared, others),
                allocations=(Allocated(change.at, shares, Allocation.of(shares)),),
                looks=planned(entry.declared.analysis, change.at),
            )

        return self._change(experiment_id, "started", change, step)

    def share(self, experiment_id: str, shares: Mapping[str, float], change: Change) -> Entry:
        """Give arms other shares while it runs. Who was in the experiment stays in their arm.

        Raises:
            UnknownExperiment, WrongState.
            ExperimentError: shares of other arms, or that do not add up to 1.
        """

        def step(_: Connection, entry: Entry) -> Entry:
            _wants(entry, "running")
            now = _shares(entry)
            if now == shares:
                return entry
            # In the order of the arms, which the allocation goes by; strangers last, to be refused.
            wanted = {name: shares[name] for name in (*now, *shares) if name in shares}
            return entry.with_shares(wanted, change.at)

        return self._change(experiment_id, "shares_changed", change, step)

    def stop(self, experiment_id: str, change: Change) -> Entry:
        """Assign nobody any more; outcomes of those who were in it still count.

        Raises:
            UnknownExperiment, WrongState.
        """

        def step(_: Connection, entry: Entry) -> Entry:
            if entry.state == "stopped":
                return entry
            _wants(entry, "running")
            return replace(entry, state="stopped", stopped_at=change.at)

        return self._change(experiment_id, "stopped", change, step)

    def decide(self, experiment_id: str, decided: Decided, change: Change) -> Entry:
        """Say which arm goes on. See ``serving.lifecycle`` for what comes before and after.

        Raises:
            UnknownExperiment, WrongState.
            DecidedOtherwise: it was decided for another arm.
        """

        def step(_: Connection, entry: Entry) -> Entry:
            if entry.decision is not None:
                if entry.decision.arm != decided.arm:
                    raise DecidedOtherwise(entry.decision.arm)
                return entry
            _wants(entry, "stopped")
            return replace(entry, state="decided", decided_at=change.at, decision=decided)

        return self._change(experiment_id, "decided", change, step)

    def published(self, experiment_id: str, release: str, change: Change) -> Entry:
        """Write down that the winner's release was published. Only of one that was decided."""

        def step(_: Connection, entry: Entry) -> Entry:
            if entry.decision is None:
                raise WrongState(entry.state, "decided")
            return replace(entry, decision=replace(entry.decision, published=release))

        return self._change(experiment_id, "published", change, step)

    def find(self, experiment_id: str) -> Entry:
        """Raises ``UnknownExperiment``."""
        with self._log.reading() as connection:
            entry = _found(connection, experiment_id)
        if entry is None:
            raise UnknownExperiment
        return entry

    def page(self, after: str, most: int, states: Collection[State] = ()) -> list[Entry]:
        """By id, from the first behind ``after`` on. states: none for all."""
        asked = select(experiments).where(experiments.c.experiment_id > after)
        if states:
            asked = asked.where(experiments.c.state.in_(states))
        with self._log.reading() as connection:
            found = connection.execute(asked.order_by(experiments.c.experiment_id).limit(most))
            return [stored_entry(row) for row in found]

    def running(self) -> tuple[Running, ...]:
        """What decides now, oldest first."""
        with self._log.reading() as connection:
            return tuple(entry.running() for entry in _running(connection))

    def shadows(self) -> list[Entry]:
        """Shadow experiments that run, or ran and were not decided yet."""
        asked = select(experiments).where(experiments.c.state.in_(["running", "stopped"]))
        with self._log.reading() as connection:
            found = [stored_entry(row) for row in connection.execute(asked)]
        return [entry for entry in found if entry.declared.mode == "shadow"]

    def audit(self, experiment_id: str, after: int, most: int) -> list[Audited]:
        """Its changes in their order, from the first behind number ``after`` on."""
        asked = (
            select(experiment_audit)
            .where(experiment_audit.c.experiment_id == experiment_id)
            .where(experiment_audit.c.seq > after)
            .order_by(experiment_audit.c.seq)
            .limit(most)
        )
        with self._log.reading() as connection:
            return [audited(row) for row in connection.execute(asked)]

    def _change(self, experiment_id: str, action: str, change: Change, step: Step) -> Entry:
        def work(connection: Connection) -> Entry:
            entry = _found(connection, experiment_id)
            if entry is None:
                raise UnknownExperiment
            wanted = step(connection, entry)
            if wanted == entry:
                return entry
            # After the step: a call that comes again with the ETag of before asks for what stands.
            change.conditions.check(entry)
            made = replace(wanted, version=entry.version + 1)
            one = experiments.c.experiment_id == experiment_id
            connection.execute(experiments.update().where(one).values(**made.values()))
            write_down(connection, entry, made, action, change)
            return made

        return self._write(work)

    def _write(self, work: Callable[[Connection], T]) -> T:
        """A refusal is no fault of the transaction, which holds the writes of others too."""

        def careful(connection: Connection) -> T | ScorerError | ExperimentError:
            try:
                return work(connection)
            except _REFUSALS as refused:
                return refused

        done = self._log.write(careful)
        if isinstance(done, _REFUSALS):
            raise done
        return done


def _check(experiment: Experiment) -> None:
    """Raises ``ExperimentError`` on what could not be read again, or not be assigned."""
    from_json(to_json(experiment))
    Allocation.of({arm.name: arm.share for arm in experiment.arms})


def _wants(entry: Entry, state: State) -> None:
    if entry.state != state:
        raise WrongState(entry.state, state)


def _found(connection: Connection, experiment_id: str) -> Entry | None:
    asked = select(experiments).where(experiments.c.experiment_id == experiment_id)
    row = connection.execute(asked).one_or_none()
    return None if row is None else stored_entry(row)


def _running(connection: Connection) -> list[Entry]:
    asked = select(experiments).where(experiments.c.state == "running")
    asked = asked.order_by(experiments.c.started_at, experiments.c.experiment_id)
    return [stored_entry(row) for row in connection.execute(asked)]


def _shares(entry: Entry) -> dict[str, float]:
    return {arm.name: arm.share for arm in entry.experiment.arms}


def _check_pushes(wanted: Experiment, others: Iterable[Entry]) -> None:
    for other in others:
        theirs = other.declared
        both = not wanted.push_ids or not theirs.push_ids or {*wanted.push_ids} & {*theirs.push_ids}
        if both and theirs.layer != wanted.layer:
            raise PushTaken(theirs.experiment_id)


def _slots(wanted: Experiment, others: Iterable[Entry]) -> tuple[Range, ...]:
    taken = [other.slots for other in others if other.declared.layer == wanted.layer]
    left = BUCKETS - sum(stop - start for slots in taken for start, stop in slots)
    if left < round(wanted.traffic * BUCKETS):
        raise LayerFull(left / BUCKETS, wanted.traffic)
    return free_slots(taken, wanted.traffic)
