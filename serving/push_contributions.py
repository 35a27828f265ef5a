"""What each push earned beyond the members held out of it, and what it cost, as a document."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from experiments.findings import plain
from features.progress import Progress, silent
from features.workspace import Workspace
from serving.push_readouts import results_of
from serving.readouts import Results, opened_tables

if TYPE_CHECKING:
    from features.push_experiment import PushTrial
    from features.tables import Tables

STAGE = "pushes"
MOST = 50  # pushes that are read out, those sent last
_COLUMNS = ("push_id", "campaign_id", "channel", "objective", "send_at")


def push_contributions(
    workspace: Workspace, as_of: datetime, progress: Progress = silent, most: int = MOST
) -> dict[str, Any]:
    """Each push sent before ``as_of``, the last one first, read as the experiment that it was.

    Never the revenue of those who redeemed: those sent to are compared with those held out.

    Returns:
        pushes: all that were sent. shown: of each of the last ``most``: ``push_id``,
        ``campaign_id``, ``channel``, ``objective``, ``send_at``, and either ``cannot_say``
        (``reason``, ``told``) or ``sent`` and ``held`` (members for whom that was left to chance),
        ``whole`` (the window of each of them is over), and per member assigned ``margin``,
        ``cost``, ``gain``, and ``total_gain`` of all of them, each an estimate with ``low`` and
        ``high`` or ``{reason, told}``.
    """
    with opened_tables(workspace) as tables:
        sent = list(_sent(tables, as_of))
        shown = []
        for place, push in enumerate(sent[:most]):
            progress(STAGE, place, min(len(sent), most))
            shown.append({**push, **_contribution(workspace, tables, push["push_id"], as_of)})
        progress(STAGE, len(shown), len(shown))
    return {"pushes": len(sent), "shown": shown}


def _sent(tables: Tables, as_of: datetime) -> Iterator[dict[str, Any]]:
    """The pushes that somebody was decided on for, by the newest of their sends."""
    decided = tables.decisions.filter(tables.decisions.decided_at < as_of)
    decided = decided.select("push_id").distinct()
    pushes = tables.pushes.semi_join(decided, "push_id").select(*_COLUMNS).distinct()
    rows = pushes.order_by(pushes.send_at.desc(), pushes.push_id).to_pyarrow().to_pylist()
    seen = set[str]()
    for row in rows:
        if row["push_id"] not in seen:  # a push may stand in the table in several versions
            seen.add(row["push_id"])
            yield {**row, "send_at": row["send_at"].isoformat()}


def _contribution(
    workspace: Workspace, tables: Tables, push_id: str, as_of: datetime
) -> dict[str, Any]:
    from features.push_experiment import PushTrialError

    try:
        trial, results = results_of(workspace, tables, push_id, as_of)
    except PushTrialError as error:
        return {"cannot_say": {"reason": "no_holdout", "told": str(error)}}
    if results.readout.srm.passed is False:
        told = "members are not split between the push and its holdout as chance would have it"
        return {"cannot_say": {"reason": "srm", "told": told}}
    return _figures(trial, results)


def _figures(trial: PushTrial, results: Results) -> dict[str, Any]:
    from features.push_experiment import HELD, SENT

    found: dict[str, Any] = plain(results.readout.contrast(SENT, HELD).incremental)
    return {
        "sent": trial.sent,
        "held": trial.held,
        "whole": all(arm.complete == arm.members for arm in results.readout.arms),
        **{name: found[name] for name in ("margin", "cost", "gain", "total_gain")},
    }
