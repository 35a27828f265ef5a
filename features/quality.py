"""The health of built features: missing values, ranges, drift, and how fresh the data are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.errors import FeatureError
from features.moments import moment as in_utc
from features.record import BuildRecord, view_file
from features.tables import opened
from features.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

BINS = 10
# A share that is nought in one period would make the index infinite; half a member in 10,000.
_LEAST_SHARE = 0.00005
_FEEDS = {"events": "occurred_at", "decisions": "decided_at", "outcomes": "occurred_at"}


class QualityError(FeatureError):
    """Nothing was built for the moment that is to be judged."""


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on something is a finding.

    psi: population stability index against the reference; .1 is a shift, .25 a large one.
    missing_rise: rise of the share of missing values, in shares of the rows.
    age_days: days between the newest row of a feed and the moment.
    """

    psi: float = 0.25
    missing_rise: float = 0.1
    age_days: float = 3.0


@dataclass(frozen=True, slots=True)
class FeatureHealth:
    """One feature at the moment.

    missing: share of rows without a value. low, middle, high: least, median and greatest value of
    a number. values: for a category the share of each value, most frequent first.
    histogram: share of rows in ten bins of equal width between ``low`` and ``high``.
    psi: against the reference; None where there is none.
    """

    view: str
    name: str
    kind: str
    rows: int
    missing: float
    missing_before: float | None
    psi: float | None
    low: float | None = None
    middle: float | None = None
    high: float | None = None
    histogram: tuple[float, ...] = ()
    values: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """A table that should keep coming in. age_days: from its newest row to the moment."""

    table: str
    rows: int
    newest: datetime | None
    age_days: float | None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something beyond its limit, in words."""

    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class QualityReport:
    """reference: the earlier moments that the features are compared with; may be empty."""

    as_of: datetime
    reference: tuple[datetime, ...]
    features: tuple[FeatureHealth, ...]
    feeds: tuple[Feed, ...]
    absent: Mapping[str, str]
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def quality(
    workspace: Workspace, as_of: datetime, reference: Sequence[datetime], limits: Limits
) -> QualityReport:
    """Judge the features built for ``as_of`` against those built for the ``reference`` moments.

    Raises:
        QualityError: one of the moments was not built.
    """
    record = BuildRecord.load(workspace)
    as_of, earlier = in_utc(as_of), tuple(sorted(in_utc(moment) for moment in reference))
    for wanted in (as_of, *earlier):
        if wanted not in record.moments:
            raise QualityError(
                f"no features were built as of {wanted.isoformat()}; "
                f"run `pushwise features build --as-of {wanted.isoformat()}`"
            )
    features = tuple(
        health
        for view, columns in record.columns.items()
        for health in _view(workspace, view, columns, as_of, earlier)
    )
    feeds = _feeds(workspace, as_of)
    findings = (*_feature_findings(features, limits), *_feed_findings(feeds, limits))
    return QualityReport(as_of, earlier, features, feeds, record.absent, findings)


def stability(expected: NDArray[np.floating[Any]], found: NDArray[np.floating[Any]]) -> float:
    """Population stability index of two distributions over the same bins, shares that add to 1.

    Σ (found − expected) ln(found / expected): 0 for equal ones, and the same both ways round.
    Source: the symmetric divergence of Kullback and Leibler, Annals of Mathematical Statistics
    22, 1951, as credit scoring uses it.
    """
    p, q = np.maximum(expected, _LEAST_SHARE), np.maximum(found, _LEAST_SHARE)
    return float(((q - p) * np.log(q / p)).sum())


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
        judge = _category if kind == "category" else _number
        yield judge(view, name, now[name], reference[name])


def _number(view: str, name: str, now: pd.Series[Any], before: pd.Series[Any]) -> FeatureHealth:
    values = now.to_numpy(dtype=np.float64)
    known = values[~np.isnan(values)]
    psi = None
    if len(before):
        past = before.to_numpy(dtype=np.float64)
        edges = _edges(past[~np.isnan(past)])
        psi = stability(_binned(past, edges), _binned(values, edges))
    low, high = (float(known.min()), float(known.max())) if known.size else (None, None)
    counts = np.histogram(known, bins=BINS)[0] if known.size else np.zeros(BINS)
    return FeatureHealth(
        view, name, "number", len(values),
        missing=float(np.isnan(values).mean()) if len(values) else 0.0,
        missing_before=float(before.isna().mean()) if len(before) else None,
        psi=psi, low=low, middle=float(np.median(known)) if known.size else None, high=high,
        histogram=tuple((counts / max(len(values), 1)).tolist()),
    )  # fmt: skip


def _edges(known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bounds of bins that hold equally many; a value that many rows share is a bin of its own."""
    if not len(known):
        return np.zeros(0)
    bounds = np.quantile(known, np.arange(1, BINS) / BINS)
    return np.unique(np.concatenate([np.nextafter(bounds, -np.inf), bounds]))


def _binned(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of the bins up to and with each edge, of those above, and of the missing values."""
    missing = np.isnan(values)
    place = np.searchsorted(edges, values[~missing], side="left")
    counts = np.append(np.bincount(place, minlength=len(edges) + 1), missing.sum())
    return counts / max(len(values), 1)


def _category(view: str, name: str, now: pd.Series[Any], before: pd.Series[Any]) -> FeatureHealth:
    shares = now.value_counts(normalize=True, dropna=False)
    psi = None
    if len(before):
        past = before.value_counts(normalize=True, dropna=False)
        both = shares.index.union(past.index)
        psi = stability(
            past.reindex(both, fill_value=0.0).to_numpy(dtype=np.float64),
            shares.reindex(both, fill_value=0.0).to_numpy(dtype=np.float64),
        )
    return FeatureHealth(
        view, name, "category", len(now),
        missing=float(now.isna().mean()) if len(now) else 0.0,
        missing_before=float(before.isna().mean()) if len(before) else None,
        psi=psi,
        values={str(value): float(share) for value, share in shares.dropna().head(BINS).items()},
    )  # fmt: skip


def _feeds(workspace: Workspace, as_of: datetime) -> tuple[Feed, ...]:
    """How old the newest row known at ``as_of`` is, for the tables that keep coming in."""
    feeds = []
    with opened(workspace) as tables:
        for name, moment in _FEEDS.items():
            table = getattr(tables, name)
            seen = table.filter(table[moment] < as_of, table.known_at < as_of)
            found = seen.agg(rows=seen.count(), newest=seen[moment].max()).to_pyarrow().to_pylist()
            rows, newest = found[0]["rows"], found[0]["newest"]
            age = None if newest is None else (as_of - newest).total_seconds() / 86_400
            feeds.append(Feed(name, rows, newest, age))
    return tuple(feeds)


def _feature_findings(features: Iterable[FeatureHealth], limits: Limits) -> Iterable[Finding]:
    for health in features:
        if health.psi is not None and health.psi > limits.psi:
            yield Finding(
                health.name, f"drifted: stability index {health.psi:.2f}, limit {limits.psi:g}"
            )
        rise = health.missing - (health.missing_before or 0.0)
        if health.missing_before is not None and rise > limits.missing_rise:
            yield Finding(
                health.name,
                f"missing in {health.missing:.0%} of the rows, {health.missing_before:.0%} before",
            )
        if health.high is not None and not np.isfinite(health.high):
            yield Finding(health.name, "holds values that are not finite")
        if _is_share(health) and health.rows and not _inside(health, 0.0, 1.0):
            yield Finding(health.name, f"a share, but from {health.low:g} to {health.high:g}")


def _is_share(health: FeatureHealth) -> bool:
    return health.name.endswith("_share") or "_share_" in health.name


def _inside(health: FeatureHealth, low: float, high: float) -> bool:
    if health.low is None or health.high is None:
        return True
    return low - 1e-9 <= health.low and health.high <= high + 1e-9


def _feed_findings(feeds: Iterable[Feed], limits: Limits) -> Iterable[Finding]:
    for feed in feeds:
        if feed.age_days is not None and feed.age_days > limits.age_days:
            yield Finding(
                feed.table,
                f"the newest row is {feed.age_days:.1f} days old, limit {limits.age_days:g}",
            )
