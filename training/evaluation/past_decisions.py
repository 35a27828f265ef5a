"""Past decisions to evaluate a policy on: what was known, what was done, what followed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import ibis
import numpy as np
from numpy.typing import NDArray

from decisions.catalogue import Push
from experiments.nuisance import cross_fitted
from experiments.scores import Drawn, Scores, doubly_robust
from features.encode import encode, encoding
from features.encoding import Encoding
from features.feature_moments import feature_moments, moment_of
from features.progress import Progress, silent
from features.tables import Tables, opened
from features.workspace import Workspace
from training.catalogue import pushes_named
from training.decided_frame import decided_frame
from training.errors import TrainingError
from training.push_log import PushLog
from training.response_measure import earned

if TYPE_CHECKING:
    import pandas as pd

Objective = Literal["margin", "revenue", "conversions"]
MOST = 200_000  # decisions; of more, whole members are drawn
_MOST_PUSHES = 100  # of which the expectations tell the level of each apart


@dataclass(frozen=True, slots=True)
class Period:
    """Which decisions: those made from ``since`` up to ``until``, of ``push_ids``; None: of any."""

    since: datetime | None = None
    until: datetime | None = None
    push_ids: Collection[str] | None = None

    def among(self, log: PushLog) -> NDArray[np.bool_]:
        """(n,) whether each decision of ``log`` is one of them.

        Raises:
            TrainingError: a push has no decision in the log.
        """
        unknown = sorted(set(self.push_ids or ()) - set(log.push_ids))
        if unknown:
            raise TrainingError(
                f"push {unknown[0]!r} has no decision that chance had a part in and whose window "
                "has closed"
            )
        decided = log.rows["as_of"]
        inside = np.ones(len(log), dtype=bool)
        if self.since is not None:
            inside &= (decided >= self.since).to_numpy()
        if self.until is not None:
            inside &= (decided < self.until).to_numpy()
        if self.push_ids is not None:
            inside &= np.isin(np.array(log.push_ids)[log.push], list(self.push_ids))
        return inside


@dataclass(frozen=True, eq=False)
class PastDecisions:
    """n decisions with the features of their members at the time.

    frame: the features by name, point in time. encoding: of the workspace.
    moments, moment: as of which moment, (n,), each row's features are.
    pushes: by number in the log. shares: (pushes,) which part of a push's decisions is here.
    """

    log: PushLog
    frame: pd.DataFrame
    encoding: Encoding
    moments: tuple[datetime, ...]
    moment: NDArray[np.int64]
    pushes: tuple[Push, ...]
    shares: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.log)

    @cached_property
    def values(self) -> NDArray[np.float32]:
        """(n, features) as the workspace encodes them."""
        return encode(self.frame, self.encoding)

    @cached_property
    def member(self) -> NDArray[np.int64]:
        """(n,) a number for each decision's member."""
        ids = self.log.rows["member_id"].to_numpy(dtype=str)
        return np.unique(ids, return_inverse=True)[1].astype(np.int64)

    def drawn(self, objective: Objective) -> Drawn:
        """What was drawn, with the reward that ``objective`` counts."""
        log = self.log
        reward = {
            "margin": earned(log),
            "revenue": log.revenue,
            "conversions": log.converted,
        }[objective].astype(np.float64)
        candidates = log.candidates[log.push]
        return Drawn(reward, log.offer, log.probability, candidates, self.member)

    def scores(self, drawn: Drawn) -> Scores:
        """Doubly robust, around expectations fitted without the member's own rewards."""
        numbers = [
            at
            for at, name in enumerate(self.encoding.names)
            if name not in self.encoding.categories
        ]
        pushes = np.unique(self.log.push)[:_MOST_PUSHES]
        levels = self.log.push[:, None] == pushes
        features = np.column_stack([self.values[:, numbers], levels.astype(np.float32)])
        return doubly_robust(drawn, cross_fitted(drawn, features).matrix)


def past_decisions(
    workspace: Workspace, log: PushLog, inside: NDArray[np.bool_], progress: Progress = silent
) -> PastDecisions:
    """The decisions of ``log`` that are ``inside``, (n,), with their features.

    Raises:
        TrainingError: none is.
        FeatureError: features cannot be built.
    """
    if not inside.any():
        raise TrainingError(
            f"none of the {len(log):,} decisions that chance had a part in is among those asked "
            f"about; the last was made at {log.rows['as_of'].max().isoformat()}"
        )
    part = log.part(inside)
    frame = decided_frame(workspace, part, progress)
    with opened(workspace) as tables:
        pushes = pushes_named(tables, part.push_ids)
        counts = _drawn_decisions(tables, part.push_ids)
    moments = feature_moments(part.rows["as_of"])
    here = np.bincount(part.push, minlength=len(part.push_ids))
    there = np.array([counts.get(push_id, 0) for push_id in part.push_ids])
    return PastDecisions(
        log=part,
        frame=frame,
        encoding=encoding(workspace),
        moments=tuple(moments),
        moment=moment_of(part.rows["as_of"], moments),
        pushes=tuple(pushes[push_id] for push_id in part.push_ids),
        shares=here / np.maximum(np.maximum(there, here), 1),
    )


def _drawn_decisions(tables: Tables, push_ids: Collection[str]) -> dict[str, int]:
    """How many decisions of each push chance had a part in."""
    decisions = tables.decisions
    drawn = decisions.filter(decisions.push_id.isin(list(push_ids)), decisions.probability < 1)
    counted = drawn.group_by("push_id").agg(decisions=ibis._.count())
    return {row["push_id"]: row["decisions"] for row in counted.to_pyarrow().to_pylist()}
