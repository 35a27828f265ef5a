"""Who opens and who clicks: decisions that were sent, and what was heard of them in time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import ibis
import numpy as np
from ibis import _
from numpy.typing import NDArray

from features.build import build_features
from features.encode import encode, encoding
from features.feature_moments import feature_moments
from features.moments import moment as in_utc
from features.moments import seen_at
from features.progress import Progress
from features.store import training_frame
from features.tables import Tables, opened
from features.workspace import Workspace
from training.errors import TrainingError
from training.evaluation.baselines import column_rank
from training.frames import SERVICE, LabelledRows, Split
from training.outcomes import Outcome, Period
from training.propensity_measure import Rankings

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

ATTRIBUTION_DAYS = 14.0  # of a push that names none
MOST_DECISIONS = 400_000
_LATER = 0.2  # share of the sent decisions, latest first, that is measured on; then calibrated on


def reaction_rows(
    workspace: Workspace, period: Period, reactions: tuple[str, ...], progress: Progress
) -> Split:
    """Decisions that were sent, with features as of their moment: was one of ``reactions`` heard?

    In time is within the push's attribution window, and within the horizon. A decision with an
    outcome ``failed`` reached nobody and is left out. Pushes are split by time, and apart by the
    length of a window: what a model is trained on had ended when the next part began.

    Raises:
        TrainingError: no decision sent whose window has closed, or too few pushes to split.
        FeatureError: features cannot be built.
    """
    period = replace(period, as_of=in_utc(period.as_of))
    with opened(workspace) as tables:
        frame = _sent(tables, period, reactions).execute()
    if frame.empty:
        raise TrainingError(
            f"no sent decision whose window closed before {period.as_of:%Y-%m-%d}; "
            "ingest decisions and outcomes of past pushes first"
        )
    if not frame["heard"].any():
        raise TrainingError(
            f"none of {len(frame)} sent decisions has an outcome {' or '.join(reactions)}; "
            "report them as outcomes"
        )
    frame = frame.sort_values(["as_of", "member_id", "decision_id"], ignore_index=True)
    at = frame["as_of"].dt.tz_convert(UTC).dt.tz_localize(None).to_numpy("datetime64[us]")
    parts = parts_by_time(at, frame["until"].to_numpy("datetime64[us]"))
    moments = feature_moments(frame["as_of"])
    build_features(workspace, moments, progress)
    rows = _labelled(workspace, frame, at)
    return Split(
        train=rows.where(parts.train),
        calibrate=rows.where(parts.calibrate),
        test=rows.where(parts.test),
        measured_from=_utc(at[parts.test].min()),
        closed=period.as_of,
        feature_moments=tuple(moments),
    )


@dataclass(frozen=True, slots=True)
class Parts:
    """Which of n rows are trained on, calibrated on and measured on; the rest are none of them."""

    train: NDArray[np.bool_]
    calibrate: NDArray[np.bool_]
    test: NDArray[np.bool_]


def parts_by_time(at: NDArray[np.datetime64], until: NDArray[np.datetime64]) -> Parts:
    """The latest fifth of the rows to measure on, a fifth of those that had ended by then to
    calibrate on, and what had ended where those begin to train on. Rows of one moment stay
    together.

    Args:
        at, until: (n,) when each was decided, and when its window ended.

    Raises:
        TrainingError: a part is empty.
    """
    test = _latest(at, np.ones(len(at), dtype=bool))
    known = until <= at[test].min()
    calibrate = _latest(at, known) if known.any() else known
    train = until <= at[calibrate].min() if calibrate.any() else known
    if not train.any():
        pushes = len(np.unique(at))
        raise TrainingError(
            f"{pushes} moments of sending from {at.min()} to {at.max()} do not make three periods "
            "of which each begins after the windows of the one before have closed; ingest more "
            "pushes, or shorten the horizon"
        )
    return Parts(train, calibrate, test)


def _latest(at: NDArray[np.datetime64], among: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The rows ``among`` from the moment on after which a fifth of them were decided."""
    in_order = np.sort(at[among])
    first = in_order[int(np.ceil(len(in_order) * (1 - _LATER))) - 1]
    later = in_order[in_order > first]
    # All at the very end were decided at once: they are a fifth or more by themselves.
    return np.asarray(among & (at >= (later[0] if len(later) else first)))


def _labelled(
    workspace: Workspace, frame: pd.DataFrame, at: NDArray[np.datetime64]
) -> LabelledRows:
    rows = frame[["member_id", "as_of"]].copy()
    rows.insert(0, "row_id", np.arange(len(rows)))
    codes = encoding(workspace)
    return LabelledRows(
        codes.names,
        frozenset(codes.categories),
        frame["member_id"].to_numpy().astype(np.str_),
        at,
        encode(training_frame(workspace, SERVICE, rows), codes),
        frame["heard"].to_numpy(dtype=bool),
    )


def _sent(tables: Tables, period: Period, reactions: tuple[str, ...]) -> ir.Table:
    """One row per sent decision with a closed window: ``heard`` of in time or not."""
    moment = ibis.literal(period.as_of)
    pushes = tables.pushes.select("push_id", days=_.attribution_days.fill_null(ATTRIBUTION_DAYS))
    pushes = pushes.group_by("push_id").agg(days=_.days.max())
    window = ibis.least(_.days.fill_null(ATTRIBUTION_DAYS), float(period.horizon_days))
    known = seen_at(tables.decisions, "decided_at") < moment
    sent = tables.decisions.filter(_.offer_id.notnull(), known)
    sent = sent.left_join(pushes, "push_id").select(
        "decision_id", "push_id", "member_id", "decided_at",
        seconds=(window * 86_400).cast("int64"),
    )  # fmt: skip
    sent = sent.mutate(until=_.decided_at + _.seconds.as_interval("s")).filter(_.until <= moment)
    share = sent.count().execute() / MOST_DECISIONS
    if share > 1:  # whole members, the same every time
        sent = sent.filter(_.member_id.hash().abs() % 10_000 < int(10_000 / share))
    heard = _heard(tables, sent, period.as_of, reactions)
    joined = sent.left_join(heard, "decision_id")
    return joined.filter(~_.failed.fill_null(False)).select(
        "decision_id",
        "member_id",
        "until",
        as_of="decided_at",
        heard=_.heard.fill_null(False),
    )


def _heard(tables: Tables, sent: ir.Table, as_of: datetime, reactions: tuple[str, ...]) -> ir.Table:
    """Outcomes known at ``as_of``, by decision; one may name its decision, or member and push."""
    known = seen_at(tables.outcomes) < ibis.literal(as_of)
    outcomes = tables.outcomes.filter(known).select(
        "type", "occurred_at", named="decision_id", of_member="member_id", of_push="push_id"
    )
    by_id = outcomes.filter(_.named.notnull())
    by_pair = outcomes.filter(_.named.isnull())
    joined = ibis.union(
        by_id.join(sent, by_id.named == sent.decision_id),
        by_pair.join(
            sent, (by_pair.of_member == sent.member_id) & (by_pair.of_push == sent.push_id)
        ),
    )
    in_time = (joined.occurred_at >= joined.decided_at) & (joined.occurred_at < joined.until)
    return joined.group_by("decision_id").agg(
        heard=(joined["type"].isin(reactions) & in_time).any(),
        failed=(joined["type"] == "failed").any(),
    )


def _utc(moment: np.datetime64) -> datetime:
    found: datetime = moment.astype("datetime64[us]").item()
    return found.replace(tzinfo=UTC)


def reaction_rankings(rows: LabelledRows) -> Rankings:
    """By opens and by clicks of the last 30 days, and by the share of contacts not ignored."""
    contacts = np.maximum(np.nan_to_num(rows.column("contacts_30d")), 1.0)
    opens, clicks = rows.column("opens_30d"), rows.column("clicks_30d")
    return {
        "opens": column_rank(opens),
        "clicks": column_rank(clicks),
        "opens of contacts": column_rank((opens / contacts).astype(np.float32)),
        "ignored": -column_rank(rows.column("ignored_in_row")),
    }


_LIMITS = (
    "For an average push: it knows the member and the moment, not what the push says.",
    "Says who will react to a push, not who buys because of it.",
)
OPEN = Outcome(
    "propensity-open",
    "open",
    "How likely a member opens a push that is sent to them.",
    _LIMITS,
    # A click takes an open, also where a mail program hides it.
    lambda workspace, period, progress: reaction_rows(
        workspace, period, ("opened", "clicked"), progress
    ),
    reaction_rankings,
)
CLICK = Outcome(
    "propensity-click",
    "click",
    "How likely a member clicks on a push that is sent to them.",
    _LIMITS,
    lambda workspace, period, progress: reaction_rows(workspace, period, ("clicked",), progress),
    reaction_rankings,
)
