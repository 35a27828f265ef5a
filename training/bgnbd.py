"""Fit the BG/NBD model of repeat purchases by maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import digamma, gammaln

from models.bgnbd import BgNbd, check_histories
from models.errors import ModelError
from training.errors import TrainingError

Numbers = NDArray[np.float64]
_SPAN = 10.0  # the longest history after scaling: keeps all four parameters near 1
_BOUNDS = [(-9.0, 9.0)] * 4  # of the logarithms; little data drift off along a flat ridge
# (r, alpha, a, b), alpha for histories of length ``_SPAN``. Leaving is hard to tell from buying
# rarely, so the likelihood may have more than one hill.
_STARTS = ((0.5, 2.0, 0.5, 2.0), (1.0, 10.0, 0.1, 3.0), (0.1, 1.0, 2.0, 2.0))
_ENOUGH_TO_BEGIN = 20_000  # distinct histories; on more, the best start is found on some of them


@dataclass(frozen=True, eq=False)
class Compressed:
    """Distinct histories with how many members have each. Times are as given, divided by a scale.

    counts: (k,) distinct frequencies; members: (k,) how many members have each.
    count: (n,) place in ``counts`` of each history.
    """

    counts: Numbers
    members: Numbers
    count: NDArray[np.int64]
    recency: Numbers
    age: Numbers
    weights: Numbers

    @classmethod
    def of(cls, frequency: Numbers, recency: Numbers, age: Numbers, weights: Numbers) -> Compressed:
        order = np.lexsort((recency, age, frequency))
        sorted_rows = (frequency[order], age[order], recency[order])
        changes = [np.diff(column, prepend=np.nan) != 0 for column in sorted_rows]
        first = np.flatnonzero(changes[0] | changes[1] | changes[2])
        kept = order[first]
        counts, count = np.unique(frequency[kept], return_inverse=True)
        weight = np.add.reduceat(weights[order], first)
        members = _added(weight, count, len(counts))
        return cls(counts, members, count.astype(np.int64), recency[kept], age[kept], weight)

    def every(self, step: int) -> Compressed:
        """One history in ``step``, with its members."""
        kept = slice(None, None, step)
        count, weights = self.count[kept], self.weights[kept]
        members = _added(weights, count, len(self.counts))
        return Compressed(self.counts, members, count, self.recency[kept], self.age[kept], weights)


def fit_bgnbd(
    frequency: Numbers, recency: Numbers, age: Numbers, weights: Numbers | None = None
) -> BgNbd:
    """The parameters that make these histories most likely.

    Members with equal histories are counted once, with weights, so whole days are faster than
    fractions. Where the data say little (few members, nobody ever leaves) the likelihood is flat
    and the answer lies on a bound, e^±9 times the longest history at most; what it expects of
    members like those seen is sound all the same.

    Args:
        frequency: (n,) purchases after the first, whole numbers.
        recency: (n,) time from the first purchase to the last; 0 without a repeat.
        age: (n,) time from the first purchase to now, in the same unit, which ``alpha`` gets.
        weights: (n,) how many members each row stands for, above 0; 1 each unless given.

    Raises:
        TrainingError: no members, nobody bought again, or no time has passed.
        ModelError: a history that cannot be; says which row.

    Source: Fader, Hardie and Lee, Marketing Science 24, 2005, equation 6.
    """
    check_histories(frequency, recency, age)
    weights = np.ones(len(frequency)) if weights is None else weights
    if len(weights) != len(frequency) or not (np.isfinite(weights) & (weights > 0)).all():
        raise ModelError("wanted one finite weight above 0 for each history")
    if not len(frequency) or not (frequency > 0).any() or not age.max() > 0:
        raise TrainingError(
            f"none of {len(frequency)} members bought a second time; how often members buy can "
            "only be learned from some who did: ingest more history"
        )
    scale = float(age.max()) / _SPAN
    seen = Compressed.of(frequency.astype(np.float64), recency / scale, age / scale, weights)
    best = _fit(seen)
    return BgNbd(*(float(value) for value in best * np.array([1.0, scale, 1.0, 1.0])))


def log_likelihood(model: BgNbd, frequency: Numbers, recency: Numbers, age: Numbers) -> float:
    """Sum over the members of the logarithm of how likely each history is."""
    rows = Compressed.of(frequency, recency, age, np.ones(len(frequency)))
    theta = np.log([model.r, model.alpha, model.a, model.b])
    return -float(_loss(theta, rows)[0] * rows.weights.sum())


def drawn(model: BgNbd, age: Numbers, random: np.random.Generator) -> tuple[Numbers, Numbers]:
    """Frequency and recency of members who buy and leave as the model says.

    Args:
        age: (n,) time from the first purchase to now, in the unit of ``alpha``. A purchase counts
            at the end of the whole unit of time in which it falls.
    """
    rate = random.gamma(model.r, 1 / model.alpha, len(age))
    leaving = random.beta(model.a, model.b, len(age))
    frequency, recency, now = np.zeros(len(age)), np.zeros(len(age)), np.zeros(len(age))
    there = np.arange(len(age))
    while len(there):
        now[there] += random.exponential(1 / rate[there])
        there = there[now[there] < age[there]]
        frequency[there] += 1
        recency[there] = np.minimum(np.ceil(now[there]), age[there])
        there = there[random.random(len(there)) > leaving[there]]
    return frequency, recency


def _fit(seen: Compressed) -> Numbers:
    step = -(-len(seen.weights) // _ENOUGH_TO_BEGIN)
    some = seen.every(step)
    if not (some.members[some.counts > 0] > 0).any():
        some = seen
    begun = [_minimum(np.log(start), some) for start in _STARTS]
    best = min(begun, key=lambda found: found[1])[0]
    return np.exp(best if some is seen or step == 1 else _minimum(best, seen)[0])


def _minimum(start: Numbers, rows: Compressed) -> tuple[Numbers, float]:
    found = minimize(
        _loss,
        start,
        args=(rows,),
        jac=True,
        method="L-BFGS-B",
        bounds=_BOUNDS,
        options={"maxiter": 500, "ftol": 1e-14, "gtol": 1e-8},
    )
    return found.x, float(found.fun)


def _loss(theta: Numbers, rows: Compressed) -> tuple[float, Numbers]:
    """Mean of −log likelihood per member and its gradient in the logarithms of the parameters."""
    r, alpha, a, b = np.exp(theta)
    x = rows.counts
    # What depends on the number of purchases alone, once for each number.
    fixed = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    fixed += gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    gone = np.where(x > 0, np.log(a) - np.log(np.where(x > 0, b + x - 1, 1.0)), -np.inf)
    # What depends on the times: still there, or gone after the last purchase.
    power = r + x[rows.count]
    since_age, since_last = np.log(alpha + rows.age), np.log(alpha + rows.recency)
    stayed = -power * since_age
    left = gone[rows.count] - power * since_last
    either = np.logaddexp(stayed, left)
    w, total = rows.weights, float(rows.weights.sum())
    value = float(w @ either + rows.members @ fixed)
    share = w * np.exp(left - either)  # weight times probability of having left
    by_count = _added(share, rows.count, len(x))
    gradient = np.empty(4)
    times = (w - share) @ since_age + share @ since_last
    gradient[0] = rows.members @ (digamma(r + x) - digamma(r) + np.log(alpha)) - times
    gradient[1] = total * r / alpha - power @ (
        (w - share) / (alpha + rows.age) + share / (alpha + rows.recency)
    )
    both = digamma(a + b) - digamma(a + b + x)
    gradient[2] = rows.members @ both + by_count.sum() / a
    hazard = by_count[x > 0] @ (1 / (b + x[x > 0] - 1))
    gradient[3] = rows.members @ (both + digamma(b + x) - digamma(b)) - hazard
    return -value / total, -gradient * np.exp(theta) / total


def _added(weights: Numbers, place: NDArray[np.int64], places: int) -> Numbers:
    return np.bincount(place, weights=weights, minlength=places).astype(np.float64)
