"""From what was read out to what a page is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from dashboard.experiment_report import ExperimentReport
from dashboard.push_report import PushReport
from experiments.findings import plain
from serving.push_promise import Logged

if TYPE_CHECKING:
    from serving.experiment_entry import Entry
    from serving.push_readouts import OfferResults, PushResults
    from serving.readouts import Results


def curve_moments(entry: Entry, as_of: datetime, most: int) -> tuple[datetime, ...]:
    """Moments before ``as_of`` at which a curve is read: every planned look, and between the start
    and the end of the last window ``most`` equally far apart. None before the start."""
    if entry.started_at is None:
        return ()
    analysis = entry.declared.analysis
    window = timedelta(days=analysis.window_days)
    stopped = entry.stopped_at or entry.started_at + timedelta(days=analysis.days)
    end = as_of if entry.state == "running" else min(as_of, stopped + window)
    step = (end - entry.started_at) / max(most, 1)
    between = [entry.started_at + number * step for number in range(1, most + 1)]
    found = {moment for moment in (*entry.looks, *between) if entry.started_at < moment < as_of}
    return tuple(sorted(found))


def experiment_report(found: Results) -> ExperimentReport:
    """Of an experiment that was read out."""
    results = found.to_json()
    started_at = found.entry.started_at
    arms = [arm.name for arm in found.entry.declared.arms]
    return ExperimentReport(
        experiment=found.entry.experiment,
        state=found.entry.state,
        started_at=found.readout.as_of if started_at is None else started_at,
        results=results,
        history=(*(one.to_json() for one in found.history), results),
        funnel={arm: found.funnel[arm] for arm in arms if arm in found.funnel},
    )


def push_report(
    found: PushResults,
    planned: Mapping[str, Any] | None = None,
    logged: Logged | None = None,
    frontier: Mapping[str, Any] | None = None,
) -> PushReport:
    """Of a push that was read out, beside what was promised of it: see ``PushReport``."""
    from features.push_experiment import HELD, SENT

    trial = found.trial
    funnel = {arm: stages for arm, stages in found.results.funnel.items() if arm == SENT}
    return PushReport(
        push={**asdict(trial), "first": trial.first.isoformat()},
        arm=SENT,
        control=HELD,
        results=found.results.readout.to_json(),
        funnel=funnel,
        offers=tuple(_offer(one) for one in found.offers),
        planned=planned,
        logged=None if logged is None else logged.to_json(),
        frontier=frontier,
    )


def _offer(one: OfferResults) -> Mapping[str, Any]:
    found: Mapping[str, Any] = plain(one)
    return found
