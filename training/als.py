"""Fit the factorisation: alternating least squares on what members met."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.histories import Histories
from models.recommender import AlsRecommender
from training.interactions import Interactions


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


def fit_als(met: Interactions, settings: AlsSettings, seed: int = 0) -> AlsRecommender:
    """Factorise by alternating least squares; the same input and seed give the same model.

    Confidence of a pair that met is ``1 + weight / alpha0`` with weights of mean 1, of any other
    pair 1: divided by ``alpha0``, this is the loss of iALS. The members' factors are solved once
    more, exactly, for the items' last ones, so that a member folded in later from the same history
    gets the same factors.

    Source: Hu, Koren and Volinsky, ICDM 2008; mapping and settings after Rendle, Krichene, Zhang
    and Koren, "Revisiting the performance of iALS", 2021 (arXiv 2110.14037).
    """
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix
    from threadpoolctl import threadpool_limits

    per_weight = 1 / (float(met.weights.mean()) * settings.alpha0)
    shape = (len(met.member_ids), len(met.item_ids))
    confidence = (1 + met.weights * per_weight).astype(np.float32)
    matrix = csr_matrix((confidence, (met.members, met.items)), shape=shape)
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
        rough = AlsRecommender(
            met.member_ids,
            met.item_ids,
            als.user_factors,
            als.item_factors,
            met.popularity,
            regularization=settings.regularization,
            confidence=per_weight,
        )
        histories = Histories.of(shape[0], met.members, met.items, met.weights)
        return replace(rough, member_factors=rough.solver().factors(histories))
