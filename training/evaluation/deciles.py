"""Uplift by tenth of the members: what was promised beside what a trial measured."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from training.charts import Chart, Series


@dataclass(frozen=True, eq=False)
class UpliftByPart:
    """Equal parts of the members, those of the highest prediction first; (parts,) each.

    promised: mean prediction. measured: mean doubly robust score. error, low, high: its standard
    error and interval, clustered by member. In the unit of the outcome, per row.
    """

    promised: NDArray[np.float64]
    measured: NDArray[np.float64]
    error: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def uplift_by_part(
    predicted: NDArray[np.float64],
    score: NDArray[np.float64],
    member: NDArray[np.int64],
    *,
    parts: int = 10,
    confidence: float = 0.95,
) -> UpliftByPart:
    """Cut n rows into equal parts by prediction and average the scores of each.

    Rows of equal prediction are spread evenly over the places that they take up together: a cut
    through them divides them by share, so that their order never counts, and where everybody has
    one prediction all parts measure the same.

    Args:
        predicted: (n,) uplift that a model promises of what it would send.
        score: (n,) doubly robust score of the same; predictions must not have seen its outcome.
        member: (n,) number of the member whose row it is.

    Raises:
        ValueError: fewer rows than parts, or a prediction that is not a number.

    Source: sorted group average effects (Chernozhukov, Demirer, Duflo and Fernández-Val,
    Econometrica 93, 2025), here on given predictions.
    """
    if len(predicted) < parts:
        raise ValueError(f"{len(predicted)} rows for {parts} parts, wanted one at least in each")
    if np.isnan(predicted).any():
        raise ValueError("a prediction is not a number; leave such rows out")
    first, past = places(predicted)
    size = len(predicted) / parts
    found = np.array(
        [
            _part(_share(first, past, part * size, (part + 1) * size), predicted, score, member)
            for part in range(parts)
        ]
    )
    promised, measured, error = found.T
    wide = NormalDist().inv_cdf((1 + confidence) / 2) * error
    return UpliftByPart(promised, measured, error, measured - wide, measured + wide)


def decile_chart(parts: UpliftByPart, outcome: str) -> Chart:
    """Promised beside measured, with its interval, best part first; ``outcome``: name and unit."""
    place = list(range(1, len(parts.promised) + 1))
    return Chart(
        "Uplift by part of the members",
        "part, highest prediction first",
        outcome,
        (
            Series(
                "measured",
                place,
                parts.measured.tolist(),
                style="points",
                error=((parts.high - parts.low) / 2).tolist(),
            ),
            Series("promised", place, parts.promised.tolist()),
            Series("no effect", [place[0], place[-1]], [0.0, 0.0], style="guide"),
        ),
    )


def places(rank: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) each: how many stand before a row's block of equal rank, and up to its end."""
    _, level, count = np.unique(-rank, return_inverse=True, return_counts=True)
    past = np.cumsum(count).astype(np.float64)
    return (past - count)[level], past[level]


def _share(
    first: NDArray[np.float64], past: NDArray[np.float64], start: float, end: float
) -> NDArray[np.float64]:
    """(n,) how much of each row lies between the places ``start`` and ``end``."""
    inside = np.minimum(past, end) - np.maximum(first, start)
    return np.asarray(np.maximum(inside, 0.0) / (past - first))


def _part(
    share: NDArray[np.float64],
    predicted: NDArray[np.float64],
    score: NDArray[np.float64],
    member: NDArray[np.int64],
) -> tuple[float, float, float]:
    size = float(share.sum())
    mean = float(share @ score) / size
    by_member = np.bincount(member, weights=share * (score - mean))
    error = float(np.sqrt((by_member**2).sum())) / size
    return float(share @ predicted) / size, mean, error
