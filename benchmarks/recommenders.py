"""Recommenders: Gowalla with full ranking, and the next basket of Online Retail on a time split.

Gowalla in LightGCN's split: every item that a member did not visit before is ranked. The reference
of our lists is popularity; published on this split are LightGCN with .182/.155 (He et al., SIGIR
2020) and GF-CF with .185/.152 (Shen et al., CIKM 2021). The factorisation has settings after Rendle
et al. (2021); those of the graph filter are its defaults, chosen on a part of the training visits
that was held out. Training time stands beside that of ``implicit`` with the same settings, the two
taking turns.

Online Retail: both raw sheets through the whole path, as of 2011-10-31, so that the next baskets
are those from 2011-10-01 on. The reference is personal frequency, completed by popularity. The
settings of the repeat model were chosen on earlier months.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import Figure, data_folder
from features.importers.online_retail import import_online_retail
from features.workspace import Workspace
from models.listing import Recommender
from models.plain import Popularity
from training.als import AlsSettings, fit_als
from training.evaluation.ranking import RankingQuality, member_quality
from training.graph_filter_fit import GraphSettings, fit_graph_filter
from training.interactions import Interactions
from training.repeat import train_repeat

PLACES = 20
ALS = AlsSettings(factors=256, alpha0=0.02, regularization=30.0)
ALS_GOAL, EXPLORE_GOAL = (0.170, 0.140), (0.184, 0.151)
SHEETS = ("raw_2009_2010.parquet", "raw_2010_2011.parquet")
AS_OF = datetime(2011, 10, 31, tzinfo=UTC)
MOST_TIME, LEAST_GAIN = 1.1, 1.2
QUICK_MEMBERS = 3_000


@dataclass(frozen=True, eq=False)
class Visits:
    """Gowalla: what members visited, and where they went afterwards."""

    met: Interactions
    later: Mapping[str, Collection[str]]

    def quality(self, recommender: Recommender) -> RankingQuality:
        """Full rankings of all items that a member did not visit before."""
        names = [item.decode() for item in self.met.item_ids.tolist()]
        visited: dict[str, list[str]] = {}
        for member, item in zip(self.met.members, self.met.items, strict=True):
            visited.setdefault(self.met.member_ids[member].decode(), []).append(names[item])
        answers = recommender.recommend(list(self.later), PLACES, visited)
        lists = [answer.items for answer in answers]
        return member_quality(lists, list(self.later.values()), PLACES).means


def figures(quick: bool) -> Iterator[Figure]:
    """``quick``: a tenth of Gowalla's members and a small factorisation; the same baskets."""
    visits = gowalla(data_folder() / "gowalla", QUICK_MEMBERS if quick else None)
    settings = replace(ALS, factors=32, iterations=5) if quick else ALS
    yield from _gowalla_figures(visits, settings, quick)
    yield _next_basket()


def gowalla(folder: Path, most_members: int | None = None) -> Visits:
    """The split as published; the first members only where there are to be fewer."""
    import pandas as pd

    edges = pd.read_parquet(folder / "train_edges.parquet").sort_values(["user", "item"])
    later: dict[str, list[str]] = {}
    for line in (folder / "test.txt").read_text().splitlines():
        member, *visited = line.split()
        if visited:
            later[_name(int(member))] = [_name(int(item)) for item in visited]
    if most_members is not None:
        edges = edges[edges.user < most_members]
        later = {member: later[member] for member in later if int(member) < most_members}
    users, members = np.unique(edges.user.to_numpy(), return_inverse=True)
    places, items = np.unique(edges.item.to_numpy(), return_inverse=True)
    popularity = np.bincount(items, minlength=len(places)).astype(np.float32)
    met = Interactions(_ids(users), _ids(places), members, items, np.ones(len(members)), popularity)
    return Visits(met, later)


def _gowalla_figures(visits: Visits, settings: AlsSettings, quick: bool) -> Iterator[Figure]:
    plain = visits.quality(Popularity(visits.met.item_ids, visits.met.popularity))
    graph = visits.quality(fit_graph_filter(visits.met, GraphSettings()))
    yield from _beside("gowalla_explore", graph, plain, EXPLORE_GOAL)
    ours, theirs = [], []
    for _ in range(3 if quick else 1):
        began = time.perf_counter()
        factorised = fit_als(visits.met, settings)
        ours.append(time.perf_counter() - began)
        theirs.append(_seconds_of_implicit(visits.met, settings))
    yield from _beside("gowalla_als", visits.quality(factorised), plain, ALS_GOAL)
    ratio = min(ours) / min(theirs)
    yield Figure(
        "gowalla_als_training",
        min(ours),
        min(theirs),
        "s, implicit",
        ratio,
        f"at most {MOST_TIME} times implicit's own",
        ratio <= MOST_TIME,
    )


def _beside(
    name: str, found: RankingQuality, plain: RankingQuality, goals: tuple[float, float]
) -> Iterator[Figure]:
    for metric, goal in zip(("recall", "ndcg"), goals, strict=True):
        value, reference = getattr(found, metric), getattr(plain, metric)
        yield Figure(
            f"{name}_{metric}_at_{PLACES}",
            value,
            reference,
            "mean over members, popularity",
            value / reference,
            f"at least {goal:.3f} with all members",
            value >= goal,
        )


def _seconds_of_implicit(met: Interactions, settings: AlsSettings) -> float:
    """Its fit alone, on a matrix that is ready, with one BLAS thread as it wants it."""
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix
    from threadpoolctl import threadpool_limits

    confidence = np.full(len(met.weights), 1 + 1 / settings.alpha0, dtype=np.float32)
    shape = (len(met.member_ids), len(met.item_ids))
    matrix = csr_matrix((confidence, (met.members, met.items)), shape=shape)
    with threadpool_limits(1, "blas"):
        als = AlternatingLeastSquares(
            factors=settings.factors,
            regularization=settings.regularization,
            alpha=1.0,
            iterations=settings.iterations,
            random_state=0,
        )
        began = time.perf_counter()
        als.fit(matrix, show_progress=False)
        return time.perf_counter() - began


def _next_basket() -> Figure:
    source = data_folder() / "online_retail"
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Workspace(Path(scratch))
        import_online_retail(workspace, [source / name for name in SHEETS])
        trained = train_repeat(workspace, AS_OF)
    recall = trained.comparisons[0]
    reference = recall.baselines["frequency"]
    ratio = recall.ours / reference
    return Figure(
        "next_basket_recall_at_10",
        recall.ours,
        reference,
        "mean over members, personal frequency then popularity",
        ratio,
        f"at least {LEAST_GAIN} times personal frequency",
        ratio >= LEAST_GAIN,
    )


def _name(number: int) -> str:
    return f"{number:06d}"


def _ids(numbers: NDArray[np.int64]) -> NDArray[np.bytes_]:
    return np.array([_name(number).encode() for number in numbers.tolist()], dtype=np.bytes_)
