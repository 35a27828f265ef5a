"""How well a response model ranks members by what a push changes, on pushes it never saw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.response import ResponseModel
from training.push_log import PushLog
from training.trained import Comparison
from training.uplift import MeanEffect, mean_effect, scores

_PARTS = 5


@dataclass(frozen=True, eq=False)
class Measured:
    """Figures on later pushes.

    comparisons: area under the uplift curve beside plain policies, in conversions per thousand
    members averaged over all audience sizes.
    promised, happened: mean uplift by fifth of the members, best first: predicted, and measured
    by the doubly robust score.
    """

    comparisons: tuple[Comparison, ...]
    promised: tuple[float, ...]
    happened: tuple[MeanEffect, ...]


def measure(
    model: ResponseModel, log: PushLog, values: NDArray[np.float32], names: tuple[str, ...]
) -> Measured:
    """Follow the model's ranking and choice of offer, and two plain policies', through ``log``.

    The plain policies send the best single offer: to members in random order (``best_offer``),
    and to those most likely to buy first (``propensity``).
    """
    estimates = model.estimate(values, names, log.offers)
    uplift = estimates.p_if_sent - estimates.p_if_not[:, None]
    score = scores(
        log.converted.astype(np.float64),
        log.offer,
        log.probability,
        estimates.p_if_sent,
        estimates.p_if_not,
    )
    open_pairs = log.candidates[log.push]
    chosen = np.where(open_pairs, uplift, -np.inf).argmax(axis=1)
    mean = np.array([model.effect.by_offer.get(o.offer_id, 0.0) for o in log.offers])
    single = np.where(open_pairs, mean, -np.inf).argmax(axis=1)
    rows = np.arange(len(values))
    promised, gained = uplift[rows, chosen], score[rows, chosen]
    plain = score[rows, single]
    areas = {
        "best_offer": 500 * float(plain.mean()),
        "propensity": 1000 * _area(estimates.p_if_not, plain),
    }
    comparison = Comparison("uplift_area", 1000 * _area(promised, gained), areas)
    _, member = np.unique(log.rows["member_id"].to_numpy(dtype=str), return_inverse=True)
    fifths = np.array_split(np.argsort(-promised, kind="stable"), _PARTS)
    return Measured(
        (comparison,),
        tuple(float(promised[part].mean()) for part in fifths),
        tuple(mean_effect(gained[part], member[part]) for part in fifths),
    )


def _area(ranking: NDArray[np.float64], gained: NDArray[np.float64]) -> float:
    """Mean gain per member over all audience sizes, the highest ranked contacted first.

    Equal ranks share their places, so that the order of rows never counts.
    """
    _, level, count = np.unique(-ranking, return_inverse=True, return_counts=True)
    ahead = np.cumsum(count) - count / 2
    return float(((1 - ahead[level] / len(ranking)) * gained).mean())
