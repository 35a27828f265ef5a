"""One feature at a moment: how it is spread, what is missing, how far it drifted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.encode import KEYS

if TYPE_CHECKING:
    import pandas as pd

BINS = 10
# A share that is nought in one period would make the index infinite; half a member in 10,000.
_LEAST_SHARE = 0.00005


@dataclass(frozen=True, slots=True)
class FeatureHealth:
    """One feature at the moment.

    missing: share of rows without a value. low, middle, high: least, median and greatest value of
    a number. values: for a category the share of each value, most frequent first.
    histogram: share of rows in ten bins of equal width over the finite values, the reference's too.
    span: from where to where those bins lie; None where no value is finite.
    missing_before, histogram_before, values_before: the same of the reference; empty without one.
    psi: against the reference, of rows_before rows, over so many bins; None where there is none,
    or the feature counts down to a date and drifts by itself.
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
    histogram_before: tuple[float, ...] = ()
    values_before: Mapping[str, float] = field(default_factory=dict)
    span: tuple[float, float] | None = None
    rows_before: int = 0
    bins: int = 0

    @property
    def subject(self) -> str:
        """What settings and findings call it: features of members by their name alone."""
        return f"{self.view}.{self.name}" if self.view in KEYS else self.name


def examined(
    view: str, name: str, kind: str, now: pd.Series[Any], before: pd.Series[Any]
) -> FeatureHealth:
    """The health of a feature whose values are ``now``; ``before`` are the reference's, if any.

    Args:
        kind: ``number`` or ``category``.
    """
    return (_category if kind == "category" else _number)(view, name, now, before)


def stability(expected: NDArray[np.floating[Any]], found: NDArray[np.floating[Any]]) -> float:
    """Population stability index of two distributions over the same bins, shares that add to 1.

    Σ (found − expected) ln(found / expected): 0 for equal ones, and the same both ways round.
    Source: the symmetric divergence of Kullback and Leibler, Annals of Mathematical Statistics
    22, 1951, as credit scoring uses it.
    """
    p, q = np.maximum(expected, _LEAST_SHARE), np.maximum(found, _LEAST_SHARE)
    return float(((q - p) * np.log(q / p)).sum())


def _number(view: str, name: str, now: pd.Series[Any], before: pd.Series[Any]) -> FeatureHealth:
    values = now.to_numpy(dtype=np.float64)
    past = before.to_numpy(dtype=np.float64)
    known = values[~np.isnan(values)]
    psi, bins = None, 0
    if len(past):
        edges = _edges(past[~np.isnan(past)])
        bins = len(edges) + 2
        psi = stability(_binned(past, edges), _binned(values, edges))
    low, high = (float(known.min()), float(known.max())) if known.size else (None, None)
    both = np.concatenate([known, past])
    span = _span(both)
    return FeatureHealth(
        view, name, "number", len(values),
        missing=float(np.isnan(values).mean()) if len(values) else 0.0,
        missing_before=float(np.isnan(past).mean()) if len(past) else None,
        psi=psi, low=low, middle=float(np.median(known)) if known.size else None, high=high,
        histogram=_histogram(values, span),
        histogram_before=_histogram(past, span) if len(past) else (),
        span=span,
        rows_before=len(past), bins=bins,
    )  # fmt: skip


def _span(values: NDArray[np.float64]) -> tuple[float, float] | None:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else None


def _histogram(values: NDArray[np.float64], span: tuple[float, float] | None) -> tuple[float, ...]:
    """Shares of ``values`` in equal bins over ``span``."""
    if span is None:
        return (0.0,) * BINS
    counts = np.histogram(values[np.isfinite(values)], bins=BINS, range=span)[0]
    return tuple((counts / max(len(values), 1)).tolist())


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
    psi, bins, past = None, 0, before.value_counts(normalize=True, dropna=False)
    if len(before):
        both = shares.index.union(past.index)
        bins = len(both)
        psi = stability(
            past.reindex(both, fill_value=0.0).to_numpy(dtype=np.float64),
            shares.reindex(both, fill_value=0.0).to_numpy(dtype=np.float64),
        )
    return FeatureHealth(
        view, name, "category", len(now),
        missing=float(now.isna().mean()) if len(now) else 0.0,
        missing_before=float(before.isna().mean()) if len(before) else None,
        psi=psi,
        values=_first(shares),
        values_before=_first(past),
        rows_before=len(before), bins=bins,
    )  # fmt: skip


def _first(shares: pd.Series[Any]) -> dict[str, float]:
    named = shares[shares.index.notna()].head(BINS)
    return {str(value): float(share) for value, share in named.items()}
