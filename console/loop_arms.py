"""A week's push decided for everybody by the scorer, each member in an arm of an experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from experiments.design import Experiment
    from features.workspace import Workspace
    from serving.release import Release
    from serving.schemas import Decision

NOT_ASKED = -2
BY = "loop"  # whom the audit trail names
_AT_ONCE = 1_000


@dataclass(frozen=True, eq=False)
class Decided:
    """arm: (n,) position among the experiment's arms. choice: (n,) position of the offer among the
    push's, -1 for none. Both ``NOT_ASKED`` of members whom nobody asked about."""

    arm: NDArray[np.int64]
    choice: NDArray[np.int64]

    def of(self, arm: int) -> NDArray[np.bool_]:
        """(n,) who is in an arm."""
        return np.asarray(self.arm == arm)


def decide_week(
    workspace: Workspace,
    experiment: Experiment,
    releases: Mapping[str, Release],
    members: Sequence[str],
    at: datetime,
) -> Decided:
    """Start ``experiment``, ask the scorer about ``members`` at ``at``, and ingest its log.

    Args:
        releases: of the arms that one decides; the first is the published one.
        members: "" for who is not asked about.
    """
    from console.scorer_log import take_scorer_log
    from serving.experiment_audit import Change
    from serving.experiments import Book
    from serving.log import Log
    from serving.scorer import Scorer
    from serving.trials import Trials
    from serving.watch import Fixed

    push_id, in_use = experiment.push_ids[0], next(iter(releases.values()))
    by_id = {release.versions.release: release for release in releases.values()}
    asked = [row for row, member in enumerate(members) if member]
    # In an order that has nothing to do with the members: limits may run out on the last ones.
    order = np.random.default_rng(len(asked)).permutation(asked).tolist()
    decisions: dict[str, Decision] = {}
    with closing(Log.of(workspace)) as log:
        book, change = Book(log), Change(at, BY)
        book.create(experiment, change)
        book.start(experiment.experiment_id, change)
        trials = Trials(book.running, by_id.__getitem__)
        trials.look()
        scorer = Scorer(Fixed(in_use), log, 0.0, trials)
        for start in range(0, len(order), _AT_ONCE):
            batch = [members[row] for row in order[start : start + _AT_ONCE]]
            decisions |= scorer.decide(push_id, dict.fromkeys(batch), at).decisions
    take_scorer_log(workspace)
    return _decided(experiment, in_use.pushes[push_id].offer_ids, decisions, members)


def _decided(
    experiment: Experiment,
    offers: Sequence[str],
    decisions: Mapping[str, Decision],
    members: Sequence[str],
) -> Decided:
    arms = {arm.name: place for place, arm in enumerate(experiment.arms)}
    columns: dict[str | None, int] = {None: -1}
    columns |= {offer: column for column, offer in enumerate(offers)}
    arm, choice = (np.full(len(members), NOT_ASKED) for _ in range(2))
    for row, member in enumerate(members):
        if member in decisions:
            made = decisions[member]
            arm[row], choice[row] = arms[made.experiment.arm], columns[made.offer_id]
    return Decided(arm, choice)
