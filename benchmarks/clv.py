"""Lifetime value: CDNOW beside the published fit and ``lifetimes``, many members, and seasons.

CDNOW: the tenth of the customers that Fader, Hardie and Lee (2005) fitted, 39 weeks to fit on and
39 to promise. The sample holds no ids of the whole file; ``lifetimes`` knows them. A million
members are drawn from the published fit, in whole days. The season is that of Online Retail from
2011-09-10, beside the same model without one.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import log
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.figure import Figure, data_folder
from features.importers.online_retail import import_online_retail
from features.tables import opened
from features.workspace import Workspace
from models.bgnbd import BgNbd
from models.clv import Clv
from training.bgnbd import drawn, fit_bgnbd, log_likelihood
from training.buyers import bought_between, buyers
from training.clv import train_clv
from training.clv_measure import mae, rmse
from training.trained import MEASURED

Numbers = NDArray[np.float64]
WEEKS = 39
FIT_UNTIL = pd.Timestamp("1997-09-30")
PUBLISHED = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
SHEETS = ("raw_2009_2010.parquet", "raw_2010_2011.parquet")
AS_OF = datetime(2011, 12, 9, tzinfo=UTC)


@dataclass(frozen=True, eq=False)
class Customers:
    """(n,) each: purchases after the first, time to the last of them, time seen."""

    frequency: Numbers
    recency: Numbers
    age: Numbers

    @property
    def columns(self) -> tuple[Numbers, Numbers, Numbers]:
        return self.frequency, self.recency, self.age


def figures(quick: bool) -> Iterator[Figure]:
    """All of them; ``quick`` draws 100,000 members rather than a million."""
    yield from _cdnow()
    yield from _many(100_000 if quick else 1_000_000)
    yield from _season()


def _cdnow() -> Iterator[Figure]:
    sample = pd.read_csv(data_folder() / "cdnow" / "cdnow_customers_summary_with_transactions.csv")
    seen = Customers(*(sample[column].to_numpy(dtype=np.float64) for column in ("x", "t_x", "T")))
    ours, theirs = fit_bgnbd(*seen.columns), _lifetimes(seen)
    for name, wanted in PUBLISHED.items():
        value, reference = getattr(ours, name), getattr(theirs, name)
        holds = abs(value - wanted) <= 0.002 and abs(value - reference) <= 0.002
        goal = f"{wanted} to 0.002, and equal to lifetimes"
        yield Figure(f"cdnow_{name}", value, reference, "", value / reference, goal, holds)
    value, reference = (log_likelihood(model, *seen.columns) for model in (ours, theirs))
    holds = abs(value + 9582.4) <= 0.1 and value >= reference - 1e-3
    goal = "-9582.4 to 0.1, and not below lifetimes"
    yield Figure("cdnow_log_likelihood", value, reference, "nat", value / reference, goal, holds)
    later = _later(seen)
    promised = [model.expected_purchases(WEEKS, *seen.columns) for model in (ours, theirs)]
    for name, measure, most in (("mae", mae, 0.79), ("rmse", rmse, 1.61)):
        value, reference = (measure(promise, later) for promise in promised)
        holds = value <= most and value <= reference + 1e-3
        goal = f"at most {most}, and not above lifetimes"
        ratio = value / reference
        yield Figure(f"cdnow_{name}_39_weeks", value, reference, "purchases", ratio, goal, holds)


def _later(seen: Customers) -> Numbers:
    """Days with a purchase in the 39 weeks after, of the sample, from the file of everybody."""
    import lifetimes.datasets

    orders = pd.read_csv(
        data_folder() / "cdnow" / "CDNOW_master.txt",
        sep=r"\s+", skiprows=1, names=["id", "date", "cds", "value"], dtype={"id": str},
    )  # fmt: skip
    orders["date"] = pd.to_datetime(orders["date"].astype(str))
    listed = Path(lifetimes.datasets.__file__).parent / "CDNOW_sample.txt"
    names = pd.read_csv(
        listed, sep=r"\s+", header=None, usecols=[0, 1], names=["id", "place"], dtype=str
    )
    ids = names.drop_duplicates("place").sort_values("place")["id"]
    fitted = orders[orders["date"] <= FIT_UNTIL].groupby("id")["date"].nunique()
    if not np.array_equal(fitted.reindex(ids).to_numpy() - 1, seen.frequency):
        raise ValueError("the sample is not made of the customers that lifetimes names")
    later = orders[orders["date"] > FIT_UNTIL].groupby("id")["date"].nunique()
    return np.asarray(later.reindex(ids).fillna(0), dtype=np.float64)


def _many(members: int) -> Iterator[Figure]:
    """Seconds to fit members drawn from the published parameters, times in days."""
    truth = BgNbd(PUBLISHED["r"], 7 * PUBLISHED["alpha"], PUBLISHED["a"], PUBLISHED["b"])
    random = np.random.default_rng(0)
    age = random.integers(27 * 7, 39 * 7 + 1, members).astype(np.float64)
    seen = Customers(*drawn(truth, age, random), age)
    began = time.perf_counter()
    ours = fit_bgnbd(*seen.columns)
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    _lifetimes(seen)
    reference = time.perf_counter() - began
    near = abs(ours.r / truth.r - 1) < 0.05 and abs(ours.alpha / truth.alpha - 1) < 0.05
    goal = "a million members in under 30 s, r and alpha found to 5 %"
    holds = seconds * 1_000_000 / members < 30 and near
    ratio = seconds / reference
    yield Figure(f"bgnbd_fit_{members}", seconds, reference, "s", ratio, goal, holds)


def _season() -> Iterator[Figure]:
    """Purchases promised for the last 90 days of Online Retail over those that happened."""
    source = data_folder() / "online_retail"
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Workspace(Path(scratch))
        import_online_retail(workspace, [source / name for name in SHEETS])
        trained = train_clv(workspace, AS_OF)
        model = Clv.load(trained.folder.parent / MEASURED)
        start = AS_OF - timedelta(days=model.horizon_days)
        rate = workspace.conventions.default_margin_rate
        with opened(workspace) as tables:
            seen = buyers(tables, start, rate)
            found = bought_between(tables, seen.member_ids, start, AS_OF, rate)
    ours, reference = (
        float(one.predict(seen.histories).purchases.sum() / found.purchases.sum())
        for one in (model, replace(model, level=1.0))
    )
    goal = "0.8 to 1.25, and nearer to 1 than without a season"
    holds = 0.8 <= ours <= 1.25 and abs(log(ours)) < abs(log(reference))
    yield Figure("clv_promised_90d", ours, reference, "of what came", ours / reference, goal, holds)
    error = trained.comparisons[0]
    best = min(error.baselines.values())
    ratio = error.ours / best
    goal = "below every plain way"
    yield Figure("clv_rmse_90d", error.ours, best, "purchases", ratio, goal, ratio < 1)


def _lifetimes(seen: Customers) -> BgNbd:
    # Dead since 2020: it warns of what numpy and pandas have changed since.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lifetimes import BetaGeoFitter

        fitted = BetaGeoFitter().fit(*seen.columns)
    return BgNbd(**{name: float(fitted.params_[name]) for name in PUBLISHED})
