"""Qini: how far a ranking gathers those whom a send persuades at its head.

One definition, that of scikit-uplift. With the members ordered by score, highest first,

    Q(k) = Y_sent(k) − Y_unsent(k) · N_sent(k) / N_unsent(k)

is how many of the first k were won by sending, in the numbers that were sent. Between distinct
scores the curve is straight, so that members of equal score are averaged over their orders. The
coefficient is the area between Q and the straight line to its end (the same in random order),
over that of the best order there could be: sent who did, then whoever made no difference, then
unsent who did. 1 is that order, 0 a random one, below 0 worse than random.

Where members were sent something with unequal probabilities, each row counts ``weight`` times,
one over the probability of what happened to it; weights of 1 give the plain definition.

Source: Radcliffe, Direct Marketing Analytics Journal 3, 2007; the best order with its negative
part: Devriendt, Guns and Verbeke, 2020.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from training.charts import Chart, Series
from training.errors import TrainingError

_DRAWS = 200


@dataclass(frozen=True, eq=False)
class QiniCurve:
    """Q at nobody and after every block of equal scores; straight between.

    reached: (k,) members, or their weight, so far. won: (k,) Q there.
    """

    reached: NDArray[np.float64]
    won: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Qini:
    """The coefficient with its standard error and interval, clustered by member."""

    coefficient: float
    error: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Trial:
    """What happened to n rows of which some were sent something, by chance.

    outcome: (n,) 0 or 1 for the coefficient; any amount for a curve.
    sent: (n,) whether.
    weight: (n,) one over the probability of being sent, or not sent, as it was; None means 1.
    member: (n,) number of the member whose row it is; None means a member has one row.
    """

    outcome: NDArray[np.float64]
    sent: NDArray[np.bool_]
    weight: NDArray[np.float64] | None = None
    member: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        for name in ("sent", "weight", "member"):
            given = getattr(self, name)
            if given is not None and given.shape != self.outcome.shape:
                raise ValueError(f"{name} has shape {given.shape}, wanted {self.outcome.shape}")
        if not np.isfinite(self.outcome).all():
            raise ValueError("an outcome is not a number; leave such rows out")

    @property
    def counts(self) -> NDArray[np.float64]:
        return np.ones(len(self.outcome)) if self.weight is None else self.weight


def qini_curve(trial: Trial, score: NDArray[np.float64]) -> QiniCurve:
    """The curve of members ordered by (n,) ``score``, highest first.

    Raises:
        ValueError: a score is not a number.
    """
    return _curve(trial, trial.counts, _Order.of(score))


def qini(
    trial: Trial,
    score: NDArray[np.float64],
    *,
    confidence: float = 0.95,
    draws: int = _DRAWS,
    seed: int = 0,
) -> Qini:
    """The coefficient of ``score``, (n,), with a bootstrap over whole members.

    Args:
        confidence: coverage of the interval, strictly between 0 and 1.
        draws: resamples of the members, from which the error is taken.

    Raises:
        TrainingError: an outcome other than 0 and 1, one side empty, or no order would be better
            than another: nothing was won or lost by sending.
        ValueError: a score is not a number.

    Source: interval after Field and Welsh, JRSS B 69, 2007 (bootstrap of clusters); normal, with
    the bootstrap's standard error.
    """
    _check(trial)
    order, best = _Order.of(score), _Order.of(_best(trial))
    coefficient = _coefficient(trial, trial.counts, order, best)
    if np.isnan(coefficient):
        raise TrainingError(
            f"none of {len(trial.outcome)} outcomes tells sent from not sent: no order of members "
            "is better than another"
        )
    error = _error(trial, order, best, draws, np.random.default_rng(seed))
    wide = NormalDist().inv_cdf((1 + confidence) / 2) * error
    return Qini(coefficient, error, coefficient - wide, coefficient + wide)


def qini_chart(curves: Mapping[str, QiniCurve], points: int = 100) -> Chart:
    """Curves by name, thinned to ``points``, beside the straight line of a random order."""
    series = []
    for name, curve in curves.items():
        kept = np.unique(np.linspace(0, len(curve.reached) - 1, points).astype(np.int64))
        x, y = curve.reached[kept], curve.won[kept]
        series.append(Series(name, x.tolist(), y.tolist()))
    for last in list(curves.values())[:1]:  # all end at the same point
        ends = [0.0, float(last.reached[-1])], [0.0, float(last.won[-1])]
        series.append(Series("at random", *ends, style="guide"))
    return Chart("Qini", "members, highest first", "won by sending", tuple(series))


def _check(trial: Trial) -> None:
    if not np.isin(trial.outcome, (0, 1)).all():
        raise TrainingError("a Qini coefficient wants outcomes of 0 and 1; amounts have a curve")
    sent = int(trial.sent.sum())
    if sent in (0, len(trial.sent)):
        raise TrainingError(
            f"{sent} of {len(trial.sent)} were sent something; a Qini coefficient compares members "
            "who were with members who were not"
        )


@dataclass(frozen=True, eq=False)
class _Order:
    """rows: (n,) by score, highest first. ends: (k,) place of the last row of each equal block."""

    rows: NDArray[np.int64]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, score: NDArray[np.float64]) -> _Order:
        if np.isnan(score).any():
            raise ValueError("a score is not a number; give members without one a place of theirs")
        rows = np.argsort(-score, kind="stable")
        # Compared, not subtracted: infinite scores are equal to themselves.
        in_order = score[rows]
        ends = np.flatnonzero(np.append(in_order[1:] != in_order[:-1], True))
        return cls(rows, ends)


def _best(trial: Trial) -> NDArray[np.float64]:
    return np.where(trial.sent, trial.outcome, -trial.outcome)


def _curve(trial: Trial, counts: NDArray[np.float64], order: _Order) -> QiniCurve:
    counts = counts[order.rows]
    sent = np.where(trial.sent[order.rows], counts, 0.0)
    unsent = counts - sent
    outcome = trial.outcome[order.rows]
    sums = [np.cumsum(a)[order.ends] for a in (sent, unsent, sent * outcome, unsent * outcome)]
    n_sent, n_unsent, y_sent, y_unsent = sums
    some = n_unsent > 0
    scale = np.divide(n_sent, n_unsent, out=np.zeros_like(n_sent), where=some)
    won = y_sent - y_unsent * scale
    return QiniCurve(np.append(0.0, n_sent + n_unsent), np.append(0.0, won))


def _area(curve: QiniCurve) -> float:
    """Between the curve and the straight line from its beginning to its end."""
    under = float(np.trapezoid(curve.won, curve.reached))
    return under - float(curve.reached[-1] * curve.won[-1]) / 2


def _coefficient(trial: Trial, counts: NDArray[np.float64], order: _Order, best: _Order) -> float:
    possible = _area(_curve(trial, counts, best))
    if possible <= 0:
        return float("nan")
    return _area(_curve(trial, counts, order)) / possible


def _error(
    trial: Trial, order: _Order, best: _Order, draws: int, rng: np.random.Generator
) -> float:
    n = len(trial.outcome)
    member = np.arange(n) if trial.member is None else trial.member
    members = int(member.max()) + 1
    found = []
    for _ in range(draws):
        drawn = np.bincount(rng.integers(0, members, members), minlength=members)
        found.append(_coefficient(trial, trial.counts * drawn[member], order, best))
    told = np.array(found)[~np.isnan(found)]
    return float(told.std(ddof=1)) if len(told) > 1 else float("inf")
