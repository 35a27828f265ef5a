"""The health of built features: missing values, ranges, drift, freshness and coverage."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np

from features.coverage import MEMBERS, Coverage, coverage
from features.encode import KEYS, encoding
from features.encoding import EncodingError
from features.errors import FeatureError
from features.health import FeatureHealth, examined
from features.moments import moment as in_utc
from features.record import BuildRecord, view_file
from features.tables import opened
from features.workspace import Workspace

_SHARES = re.compile(r"_share(_|$)|_rate(_|$)")  # names of what lies between 0 and 1
FINDINGS = ("drift", "missing", "range", "age", "behind", "coverage")
_FEEDS = {"events": "occurred_at", "decisions": "decided_at", "outcomes": "occurred_at"}


class QualityError(FeatureError):
    """Nothing was built for the moment that is to be judged, or a limit is of nothing there is."""


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on something is a finding.

    psi: population stability index against the reference; .1 is a shift, .25 a large one.
    missing_rise: rise of the share of missing values, in shares of the rows.
    age_days: days between the newest row of a feed and the moment; for the newest moment built also
        between it and events that came in later.
    ranges: feature to the least and greatest value that it may have; shares and rates lie from 0
        to 1 without being told. A feature of items or offers is named with its view, such as
        ``popularity.price``.
    missing: feature to the greatest share of rows that may be without a value.
    coverage: a key of ``coverage.MEMBERS``, or a view, to the least share of the members that it
        must reach. A view must have a row for everybody unless it says otherwise.
    """

    psi: float = 0.25
    missing_rise: float = 0.1
    age_days: float = 3.0
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    missing: Mapping[str, float] = field(default_factory=dict)
    coverage: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Feed:
    """A table that should keep coming in. age_days: from its newest row to the moment."""

    table: str
    rows: int
    newest: datetime | None
    age_days: float | None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something beyond its limit, in words. kind: one of ``FINDINGS``."""

    subject: str
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class QualityReport:
    """reference: the earlier moments that the features are compared with; may be empty.

    compared_with: what these moments are, in words, such as the training window of a model.
    behind_days: from the moment to the newest event in the tables; 0 where none is later.
    """

    as_of: datetime
    reference: tuple[datetime, ...]
    compared_with: str
    limits: Limits
    features: tuple[FeatureHealth, ...]
    feeds: tuple[Feed, ...]
    behind_days: float
    coverage: tuple[Coverage, ...]
    absent: Mapping[str, str]
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def quality(
    workspace: Workspace,
    as_of: datetime,
    reference: Sequence[datetime],
    limits: Limits,
    compared_with: str = "moments built before",
) -> QualityReport:
    """Judge the features built for ``as_of`` against those built for the ``reference`` moments.

    Args:
        compared_with: what the ``reference`` is, in words.

    Raises:
        QualityError: one of the moments was not built, or a limit names no feature, group of
            members or view.
    """
    record = BuildRecord.load(workspace)
    as_of, earlier = in_utc(as_of), tuple(sorted(in_utc(moment) for moment in reference))
    for wanted in (as_of, *earlier):
        if wanted not in record.moments:
            raise QualityError(
                f"no features were built as of {wanted.isoformat()}; "
                f"run `pushwise features build --as-of {wanted.isoformat()}`"
            )
    by_itself = _counting_down(workspace)
    features = tuple(
        replace(health, psi=None) if health.name in by_itself else health
        for view, columns in record.columns.items()
        for health in _view(workspace, view, columns, as_of, earlier)
    )
    _check_named(limits, features, record)
    fed = feeds(workspace, as_of)
    covered = coverage(workspace, record, as_of)
    behind = _behind(workspace, as_of)
    findings = (
        *_feature_findings(features, limits),
        *_feed_findings(fed, limits),
        *(_stale(behind, limits) if as_of == max(record.moments) else ()),
        *_coverage_findings(covered, limits),
    )
    return QualityReport(
        as_of,
        earlier,
        compared_with,
        limits,
        features,
        fed,
        behind,
        covered,
        record.absent,
        findings,
    )


def _check_named(limits: Limits, features: Sequence[FeatureHealth], record: BuildRecord) -> None:
    subjects = {health.subject for health in features}
    for name in (*limits.ranges, *limits.missing):
        if name not in subjects:
            raise QualityError(f"[quality] sets a limit for {name!r}, which is no feature here")
    views = record.columns.keys() - KEYS.keys()
    for name in limits.coverage:
        if name not in {*MEMBERS, *views}:
            raise QualityError(
                f"[quality.coverage] names {name!r}, wanted one of {', '.join(MEMBERS)}, or a view "
                f"of members: {', '.join(sorted(views))}"
            )


def _view(
    workspace: Workspace,
    view: str,
    columns: Mapping[str, str],
    as_of: datetime,
    earlier: Sequence[datetime],
) -> Iterable[FeatureHealth]:
    import pandas as pd

    names = list(columns)
    now = pd.read_parquet(view_file(workspace, view, as_of), columns=names)
    before = [
        pd.read_parquet(view_file(workspace, view, moment), columns=names) for moment in earlier
    ]
    reference = pd.concat(before) if before else now.iloc[:0]
    for name, kind in columns.items():
        yield examined(view, name, kind, now[name], reference[name])


def _counting_down(workspace: Workspace) -> tuple[str, ...]:
    """Features that count the days until a date: the calendar alone moves them."""
    try:
        return encoding(workspace).until
    except EncodingError:  # of a workspace built before there was one
        return ()


def feeds(workspace: Workspace, as_of: datetime) -> tuple[Feed, ...]:
    """How old the newest row known at ``as_of`` is, for the tables that keep coming in."""
    found_feeds = []
    with opened(workspace) as tables:
        for name, moment in _FEEDS.items():
            table = getattr(tables, name)
            seen = table.filter(table[moment] < as_of, table.known_at < as_of)
            found = seen.agg(rows=seen.count(), newest=seen[moment].max()).to_pyarrow().to_pylist()
            rows, newest = found[0]["rows"], found[0]["newest"]
            age = None if newest is None else (as_of - newest).total_seconds() / 86_400
            found_feeds.append(Feed(name, rows, newest, age))
    return tuple(found_feeds)


def _behind(workspace: Workspace, as_of: datetime) -> float:
    with opened(workspace) as tables:
        newest: datetime | None = tables.events.occurred_at.max().to_pyarrow().as_py()
    return 0.0 if newest is None else max((newest - as_of).total_seconds() / 86_400, 0.0)


def _feature_findings(features: Iterable[FeatureHealth], limits: Limits) -> Iterable[Finding]:
    for health in features:
        for kind, text in (
            ("drift", _drifted(health, limits)),
            ("missing", _missing(health, limits)),
            ("range", _out_of_range(health, limits)),
        ):
            if text:
                yield Finding(health.subject, text, kind)


def _drifted(health: FeatureHealth, limits: Limits) -> str:
    if health.psi is None or health.psi <= limits.psi:
        return ""
    return f"drifted: stability index {health.psi:.2f}, limit {limits.psi:g}"


def _missing(health: FeatureHealth, limits: Limits) -> str:
    most = limits.missing.get(health.subject, 1.0)
    if health.missing > most:
        return f"missing in {health.missing:.0%} of the rows, limit {most:.0%}"
    before = health.missing_before
    if before is not None and health.missing - before > limits.missing_rise:
        return f"missing in {health.missing:.0%} of the rows, {before:.0%} before"
    return ""


def _out_of_range(health: FeatureHealth, limits: Limits) -> str:
    if health.low is None or health.high is None:
        return ""
    if not (np.isfinite(health.low) and np.isfinite(health.high)):
        return "holds values that are not finite"
    share = (0.0, 1.0) if _SHARES.search(health.name) else None
    wanted = limits.ranges.get(health.subject, share)
    if wanted is None or (wanted[0] - 1e-9 <= health.low and health.high <= wanted[1] + 1e-9):
        return ""
    return f"from {health.low:g} to {health.high:g}, wanted from {wanted[0]:g} to {wanted[1]:g}"


def _feed_findings(fed: Iterable[Feed], limits: Limits) -> Iterable[Finding]:
    for feed in fed:
        if feed.age_days is not None and feed.age_days > limits.age_days:
            yield Finding(
                feed.table,
                f"the newest row is {feed.age_days:.1f} days old, limit {limits.age_days:g}",
                "age",
            )


def _stale(behind_days: float, limits: Limits) -> Iterable[Finding]:
    if behind_days > limits.age_days:
        yield Finding(
            "features",
            f"the newest were built {behind_days:.1f} days before the newest event, limit "
            f"{limits.age_days:g}; run `pushwise features build`",
            "behind",
        )


def _coverage_findings(covered: Iterable[Coverage], limits: Limits) -> Iterable[Finding]:
    for one in covered:
        least = limits.coverage.get(one.name, 0.0 if one.name in MEMBERS else 1.0)
        if one.share < least:
            yield Finding(
                one.name,
                f"{one.count:,} of {one.of:,} members {one.text} ({one.share:.1%}), "
                f"wanted at least {least:.1%}",
                "coverage",
            )
