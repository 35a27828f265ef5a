"""How good lists are on a later period: full rankings, repeat and explore apart.

Every item the recommender knows can be listed: rankings against a sample of items rank models
differently (Krichene and Rendle, KDD 2020) and decide nothing here.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features.tables import Tables
from models.listing import Recommendation, Recommender
from training.charts import Chart, Series
from training.comparison import Comparison
from training.errors import TrainingError
from training.interactions import item_purchases, next_orders

Kind = Literal["all", "repeat", "explore"]
KINDS: tuple[Kind, ...] = ("all", "repeat", "explore")
MOST_MEASURED = 20_000  # members whose lists are measured; more are sampled


@dataclass(frozen=True, slots=True)
class RankingQuality:
    """Means over the members with something to find.

    recall: share of what a member wanted that is among the first ``k``.
    ndcg: the same, with what stands higher counting more; 1 is a perfect list.
    members: over how many.
    """

    recall: float
    ndcg: float
    members: int


@dataclass(frozen=True, eq=False)
class MemberQuality:
    """Recall and NDCG of each member, in the order asked."""

    recall: NDArray[np.float64]  # (members,)
    ndcg: NDArray[np.float64]  # (members,)

    @property
    def means(self) -> RankingQuality:
        return RankingQuality(float(self.recall.mean()), float(self.ndcg.mean()), len(self.recall))


@dataclass(frozen=True, slots=True)
class LaterPeriod:
    """What members bought after a split, and what they had bought before it.

    owned: items bought before, by member; who bought nothing may be missing.
    wanted: items bought later, one or more for each member.
    """

    owned: Mapping[str, Collection[str]]
    wanted: Mapping[str, Collection[str]]

    def among(self, members: Collection[str], most: int, seed: int) -> LaterPeriod:
        """Those of ``members`` who bought later, in order of id; at most ``most``, drawn.

        Raises:
            TrainingError: none did.
        """
        found = sorted(self.wanted.keys() & members)
        if not found:
            raise TrainingError(
                "no member with earlier events bought an item in the test window; "
                "nothing to measure on"
            )
        if len(found) > most:
            drawn = np.random.default_rng(seed).choice(len(found), most, replace=False)
            found = [found[row] for row in sorted(drawn)]
        owned = {member: self.owned.get(member, ()) for member in found}
        return LaterPeriod(owned, {member: self.wanted[member] for member in found})

    def of_kind(self, kind: Kind) -> tuple[dict[str, set[str]], Mapping[str, Collection[str]]]:
        """What counts as found for each member, and what may not be listed.

        ``all``: everything bought counts. ``repeat``: only what was bought before counts.
        ``explore``: what was bought before is neither listed nor counted. Members for whom nothing
        counts are left out.
        """
        wanted: dict[str, set[str]] = {}
        for member, items in self.wanted.items():
            owned = set(self.owned.get(member, ()))
            counted = {
                "all": set(items), "repeat": owned.intersection(items),
                "explore": set(items) - owned,
            }[kind]  # fmt: skip
            if counted:
                wanted[member] = counted
        barred = self.owned if kind == "explore" else {}
        return wanted, barred


def later_period(
    tables: Tables, split: datetime, end: datetime, *, next_order: bool = False
) -> LaterPeriod:
    """A time split: who bought what in ``[split, end)``, as known at ``end``.

    Args:
        next_order: only each member's first order of the period, its next basket.
    """
    owned = item_purchases(tables, None, split, split)
    wanted = (next_orders if next_order else item_purchases)(tables, split, end, end)
    return LaterPeriod(owned, wanted)


def member_quality(
    ranked: Sequence[Sequence[str]], wanted: Sequence[Collection[str]], k: int
) -> MemberQuality:
    """Recall and NDCG at ``k`` of full rankings; every member wanted something.

    Recall divides by all that a member wanted, also where that is more than ``k``; NDCG by the
    best list that ``k`` places can hold (Järvelin and Kekäläinen 2002, gains 0 and 1).

    Raises:
        TrainingError: nobody is there, or a member wanted nothing.
    """
    if not wanted or not all(wanted):
        raise TrainingError("no member bought anything in the test window; nothing to rank for")
    discounts = 1 / np.log2(np.arange(2, k + 2))
    recall, ndcg = np.empty(len(wanted)), np.empty(len(wanted))
    for row, (items, found) in enumerate(zip(ranked, wanted, strict=True)):
        hits = np.array([item in found for item in items[:k]], dtype=bool)
        recall[row] = hits.sum() / len(found)
        ndcg[row] = discounts[: len(hits)][hits].sum() / discounts[: min(k, len(found))].sum()
    return MemberQuality(recall, ndcg)


def lists_quality(
    recommender: Recommender, later: LaterPeriod, kind: Kind, k: int
) -> MemberQuality:
    """How good the recommender's own lists are for one kind of later purchase.

    Raises:
        TrainingError: nobody wanted anything of this kind.
    """
    wanted, barred = later.of_kind(kind)
    answers: list[Recommendation] = recommender.recommend(list(wanted), k, barred)
    return member_quality([answer.items for answer in answers], list(wanted.values()), k)


@dataclass(frozen=True, eq=False)
class Rivals:
    """Whom a recommender is compared with, on the same members.

    baselines: by name.
    champion: the one that serves; None where there is none, or none that can be compared.
    """

    baselines: Mapping[str, Recommender]
    champion: Recommender | None = None


def compare_lists(
    recommender: Recommender, rivals: Rivals, later: LaterPeriod, kinds: Sequence[Kind], k: int
) -> tuple[Comparison, ...]:
    """Recall and NDCG at ``k`` for each kind that anyone bought, in the order of ``kinds``."""
    made: list[Comparison] = []
    for kind in kinds:
        if not later.of_kind(kind)[0]:
            continue
        ours = lists_quality(recommender, later, kind, k)
        theirs = {
            name: lists_quality(other, later, kind, k).means
            for name, other in rivals.baselines.items()
        }
        champion = rivals.champion
        old = None if champion is None else lists_quality(champion, later, kind, k)
        for metric in ("recall", "ndcg"):
            values = getattr(ours, metric)
            made.append(
                Comparison(
                    f"{metric}@{k} {kind}",
                    float(values.mean()),
                    {name: getattr(quality, metric) for name, quality in theirs.items()},
                    champion=None if old is None else float(getattr(old, metric).mean()),
                    error=None if old is None else paired_error(values, getattr(old, metric)),
                )
            )
    return tuple(made)


def lists_chart(comparisons: Sequence[Comparison]) -> Chart:
    """Every figure of the lists, beside those of the baselines and of the champion."""
    names = [one.metric for one in comparisons]
    series = [Series("model", names, [one.ours for one in comparisons], "bars")]
    for baseline in comparisons[0].baselines:
        values = [one.baselines[baseline] for one in comparisons]
        series.append(Series(baseline, names, values, "points"))
    if comparisons[0].champion is not None:
        values = [float(one.champion or 0) for one in comparisons]
        series.append(Series("champion", names, values, "points"))
    return Chart("Lists on a later period", "figure", "mean over members", tuple(series))


def paired_error(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Standard error of the mean difference of two figures of the same members; 0 for one."""
    n = len(ours)
    return float((ours - theirs).std(ddof=1) / math.sqrt(n)) if n > 1 else 0.0
