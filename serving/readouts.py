"""What an experiment shows, from the workspace's tables: for the API, the command and the report.

A readout is a function of what was known before its moment: made again later, or as of a planned
look that is past, it says the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from experiments.assignment import Allocation
from experiments.cells import COVARIATES, NAMES, Cell, Cells, Exposure
from experiments.design import MONEY_METRICS, Analysis
from experiments.errors import ExperimentError
from experiments.findings import Readout
from experiments.looks import Look, look_at
from experiments.moments import Moments
from experiments.readout import readout
from experiments.standing import standing
from features.workspace import Workspace
from serving.experiment_entry import Allocated, Entry
from serving.experiment_errors import WrongState

if TYPE_CHECKING:
    from features.experiment_moments import Group
    from features.exposures import Counting
    from features.tables import Tables

Funnel = Mapping[str, Mapping[str, int]]
_CELL = ("arm", "epoch", "lifecycle", "value_tier", "complete")


@dataclass(frozen=True, slots=True)
class Results:
    """An experiment read out.

    readout: as of the moment asked for. at_look: as of the newest planned look that had come by
    then, which decides; the readout itself at a look, None before the first. After the last planned
    look its verdict stands in ``readout`` too.
    history: as of earlier moments, oldest first.
    funnel: of each arm, members by stage: assigned, sent, delivered, opened, clicked, converted.
    """

    entry: Entry
    readout: Readout
    at_look: Readout | None
    history: tuple[Readout, ...]
    funnel: Funnel

    def to_json(self) -> dict[str, Any]:
        """The readout's document, with where the experiment stands and what the last look said."""
        look = None
        if self.at_look is not None:
            told = self.at_look.to_json()
            look = {name: told[name] for name in ("as_of", "look", "verdict")}
        return {
            **self.readout.to_json(),
            "state": self.entry.state,
            "version": self.entry.version,
            "started_at": _text(self.entry.started_at),
            "stopped_at": _text(self.entry.stopped_at),
            "at_look": look,
            "funnel": {arm: dict(stages) for arm, stages in self.funnel.items()},
        }


def read_results(
    workspace: Workspace, entry: Entry, as_of: datetime, history: Sequence[datetime] = ()
) -> Results:
    """Read an experiment out as of a moment, and of others before it.

    The workspace's tables have to hold what the scorer logged: ``console.scorer_log``.

    Raises:
        WrongState: it is a draft.
        ExperimentError: it had not started by then; or a shadow experiment, whose arms have no
            members of their own.
    """
    if entry.started_at is None:
        raise WrongState(entry.state, "running")
    if as_of <= entry.started_at:
        raise ExperimentError(
            f"experiment {entry.experiment_id} had not started by {as_of:%Y-%m-%d %H:%M} UTC; it "
            f"started on {entry.started_at:%Y-%m-%d at %H:%M} UTC"
        )
    with opened_tables(workspace) as tables:
        return results_in(workspace, tables, entry, as_of, history)


def results_in(
    workspace: Workspace,
    tables: Tables,
    entry: Entry,
    as_of: datetime,
    history: Sequence[datetime] = (),
) -> Results:
    """The same from ``tables`` that are open."""
    look = _look(entry, as_of)
    decides = as_of if look.due else look.moment
    moments = {*history, as_of} | ({decides} if decides else set())
    source = _Source(workspace, tables, entry.experiment_id, entry.declared.analysis)
    if len(moments) > 2:
        source = source.narrowed(max(moments))
    found = {at: _read(source, entry, at) for at in sorted(moments)}
    at_look = None if decides is None else found[decides][0]
    told = {at: _with_verdict(one, at_look) for at, (one, _) in found.items()}
    return Results(
        entry=entry,
        readout=told[as_of],
        at_look=at_look,
        history=tuple(told[at] for at in sorted(history)),
        funnel=found[as_of][1],
    )


@contextmanager
def opened_tables(workspace: Workspace) -> Iterator[Tables]:
    """The tables on a DuckDB of their own, whatever the workspace's engine."""
    from features.tables import connect, open_tables

    tables = open_tables(workspace, connect(workspace))
    try:
        yield tables
    finally:
        tables.close()


@dataclass(frozen=True, slots=True)
class _Source:
    workspace: Workspace
    tables: Tables
    experiment_id: str
    analysis: Analysis

    def counting(self, as_of: datetime, changed_at: Iterable[datetime] = ()) -> Counting:
        from features.exposures import Counting

        analysis = self.analysis
        return Counting(
            experiment_id=self.experiment_id,
            as_of=as_of,
            window_days=analysis.window_days,
            before_days=analysis.before_days,
            metric=analysis.metric,
            covariate=COVARIATES[analysis.metric][0],
            cap=analysis.cap if analysis.metric in MONEY_METRICS else None,
            changed_at=tuple(changed_at),
            margin_rate=self.workspace.conventions.default_margin_rate,
        )

    def narrowed(self, as_of: datetime) -> _Source:
        from features.experiment_tables import of_members
        from features.exposures import exposures

        keep = self.tables.engine.keep
        exposed = keep("everybody", exposures(self.tables, self.counting(as_of)))
        tables = of_members(self.tables, exposed, keep)
        return _Source(self.workspace, tables, self.experiment_id, self.analysis)

    def groups(self, counting: Counting) -> tuple[list[Group], Exposure, Funnel]:
        from features.experiment_moments import funnels, grouped_moments, spans
        from features.experiment_outcomes import members_outcomes
        from features.experiment_segments import with_segments
        from features.exposures import exposures

        keep = self.tables.engine.keep
        exposed = exposures(self.tables, counting)
        exposed = keep("exposed", with_segments(self.workspace, self.tables.engine, exposed))
        members = keep("members", members_outcomes(self.tables, exposed, counting, keep))
        groups = grouped_moments(members, _CELL, NAMES)
        return groups, Exposure(*spans(members)), funnels(members)


def _read(source: _Source, entry: Entry, as_of: datetime) -> tuple[Readout, Funnel]:
    allocations = [one for one in entry.allocations if one.since <= as_of]
    changes = [one.since for one in allocations[1:]]
    groups, exposure, funnel = source.groups(source.counting(as_of, changes))
    cells = Cells(
        as_of=as_of,
        shares=tuple(_shares(one) for one in allocations),
        cells=tuple(_cell(group) for group in groups),
        exposure=exposure,
    )
    return readout(entry.declared, cells, _look(entry, as_of)), funnel


def _cell(group: Group) -> Cell:
    arm, epoch, lifecycle, value_tier, complete = group.key
    moments = Moments(NAMES, group.count, group.mean, group.comoment)
    return Cell(arm, epoch, lifecycle, value_tier, complete, moments)


def _shares(allocated: Allocated) -> dict[str, float]:
    allocation: Allocation = allocated.allocation
    return {name: allocation.share(name) for name in allocation.names}


def _look(entry: Entry, as_of: datetime) -> Look:
    if entry.started_at is None:
        raise WrongState("draft", "running")
    look = look_at(entry.declared.analysis, entry.started_at, as_of, entry.stopped_at)
    over = bool(entry.looks) and look.moment == entry.looks[-1] < as_of
    return replace(look, due=False) if over else look


def _with_verdict(one: Readout, at_look: Readout | None) -> Readout:
    """After the last planned look, that look's verdict."""
    over = one.look.number > 0 and one.look.last and not one.look.due
    return one if at_look is None or not over else standing(one, at_look)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
