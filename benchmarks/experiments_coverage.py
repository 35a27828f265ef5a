"""How often intervals hold the truth: means, relative lifts, ratios, CUPED; and wrong shares found.

Arms of 1,500 and 4,500 members with the skewed money of ``benchmarks.experiments_arms``. Each
reference is the plain way on the same members: a pooled variance, a lift whose control is taken as
known, a test per send, no covariate.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

import numpy as np

from benchmarks.experiments_arms import BASKET, BUYERS, Numbers, money, pair
from benchmarks.figure import Figure
from experiments.cells import NAMES, Cell, Cells
from experiments.contrast import Estimate, Lift, Side, Untold, lift
from experiments.cuped import slopes
from experiments.moments import Moments
from experiments.ratio import ratio_lift
from experiments.sequential_srm import sequential_srm
from experiments.srm import sample_ratio

ALPHA, WIDE = 0.05, 1.959964
TREATED, CONTROL, LIFT = 1_500, 4_500, 0.3
MEAN = BUYERS * BASKET  # of the control
_SHARES = {"champion": 0.4, "challenger": 0.3, "random": 0.2, "holdout": 0.1}


def figures(runs: int) -> Iterator[Figure]:
    ways = {"mean": _mean, "relative_lift": _relative, "ratio": _ratio, "cuped": _cuped}
    plain = {
        "mean": "pooled variance", "relative_lift": "the control taken as known",
        "ratio": "a test per send", "cuped": "no covariate",
    }  # fmt: skip
    for number, (name, way) in enumerate(ways.items()):
        found = [way(np.random.default_rng([3, number, seed])) for seed in range(runs)]
        ours, reference, wide, other = (float(column) for column in np.mean(found, axis=0))
        yield Figure(
            f"coverage_{name}", ours, reference, "share", ours / reference,
            f".93 to .97; beside it {plain[name]}", 0.93 <= ours <= 0.97,
        )  # fmt: skip
        if name == "cuped":
            yield Figure(
                "cuped_width", wide, other, "money a member", wide / other,
                "below .9 of the width without the covariate", wide < 0.9 * other,
            )  # fmt: skip


def wrong_shares(runs: int) -> Iterator[Figure]:
    """False alarms of the tests of the shares, and a mismatch that has to be found."""
    from scipy.stats import chisquare

    random = np.random.default_rng(5)
    share = list(_SHARES.values())
    counts = random.multinomial(10_000, share, runs)
    ours = float(np.mean([_srm_alarm(_SHARES, row) for row in counts.tolist()]))
    theirs = float(np.mean(chisquare(counts, 10_000 * np.array(share), axis=1).pvalue < 0.001))
    yield Figure(
        "srm_false_alarms", ours, theirs, "share", ours / theirs if theirs else 1.0,
        "at most .002; equal to scipy's", ours <= 0.002 and ours == theirs,
    )  # fmt: skip
    halves = {"control": 0.5, "treated": 0.5}
    found = _srm_alarm(halves, [50_600, 49_400])
    quiet = not _srm_alarm(halves, [50_200, 49_800])
    p = float(chisquare([50_600, 49_400]).pvalue)
    yield Figure(
        "srm_50.6_to_49.4_of_100000", float(found), p, "found; scipy's p", 1.0,
        "found, and 50.2 to 49.8 is not", found and quiet,
    )  # fmt: skip
    yield _watched(max(runs // 20, 100))


def _watched(runs: int) -> Figure:
    """Daily for a hundred days, at the level of the alarm times 50 so that there is one to see."""
    alpha = 0.05
    random = np.random.default_rng(6)
    counts = random.binomial(1_000, 0.5, (runs, 100)).cumsum(axis=1)
    members = 1_000 * np.arange(1, 101)
    z = np.abs(counts - members / 2) / np.sqrt(members / 4)
    plain = float((z > WIDE).any(axis=1).mean())
    halves = {"control": 0.5, "treated": 0.5}
    ever = 0
    for run in counts.tolist():
        p = 1.0
        for day, count in enumerate(run, 1):
            p = sequential_srm({"control": count, "treated": 1_000 * day - count}, halves, p).p
        ever += p < alpha
    ours = ever / runs
    return Figure(
        "srm_watched_daily_at_.05", ours, plain, "share", ours / plain,
        "at most .05; the plain test looked at as often beside it", ours <= alpha,
    )  # fmt: skip


def _srm_alarm(shares: dict[str, float], counts: list[int]) -> bool:
    from datetime import UTC, datetime

    zeros, spread = np.zeros(len(NAMES)), np.zeros((len(NAMES), len(NAMES)))
    cells = tuple(
        Cell(arm, 0, "", "", True, Moments(NAMES, count, zeros, spread))
        for arm, count in zip(shares, counts, strict=True)
    )
    return sample_ratio(Cells(datetime(2026, 1, 1, tzinfo=UTC), (shares,), cells)).passed is False


Found = tuple[float, float, float, float]  # ours and plain: whether it covers; both widths


def _mean(random: np.random.Generator) -> Found:
    treated, control = money(TREATED, random, LIFT), money(CONTROL, random)
    both = pair(("margin",), treated[:, None], control[:, None])
    found = _told(lift("margin", *both, ALPHA))
    pooled = (treated.var() * TREATED + control.var() * CONTROL) / (TREATED + CONTROL - 2)
    wide = WIDE * sqrt(pooled * (1 / TREATED + 1 / CONTROL))
    return _covers(found.difference, found.difference.value, wide, LIFT * MEAN)


def _relative(random: np.random.Generator) -> Found:
    treated, control = money(TREATED, random, LIFT), money(CONTROL, random)
    found = _told(lift("margin", *pair(("margin",), treated[:, None], control[:, None]), ALPHA))
    if isinstance(found.relative, Untold):
        raise AssertionError(found.relative.told)
    wide = WIDE * sqrt(treated.var() / TREATED) / control.mean()
    return _covers(found.relative, found.relative.value, wide, LIFT)


def _ratio(random: np.random.Generator) -> Found:
    """Margin per send: members get one to eight, and who gets many spends more on each."""
    values = [_sends(members, random) for members in (TREATED, CONTROL)]
    both = pair(("margin", "sends"), *values)
    found = _told(ratio_lift("margin_per_send", *both, ALPHA))
    wide = WIDE * sqrt(sum(_per_send(*one.T) for one in values))
    return _covers(found.difference, found.difference.value, wide, 0.0)


def _per_send(margin: Numbers, sends: Numbers) -> float:
    """Variance of the mean margin of a send, as if a member's sends were independent."""
    off = margin / sends - margin.sum() / sends.sum()
    return float(sends @ off**2 / sends.sum() ** 2)


def _sends(members: int, random: np.random.Generator) -> Numbers:
    sends = random.integers(1, 9, members).astype(np.float64)
    usual = random.lognormal(0.0, 0.7, members) * (1 + 0.1 * sends)
    return np.column_stack([sends * usual * random.lognormal(0.0, 0.3, members), sends])


def _cuped(random: np.random.Generator) -> Found:
    """Before and after share a habit: their logarithms correlate by .6."""
    names = ("margin", "before_margin")
    values = []
    for members, effect in ((TREATED, 0.5), (CONTROL, 0.0)):
        habit, one, other = random.normal(size=(3, members))
        after = np.exp(0.5 * (sqrt(0.6) * habit + sqrt(0.4) * one)) + effect
        before = np.exp(0.5 * (sqrt(0.6) * habit + sqrt(0.4) * other))
        values.append(np.column_stack([after, before]))
    both: tuple[Side, Side] = pair(names, *values)
    plain = _told(lift("margin", *both, ALPHA))
    adjusted = _told(lift("margin", *both, ALPHA, slopes("margin", ("before_margin",), *both)))
    wide = (plain.difference.high - plain.difference.low) / 2
    return _covers(adjusted.difference, plain.difference.value, wide, 0.5)


def _covers(ours: Estimate, plain: float, wide: float, truth: float) -> Found:
    covers = float(ours.low <= truth <= ours.high)
    return covers, float(abs(plain - truth) <= wide), (ours.high - ours.low) / 2, wide


def _told(found: Lift | Untold) -> Lift:
    if isinstance(found, Untold):
        raise AssertionError(found.told)
    return found
