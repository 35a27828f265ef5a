"""What monitors read of a workspace's tables, features and releases."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from features.encode import KEYS
from features.health import FeatureHealth
from features.insights.prepared import Prepared
from features.record import BuildRecord
from features.workspace import Workspace
from serving.monitors.calibrated import ASSIGNED, NAME, calibration
from serving.monitors.drift import FEATURES, Drifted, drift
from serving.monitors.freshness import Feed
from serving.monitors.log_parts import Happened, settled
from serving.monitors.result import Result, unsaid
from serving.monitors.thresholds import Thresholds

if TYPE_CHECKING:
    from serving.log import Log

_DECISIONS = 20_000  # whose outcomes are looked up
_SETTLED_DAYS = 90  # before now: decisions older than that tell of another time
_LATE = timedelta(days=1)  # by which events come in late, as a rule


def feeds_of(workspace: Workspace, now: datetime) -> list[Feed]:
    """Feeds, features and the published release, with the moment that each shows.

    Of decisions and outcomes the log counts too: they come into the tables with the next build.
    """
    from features.quality import feeds
    from serving.pointer import listed

    log = dict(_newest_in_log(workspace))
    found = [
        Feed(one.table, max((at for at in (one.newest, log.get(one.table)) if at), default=None))
        for one in feeds(workspace, now)
    ]
    built = BuildRecord.load(workspace).moments
    command = "run `pushwise features build`"
    found.append(Feed("features", max(built, default=None), command))
    served = [one.as_of for one in listed(workspace.releases) if one.current and one.as_of]
    moment = datetime.fromisoformat(served[0]) if served else None
    return [*found, Feed("release", moment, "build and publish a release")]


def pushes_over(workspace: Workspace) -> dict[str, datetime]:
    """When each push of the published release is over: its last send, or the end of the days in
    which purchases count as its outcome. Empty where no release can be read."""
    from decisions.catalogue import Push
    from decisions.errors import DecisionError
    from serving.pointer import current
    from serving.verify import ReleaseError

    try:
        folder = workspace.releases / (current(workspace.releases) or "")
        rows = json.loads((folder / "pushes.json").read_bytes())
        pushes = [Push.from_json(row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, DecisionError, ReleaseError):
        return {}
    return {
        one.push_id: max(one.send_until, one.send_at + timedelta(days=one.attribution_days))
        for one in pushes
    }


def _newest_in_log(workspace: Workspace) -> Iterator[tuple[str, datetime]]:
    from sqlalchemy import select

    from console.scorer_log import scorer_log
    from serving import tables

    moments = {"decisions": "decided_at", "events": "received_at", "outcomes": "received_at"}
    with scorer_log(workspace) as log:
        if log is None:
            return
        with log.reading() as connection:
            for name, moment in moments.items():
                table = getattr(tables, name)
                last = select(table.c[moment]).order_by(table.c.seq.desc()).limit(1)
                at = connection.scalar(last)
                if at is not None:
                    yield name, datetime.fromisoformat(at)


def drift_of_features(
    workspace: Workspace, before: Prepared | None, limits: Thresholds, now: datetime
) -> tuple[list[Result], dict[str, Any]]:
    """The features of members built last, beside those that the champion learned from.

    They are examined once a build: the second part is kept with the run, and ``before`` has that of
    the last run.
    """
    from console.quality_reference import reference_moments
    from features.errors import FeatureError

    built = sorted(BuildRecord.load(workspace).moments)
    if not built:
        return [unsaid(FEATURES, "no features are built", now)], {}
    try:
        reference = reference_moments(workspace, built[-1], built, [])
    except FeatureError as error:
        return [unsaid(FEATURES, str(error), now)], {}
    if not reference.moments:
        return [unsaid(FEATURES, "one moment is built: nothing to compare with", now)], {}
    key = [moment.isoformat() for moment in (built[-1], *reference.moments)]
    known = {} if before is None else before.document.get("features", {})
    if known.get("moments") == key:
        drifted = [Drifted(**one) for one in known["drifted"]]
    else:
        drifted = list(_examined(workspace, built[-1], reference.moments, reference.words))
    kept = {"moments": key, "drifted": [_written(one) for one in drifted]}
    return drift(FEATURES, drifted, limits, now), kept


def _examined(
    workspace: Workspace, moment: datetime, reference: tuple[datetime, ...], words: str
) -> Iterator[Drifted]:
    """Those of members: of items and offers there are few."""
    from features.quality import Limits, quality

    report = quality(workspace, moment, reference, Limits())
    for one in report.features:
        if one.view not in KEYS and one.psi is not None:
            yield _drifted(one, f"; beside {words}")


def _drifted(one: FeatureHealth, words: str) -> Drifted:
    # The reference may hold a member once a moment: it tells no more than the members now.
    before = min(one.rows_before, one.rows)
    return Drifted(one.subject, one.psi or 0.0, one.rows, before, one.bins, words)


def _written(one: Drifted) -> Mapping[str, Any]:
    return {
        "subject": one.subject, "index": one.index, "now": one.now, "before": one.before,
        "bins": one.bins, "words": one.words,
    }  # fmt: skip


def calibration_of(
    workspace: Workspace, log: Log, limits: Thresholds, now: datetime
) -> list[Result]:
    """Decisions of the log whose window had passed by the newest event, and what came of them."""
    found = settled(log, _happened(workspace, now))
    told = calibration(found, limits, now)
    missing = [
        Result(NAME, name, "cannot_say", "no such decision with an estimate has settled yet", now)
        for name in ASSIGNED
        if name not in found
    ]
    return [*told, *missing]


def _happened(workspace: Workspace, now: datetime) -> list[Happened]:
    """Where events stop coming in, nothing that came after them has settled: a window counts once
    it lies a day behind the newest event."""
    if not any((workspace.tables / "decisions").glob("*.parquet")):
        return []
    import ibis
    import numpy as np

    from features.push_outcomes import decided_with_outcomes
    from features.tables import opened

    with opened(workspace) as tables:
        events = tables.events.filter(tables.events.occurred_at < now)
        newest: datetime | None = events.occurred_at.max().to_pyarrow().as_py()
        if newest is None:
            return []
        until = newest - _LATE
        since = ibis.literal(until - timedelta(days=_SETTLED_DAYS))
        lately = tables.decisions.filter(tables.decisions.decided_at >= since)
        rate = workspace.conventions.default_margin_rate
        table = decided_with_outcomes(replace(tables, decisions=lately), until, _DECISIONS, rate)
        frame = table.select("decision_id", "member_id", "converted").to_pyarrow().to_pydict()
    _, numbers = np.unique(np.array(frame["member_id"], dtype=np.str_), return_inverse=True)
    return [
        Happened(decision_id, int(number), bool(converted))
        for decision_id, number, converted in zip(
            frame["decision_id"], numbers, frame["converted"], strict=True
        )
    ]
