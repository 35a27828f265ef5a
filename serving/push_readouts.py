"""What a push changed, from the workspace's tables: read as the experiment that it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from experiments.assignment import Allocation
from experiments.design import Analysis, Arm, Experiment
from experiments.findings import ArmTotals, Contrast
from features.workspace import Workspace
from serving.experiment_entry import Allocated, Entry
from serving.readouts import Results, opened_tables, results_in

if TYPE_CHECKING:
    from features.push_experiment import PushTrial
    from features.tables import Tables

MOST_OFFERS = 20  # that are told one by one, those sent most often
_METRIC = {"margin": "gain", "revenue": "revenue", "conversions": "converted"}


@dataclass(frozen=True, slots=True)
class OfferResults:
    """Of one offer. chance: of every member; None where it was chosen for its members, and then
    contrast, against members held out, is None too."""

    offer_id: str
    chance: float | None
    totals: ArmTotals
    contrast: Contrast | None


@dataclass(frozen=True, slots=True)
class PushResults:
    """A push read out. results: members sent to against members held out."""

    trial: PushTrial
    results: Results
    offers: tuple[OfferResults, ...]


def read_push(workspace: Workspace, push_id: str, as_of: datetime) -> PushResults:
    """Read a push out as of a moment.

    The workspace's tables have to hold what the scorer logged: ``console.scorer_log``.

    Raises:
        PushTrialError: no such push, or nobody was left out of it by chance.
    """
    with opened_tables(workspace) as tables:
        trial, results = results_of(workspace, tables, push_id, as_of)
        return PushResults(trial, results, _offers(workspace, tables, trial, as_of))


def results_of(
    workspace: Workspace, tables: Tables, push_id: str, as_of: datetime
) -> tuple[PushTrial, Results]:
    """What the push was, and those sent to against those held out, from ``tables`` that are open.

    Raises:
        PushTrialError: no such push, or nobody was left out of it by chance.
    """
    from features.push_experiment import HELD, SENT, as_experiment, push_trial

    trial = push_trial(tables, push_id, as_of)
    arms = (Arm(SENT, 1 - trial.share, "champion"), Arm(HELD, trial.share, "holdout"))
    entry = _entry(trial, arms, HELD)
    return trial, results_in(workspace, as_experiment(tables, trial), entry, as_of)


def _offers(
    workspace: Workspace, tables: Tables, trial: PushTrial, as_of: datetime
) -> tuple[OfferResults, ...]:
    from features.push_experiment import HELD, by_offer

    told = replace(trial, offers=trial.offers[:MOST_OFFERS])
    if not told.offers:
        return ()
    chances = dict(zip(trial.offers, trial.drawn, strict=True)) if trial.drawn else {}
    # Without a draw there are no shares to compare with: the arms are only counted.
    weights = {told.arms[one]: chances.get(one, 1.0) for one in told.offers} | {HELD: trial.share}
    whole = sum(weights.values())
    arms = tuple(
        Arm(name, weight / whole, "holdout" if name == HELD else "champion")
        for name, weight in weights.items()
    )
    read = results_in(workspace, by_offer(tables, told), _entry(trial, arms, HELD), as_of).readout
    totals = {one.arm: one for one in read.arms}
    return tuple(
        OfferResults(
            offer_id=offer,
            chance=chances.get(offer),
            totals=totals[arm],
            contrast=read.contrast(arm, HELD) if chances else None,
        )
        for offer, arm in told.arms.items()
    )


def _entry(trial: PushTrial, arms: tuple[Arm, ...], control: str) -> Entry:
    """An experiment that began with the push and is read once, when its window has passed."""
    from features.push_experiment import NAME

    experiment = Experiment(
        NAME,
        arms,
        control,
        analysis=Analysis(
            metric=_METRIC[trial.objective],
            window_days=trial.window_days,
            days=trial.window_days,
        ),
    )
    shares: Mapping[str, float] = {arm.name: arm.share for arm in arms}
    since = trial.first
    return Entry(
        declared=experiment,
        version=1,
        state="stopped",
        created_at=since,
        allocations=(Allocated(since, shares, Allocation.of(shares)),),
        started_at=since,
    )
