"""How well lifetime values were promised: amounts, ranking and level, beside plain baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.clv import Clv, Histories
from training.buyers import Bought
from training.charts import Chart, Series
from training.comparison import Comparison

LEVEL_BOUND = 1.5  # times: seasons surprise, but promises further off than this are no amounts
_TENTHS = 10

Numbers = NDArray[np.float64]
Figure = Callable[[Numbers, Numbers], float]


@dataclass(frozen=True, eq=False)
class Later:
    """Members with a purchase before the measured window: what they did in it and before it.

    before: in the window of the same length that ended where the measured one begins.
    """

    horizon_days: int
    seen: Histories
    before: Bought
    found: Bought


def mae(promised: Numbers, found: Numbers) -> float:
    """Mean distance between what was promised and what happened."""
    return float(np.abs(promised - found).mean())


def rmse(promised: Numbers, found: Numbers) -> float:
    """Root of the mean squared distance; unlike the mean distance, least for true expectations."""
    return float(np.sqrt(((promised - found) ** 2).mean()))


def rank_correlation(promised: Numbers, found: Numbers) -> float:
    """Spearman's: 1 where both rank alike; 0 where one of them ranks nobody."""
    from scipy.stats import rankdata

    one, other = rankdata(promised), rankdata(found)
    if not one.std() or not other.std():
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def auc(scores: Numbers, found: Numbers) -> float:
    """Chance that a member who bought again stands above one who did not; 0.5 by chance."""
    from scipy.stats import rankdata

    bought = found > 0
    some, none = int(bought.sum()), int((~bought).sum())
    if not some or not none:
        return 0.5
    return float((rankdata(scores)[bought].sum() - some * (some + 1) / 2) / (some * none))


def total_ratio(model: Clv, later: Later) -> float:
    """Purchases promised over purchases that happened, all members together."""
    return float(model.predict(later.seen).purchases.sum() / later.found.purchases.sum())


def calibration_error(promised: Numbers, found: Numbers) -> float:
    """Mean distance between promise and outcome over tenths by promise, as a share of the mean."""
    sizes, promises, outcomes = _tenths(promised, found)
    return float((sizes * np.abs(promises - outcomes)).sum() / max(found.sum(), 1e-12))


def compare(model: Clv, later: Later, champion: Clv | None = None) -> tuple[Comparison, ...]:
    """Figures of the model beside the plain ways to say the same; the first one decides.

    Amounts: ``mean`` gives everybody the mean of the window before, ``own rate`` each member their
    purchases a day so far, ``window before`` what they did then. Rankings: by past spend, purchases
    or recency.
    """
    ours, found = model.predict(later.seen), later.found
    rival = None if champion is None else champion.predict(later.seen)
    ranks = _rankings(later.seen)

    def sides(what: str, others: Mapping[str, Numbers]) -> _Sides:
        theirs = None if rival is None else getattr(rival, what)
        return _Sides(getattr(ours, what), others, theirs, getattr(found, what))

    purchases = sides("purchases", _amounts(later, "purchases"))
    spend = sides("spend", _amounts(later, "spend"))
    return (
        purchases.deciding("rmse purchases"),
        purchases.figure("mae purchases", mae),
        spend.figure("rmse spend", rmse),
        spend.figure("mae spend", mae),
        purchases.figure("calibration error", calibration_error),
        sides("purchases", ranks).figure("auc buys again", auc, True),
        sides("margin", ranks).figure("rank correlation margin", rank_correlation, True),
    )


@dataclass(frozen=True, eq=False)
class _Sides:
    """The same promise by the model, the plain ways and the champion; and what happened."""

    ours: Numbers
    others: Mapping[str, Numbers]
    rival: Numbers | None
    found: Numbers

    def figure(self, metric: str, measure: Figure, higher_is_better: bool = False) -> Comparison:
        return Comparison(
            metric,
            measure(self.ours, self.found),
            {name: measure(values, self.found) for name, values in self.others.items()},
            higher_is_better,
            None if self.rival is None else measure(self.rival, self.found),
        )

    def deciding(self, metric: str) -> Comparison:
        """The root mean square, with the standard error of its difference to the champion's."""
        found = self.figure(metric, rmse)
        if self.rival is None:
            return found
        influences = [_influence(side - self.found) for side in (self.ours, self.rival)]
        error = float((influences[0] - influences[1]).std() / np.sqrt(len(self.found)))
        return replace(found, error=error)


def _influence(misses: Numbers) -> Numbers:
    """What each member moves the root mean square by, times the number of members."""
    squares = misses**2
    root = float(np.sqrt(squares.mean()))
    return (squares - squares.mean()) / (2 * root) if root else squares


def figures(model: Clv, later: Later) -> dict[str, Chart]:
    """Charts of the measured window."""
    ours, found = model.predict(later.seen), later.found
    return {
        "purchases": _kept("purchases", ours.purchases, found.purchases, "days with an order"),
        "spend": _kept("spend", ours.spend, found.spend, "currency"),
        "margin": _reached({"model": ours.margin, "past spend": later.seen.spend}, found.margin),
    }


def _amounts(later: Later, what: str) -> dict[str, Numbers]:
    """The plain ways to say how much a member will buy."""
    before: Numbers = getattr(later.before, what)
    if what == "purchases":
        so_far, days = later.seen.frequency, later.seen.age
    else:
        so_far, days = later.seen.spend, later.seen.age
    # Of members younger than the window all that is known is what they did in it.
    rate = so_far / np.maximum(days, later.horizon_days)
    return {
        "mean": np.full(len(before), before.mean()),
        "own rate": rate * later.horizon_days,
        "window before": before,
    }


def _rankings(seen: Histories) -> dict[str, Numbers]:
    return {
        "past spend": seen.spend,
        "past purchases": seen.purchases,
        "recency": seen.recency - seen.age,
    }


def _tenths(promised: Numbers, found: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Members, mean promise and mean outcome in tenths by promise; equal promises share one."""
    edges = np.unique(np.quantile(promised, np.linspace(0, 1, _TENTHS + 1)[1:-1]))
    place = np.searchsorted(edges, promised, side="left")
    places = len(edges) + 1
    sizes = np.bincount(place, minlength=places).astype(np.float64)
    filled = sizes > 0
    means = [
        np.bincount(place, weights=values, minlength=places)[filled] / sizes[filled]
        for values in (promised, found)
    ]
    return sizes[filled], means[0], means[1]


def _kept(what: str, promised: Numbers, found: Numbers, unit: str) -> Chart:
    """Promised against happened in tenths; on the diagonal a promise is kept."""
    _, promises, outcomes = _tenths(promised, found)
    most = float(max(promises.max(), outcomes.max(), 1e-9))
    return Chart(
        f"Promised and happened: {what} of a member",
        f"promised {what}, {unit}",
        f"{what}, {unit}",
        (
            Series("promise kept", [0.0, most], [0.0, most], "guide"),
            Series("tenths of the members", promises.tolist(), outcomes.tolist(), "points"),
        ),
    )


def _reached(scores: Mapping[str, Numbers], margin: Numbers) -> Chart:
    """Share of all margin earned by the best tenth, two tenths, … by each ranking."""
    share = (np.arange(_TENTHS + 1) / _TENTHS).tolist()
    total = margin.sum() if margin.sum() > 0 else 1.0
    series = [Series("at random", share, share, "guide")]
    for name, values in scores.items():
        earned = np.cumsum(margin[np.argsort(-values, kind="stable")]) / total
        cuts = np.ceil(np.array(share[1:]) * len(margin)).astype(int) - 1
        series.append(Series(name, share, [0.0, *earned[cuts].tolist()]))
    return Chart("Margin of the best members", "share of members", "share of margin", tuple(series))
