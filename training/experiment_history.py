"""What members did before an experiment, read like one: what the plan of it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import ibis
import numpy as np
from ibis import _
from numpy.typing import NDArray

from experiments.cells import COVARIATES
from experiments.design import SHARE_METRICS, Analysis
from experiments.moments import Moments
from experiments.power import Baseline
from features.moments import moment as in_utc
from features.moments import seen_at
from features.tables import Tables, opened
from features.workspace import Workspace
from training.earnings import earnings
from training.errors import TrainingError
from training.frames import members_since

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

_BEFORE = COVARIATES["judged"]  # what a readout adjusts the deciding metric by
TRAFFIC_DAYS = 28  # over which members that come into decisions are counted
STEADY_DAYS = 7  # with decisions on so many of them, members come day by day
_TIES = 1e-10  # covariates that tell the same beyond this are one
_MOST = 0.998  # of the variance that the past can be believed to explain
_BATCH = 100_000  # members in memory at a time


@dataclass(frozen=True, slots=True)
class History:
    """Members as known at ``start``, what they did until ``end``, and before ``start``.

    moments: of the metric, of the same over the period before, and of whether there was a purchase
        before; one value a member.
    per_day: members that were decided for the first time in the last ``TRAFFIC_DAYS`` days, a day;
        None where decisions came on fewer than ``STEADY_DAYS`` of them.
    """

    start: datetime
    end: datetime
    metric: str
    moments: Moments
    per_day: float | None

    @property
    def correlation(self) -> float:
        """Of the metric with what the period before says of it best (multiple correlation)."""
        spread = np.diag(self.moments.comoment)
        scale = np.sqrt(np.where(spread > 0, spread, 1.0))
        related = self.moments.comoment / np.outer(scale, scale)
        among = np.linalg.pinv(related[1:, 1:], rcond=_TIES, hermitian=True)
        explained = float(related[0, 1:] @ among @ related[0, 1:])
        return float(np.sqrt(min(max(explained, 0.0), _MOST)))

    def baseline(self, traffic: float = 1.0, per_day: float | None = None) -> Baseline:
        """What an experiment that takes a share ``traffic`` of the members starts from.

        per_day: members that come into it a day; None: all at once.
        """
        return Baseline(
            mean=self.moments.mean_of(self.metric),
            variance=self.moments.variance(self.metric),
            members=int(self.moments.count * traffic),
            share=self.metric in SHARE_METRICS,
            correlation=self.correlation,
            per_day=None if per_day is None else per_day * traffic,
        )


def member_history(
    workspace: Workspace,
    as_of: datetime,
    analysis: Analysis,
    members: NDArray[np.str_] | None = None,
) -> History:
    """The window of ``analysis`` that ends at ``as_of``, and the period before it.

    ``gain`` is the margin: what contacts and coupons cost shows in no history. Conversion is a
    purchase. The cap holds for the metric, then and before.

    Args:
        members: only these of those who were known when the window began; None: all of them.

    Raises:
        TrainingError: fewer than two members, or no purchase in the window.
    """
    as_of = in_utc(as_of)
    start = as_of - timedelta(days=analysis.window_days)
    metric = "margin" if analysis.metric == "gain" else analysis.metric
    rate = workspace.conventions.default_margin_rate
    with opened(workspace) as tables:
        before = start - timedelta(days=analysis.before_days)
        rows = _rows(tables, before, start, as_of, rate, metric)
        batches = rows.to_pyarrow().to_batches(max_chunksize=_BATCH)
        found = (_moments(batch, metric, analysis.cap, members) for batch in batches)
        moments = Moments.total((metric, *_BEFORE), found)
        per_day = exposed_per_day(tables, as_of)
    if moments.count < 2:
        raise TrainingError(
            f"{moments.count} members were known by {start:%Y-%m-%d} and may be in it, wanted at "
            "least 2; ingest more history, give a later --as-of, or let more members in"
        )
    return History(start, as_of, metric, moments, per_day)


def exposed_per_day(tables: Tables, as_of: datetime) -> float | None:
    """Members decided for the first time in the last ``TRAFFIC_DAYS`` days, a day.

    None where decisions came on fewer than ``STEADY_DAYS`` of the days: then pushes come one by
    one, each to everybody at once.
    """
    since = ibis.literal(as_of - timedelta(days=TRAFFIC_DAYS))
    decisions = tables.decisions
    recent = decisions.filter(
        decisions.decided_at >= since, seen_at(decisions, "decided_at") < ibis.literal(as_of)
    )
    counted = recent.agg(
        days=recent.decided_at.date().nunique(), members=recent.member_id.nunique()
    ).execute()
    days, members = (int(counted[name].iloc[0]) for name in ("days", "members"))
    return members / TRAFFIC_DAYS if days >= STEADY_DAYS else None


def _rows(
    tables: Tables,
    before: datetime,
    start: datetime,
    end: datetime,
    rate: float,
    metric: str,
) -> ir.Table:
    """One row per member known by ``start``: ``member_id``, the metric, and what was before."""
    lines = earnings(tables, end, rate).filter(_.occurred_at >= ibis.literal(before))
    inside = lines.occurred_at >= ibis.literal(start)
    before_judged, before_converted = _BEFORE
    did = lines.group_by("member_id").agg(
        **{
            metric: _measured(lines, metric, inside),
            before_judged: _measured(lines, metric, ~inside),
            before_converted: _measured(lines, "converted", ~inside),
        }
    )
    known = members_since(tables)
    known = known.filter(known.since < ibis.literal(start))
    joined = known.left_join(did, "member_id")
    return joined.select(
        "member_id",
        **{name: joined[name].fill_null(0.0) for name in (metric, *_BEFORE)},
    )


def _measured(lines: ir.Table, measure: str, where: ir.BooleanValue) -> ir.FloatingValue:
    """Money of the lines, or 1 where one of them is a purchase; null where there is none."""
    if measure == "converted":
        found: ir.FloatingValue = lines.bought.cast("float64").max(where=where)
    else:
        found = lines[measure].cast("float64").sum(where=where)
    return found


def _moments(
    batch: pa.RecordBatch, metric: str, cap: float | None, members: NDArray[np.str_] | None
) -> Moments:
    values = np.column_stack(
        [batch.column(name).to_numpy(zero_copy_only=False) for name in (metric, *_BEFORE)]
    )
    if cap is not None:
        values[:, :2] = values[:, :2].clip(-cap, cap)
    if members is not None:
        ids = np.asarray(batch.column("member_id").to_pylist(), dtype=np.str_)
        values = values[np.isin(ids, members)]
    return Moments.of((metric, *_BEFORE), values)
