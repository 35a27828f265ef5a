"""Experiments on real members: Online Retail's, split at random again and again.

The money of 5,000 real members in a month is heavier in its tails than any simulation's, and some
of them bought the month before. A split changes nothing, so what is found is a false alarm; a lift
of the size that ``experiments.power`` calls just large enough is then given to one half.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

import numpy as np
import pandas as pd

from benchmarks.experiments_arms import Numbers, pair
from benchmarks.figure import Figure, data_folder
from experiments.contrast import Lift, lift
from experiments.cuped import slopes
from experiments.design import Analysis
from experiments.moments import Moments
from experiments.power import Baseline, Question, Sized, detectable

NAMES = ("revenue", "before_revenue")
DAYS, CAP = 30, 2_000.0
END = pd.Timestamp("2011-11-30")
HALVES = {"control": 0.5, "treated": 0.5}


def figures(runs: int) -> Iterator[Figure]:
    try:
        members = _members()
    except FileNotFoundError as error:
        yield Figure("online_retail_members", 0, 1, "", 0, f"not measured: {error}", False)
        return
    moments = Moments.of(NAMES, members)
    spread = moments.variance(NAMES[0]) * moments.variance(NAMES[1])
    correlation = moments.covariance(*NAMES) / sqrt(spread)
    baseline = Baseline(
        moments.mean_of(NAMES[0]), moments.variance(NAMES[0]), len(members), False, correlation
    )
    found = detectable(baseline, Question(HALVES, "control", Analysis(metric="revenue")))
    if not isinstance(found, Sized):
        raise AssertionError(found.reasons)
    random = np.random.default_rng(11)
    alike = [_told(members, 0.0, random) for _ in range(runs)]
    alarms = float(np.mean([one.p < 0.05 for one in alike]))
    chance = 3 * sqrt(0.05 * 0.95 / runs)
    yield Figure(
        f"aa_{len(members)}_real_members", alarms, 0.05, "share", alarms / 0.05,
        ".04 to .06, and chance", 0.04 - chance < alarms < 0.06 + chance,
    )  # fmt: skip
    lifted = [_told(members, found.lift, random) for _ in range(runs)]
    share = float(np.mean([one.p < 0.05 for one in lifted]))
    yield Figure(
        f"power_as_promised_{len(members)}_real_members", share, 0.8, "share", share / 0.8,
        f"within .03, and chance, of a lift of {found.lift:.2f}",
        abs(share - 0.8) < 0.03 + 2 * sqrt(0.16 / runs),
    )  # fmt: skip


def _members() -> Numbers:
    """(n, 2) revenue of everybody known a month before, in that month and the one before it."""
    file = data_folder() / "online_retail" / "online_retail_2y_purchases.parquet"
    lines = pd.read_parquet(file, columns=["CustomerID", "InvoiceDate", "Quantity", "UnitPrice"])
    lines = lines.dropna()
    paid = lines["Quantity"] * lines["UnitPrice"]
    age = (END - lines["InvoiceDate"]).dt.days
    known = lines.loc[age >= DAYS, "CustomerID"].unique()
    columns = []
    for first in (0, DAYS):
        inside = (age >= first) & (age < first + DAYS)
        total = paid[inside].groupby(lines.loc[inside, "CustomerID"]).sum()
        columns.append(total.reindex(known, fill_value=0.0).to_numpy(dtype=np.float64))
    return np.asarray(np.column_stack(columns).clip(-CAP, CAP))


def _told(members: Numbers, lifted: float, random: np.random.Generator) -> Lift:
    """One split into halves, read with the month before taken off."""
    order = random.permutation(len(members))
    treated, control = (members[part] for part in np.array_split(order, 2))
    both = pair(NAMES, treated + np.array([lifted, 0.0]), control)
    found = lift(NAMES[0], *both, 0.05, slopes(NAMES[0], NAMES[1:], *both))
    if not isinstance(found, Lift):
        raise AssertionError(found.told)
    return found
