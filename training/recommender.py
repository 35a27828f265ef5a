"""Train the recommender on what members looked at and bought, and measure it on a later period."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from features.moments import moment as in_utc
from features.progress import Progress, silent
from features.tables import opened
from features.taste import remember_item_vectors
from features.workspace import Workspace
from models.recommender import KIND, AlsRecommender
from training.errors import TrainingError
from training.evaluation.metrics import RankingQuality, ranking_quality
from training.interactions import (
    HALF_LIFE_DAYS,
    WEIGHTS,
    Interactions,
    interactions,
    item_purchases,
)
from training.trained import Account, Comparison, Trained, record

STAGE = "recommender"
PLACES = 10
MOST_MEASURED = 20_000  # members whose lists are measured; more are sampled


@dataclass(frozen=True, slots=True)
class AlsSettings:
    """Settings of the factorisation; the defaults ranked best on Online Retail before 2011-10.

    factors: at most; never more than half the items or members.
    alpha0: weight of an unseen pair, as in iALS (Rendle et al. 2021).
    regularization: the same for every member and item.
    """

    factors: int = 128
    alpha0: float = 0.3
    regularization: float = 40.0
    iterations: int = 15


def train_recommender(
    workspace: Workspace,
    as_of: datetime,
    horizon_days: int = 30,
    seed: int = 0,
    progress: Progress = silent,
) -> Trained:
    """Measure on the last ``horizon_days``, then fit on everything known at ``as_of``.

    Unlike a propensity, a factorisation only knows members and items that it was fitted on, so
    what is kept is fitted again, with the settings that were measured. What both learned about
    items is remembered for the view taste, each from its own moment on.

    Raises:
        TrainingError: no events with items before the split, or nobody bought an item after it.
    """
    if horizon_days < 1:
        raise TrainingError(f"horizon is {horizon_days} days, wanted 1 or more")
    as_of = in_utc(as_of)
    split = as_of - timedelta(days=horizon_days)
    settings = AlsSettings()
    progress(STAGE, 0, 4)
    with opened(workspace) as tables:
        earlier = interactions(tables, split)
        owned = item_purchases(tables, None, split, split)
        wanted = item_purchases(tables, split, as_of, as_of)
        everything = interactions(tables, as_of)
    progress(STAGE, 1, 4)
    measured = fit_als(earlier, settings, seed)
    comparisons = compare(measured, owned, wanted, seed)
    progress(STAGE, 2, 4)
    model = fit_als(everything, settings, seed)
    progress(STAGE, 3, 4)
    params = {
        **asdict(settings),
        "factors": model.item_factors.shape[1],
        "half_life_days": HALF_LIFE_DAYS,
        **{f"weight_{name}": weight for name, weight in WEIGHTS.items()},
        "seed": seed,
        "horizon_days": horizon_days,
        "members": len(everything.member_ids),
        "items": len(everything.item_ids),
        "pairs": len(everything.weights),
    }
    facts = {
        "data_window": f"until {as_of:%Y-%m-%d}, measured from {split:%Y-%m-%d}",
        "feature_service": "none: reads events",
        "dataset_digest": _digest(everything),
    }
    trained = record(workspace, KIND, model, Account(comparisons, params, facts))
    remember_item_vectors(workspace, split, measured.item_ids, measured.item_factors)
    remember_item_vectors(workspace, as_of, model.item_ids, model.item_factors)
    progress(STAGE, 4, 4)
    return trained


def fit_als(met: Interactions, settings: AlsSettings, seed: int = 0) -> AlsRecommender:
    """Factorise by alternating least squares; the same input and seed give the same model.

    Confidence of a pair that met is ``1 + weight / alpha0`` with weights of mean 1, of any other
    pair 1: divided by ``alpha0``, this is the loss of iALS.

    Source: Hu, Koren and Volinsky, ICDM 2008; mapping and settings after Rendle, Krichene, Zhang
    and Koren, "Revisiting the performance of iALS", 2021 (arXiv 2110.14037).
    """
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix
    from threadpoolctl import threadpool_limits

    confidence = 1 + met.weights / met.weights.mean() / settings.alpha0
    shape = (len(met.member_ids), len(met.item_ids))
    matrix = csr_matrix((confidence.astype(np.float32), (met.members, met.items)), shape=shape)
    # implicit runs threads of its own; those of the linear algebra under it would fight them, and
    # one thread sums in one order.
    with threadpool_limits(1, "blas"):
        als = AlternatingLeastSquares(
            factors=max(1, min(settings.factors, *(size // 2 for size in shape))),
            regularization=settings.regularization,
            alpha=1.0,
            iterations=settings.iterations,
            random_state=seed,
        )
        als.fit(matrix, show_progress=False)
    return AlsRecommender(
        met.member_ids, met.item_ids, als.user_factors, als.item_factors, met.popularity
    )


def compare(
    model: AlsRecommender,
    owned: Mapping[str, set[str]],
    wanted: Mapping[str, set[str]],
    seed: int = 0,
) -> tuple[Comparison, ...]:
    """Full rankings for members the model knows, beside popularity; recall over all items decides.

    ``all``: any item, and everything bought counts. ``explore``: items bought before are neither
    listed nor counted. Items that appeared only later count as missed.

    Args:
        owned: items that each member had bought before.
        wanted: items that each member bought in the later period.

    Raises:
        TrainingError: no known member bought an item in the later period.
    """
    known = {item.decode() for item in model.member_ids.tolist()}
    members = sorted(known & wanted.keys())
    if not members:
        raise TrainingError(
            "no member with earlier events bought an item in the test window; nothing to measure on"
        )
    if len(members) > MOST_MEASURED:
        chosen = np.random.default_rng(seed).choice(len(members), MOST_MEASURED, replace=False)
        members = [members[row] for row in sorted(chosen)]
    # The same answers, knowing nobody: what is popular, for everyone.
    popular = replace(
        model, member_ids=model.member_ids[:0], member_factors=model.member_factors[:0]
    )
    before = {member: owned.get(member, set()) for member in members}
    found = {member: wanted[member] for member in members}
    new = {member: found[member] - before[member] for member in members}
    comparisons = _side_by_side("all", model, popular, found, {})
    if any(new.values()):
        comparisons += _side_by_side("explore", model, popular, new, before)
    return comparisons


def _side_by_side(
    kind: str,
    model: AlsRecommender,
    popular: AlsRecommender,
    wanted: Mapping[str, set[str]],
    exclude: Mapping[str, set[str]],
) -> tuple[Comparison, ...]:
    def quality(recommender: AlsRecommender) -> RankingQuality:
        answers = recommender.recommend(list(wanted), PLACES, exclude)
        ranked = {member: answer.items for member, answer in zip(wanted, answers, strict=True)}
        return ranking_quality(ranked, wanted, PLACES)

    ours, theirs = quality(model), quality(popular)
    return (
        Comparison(f"recall@{PLACES} {kind}", ours.recall, {"popularity": theirs.recall}),
        Comparison(f"ndcg@{PLACES} {kind}", ours.ndcg, {"popularity": theirs.ndcg}),
    )


def _digest(met: Interactions) -> str:
    sha = hashlib.sha256()
    for ids in (met.member_ids, met.item_ids):
        sha.update(b"\n".join(ids.tolist()) + b"\n\n")
    for array in (met.members, met.items, met.weights):
        sha.update(array.tobytes())
    return sha.hexdigest()
