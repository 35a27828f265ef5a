"""How good a model is on a later period: figures of probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError

CALIBRATION_BINS = 10


@dataclass(frozen=True, slots=True)
class BinaryQuality:
    """How well probabilities told who would and who would not.

    auc: chance that one who did stands above one who did not.
    average_precision: area under precision over recall.
    log_loss: mean of −log of the probability given to what happened, in nats; lower is better.
    calibration_error: see ``calibration_error``; lower is better.
    """

    auc: float
    average_precision: float
    log_loss: float
    calibration_error: float


def binary_quality(
    outcomes: NDArray[np.bool_], probabilities: NDArray[np.float64]
) -> BinaryQuality:
    """Figures of (n,) probabilities against what happened.

    Raises:
        TrainingError: nobody did or everybody did, so that no ranking can be judged.
    """
    from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

    happened = int(outcomes.sum())
    if happened in (0, len(outcomes)):
        raise TrainingError(
            f"{happened} of {len(outcomes)} members bought in the test window; "
            "a ranking can only be judged where some did and some did not"
        )
    return BinaryQuality(
        float(roc_auc_score(outcomes, probabilities)),
        float(average_precision_score(outcomes, probabilities)),
        float(log_loss(outcomes, probabilities)),
        calibration_error(outcomes, probabilities),
    )


def calibration_error(outcomes: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> float:
    """Mean distance between what was promised and what happened, over bins of equal size.

    The expected calibration error of Naeini, Cooper and Hauskrecht (AAAI 2015) with 10 bins by
    quantile: bins of equal width would put every member into one where the outcome is rare.
    """
    bins = reliability(outcomes, probabilities)
    gaps = np.abs(bins.promised - bins.happened)
    return float((gaps * bins.members).sum() / bins.members.sum())


@dataclass(frozen=True, slots=True)
class Reliability:
    """Members in bins of rising probability; members of equal probability share a bin."""

    promised: NDArray[np.float64]  # (bins,) mean probability
    happened: NDArray[np.float64]  # (bins,) share to whom it happened
    members: NDArray[np.int64]  # (bins,) 1 or more


def reliability(
    outcomes: NDArray[np.bool_], probabilities: NDArray[np.float64], bins: int = CALIBRATION_BINS
) -> Reliability:
    edges = np.unique(np.quantile(probabilities, np.linspace(0, 1, bins + 1)[1:-1]))
    place = np.searchsorted(edges, probabilities, side="left")
    members = np.bincount(place, minlength=len(edges) + 1)
    filled = members > 0
    promised = np.bincount(place, weights=probabilities, minlength=len(members))[filled]
    happened = np.bincount(place, weights=outcomes, minlength=len(members))[filled]
    members = members[filled]
    return Reliability(promised / members, happened / members, members)


def cumulative_gain(
    outcomes: NDArray[np.bool_], scores: NDArray[np.float64], deciles: int = 10
) -> NDArray[np.float64]:
    """(deciles,) share of all who did that stand in the best tenth, two tenths, … by score.

    Equal scores keep their order in the input.
    """
    order = np.argsort(-scores, kind="stable")
    cuts = np.ceil(np.arange(1, deciles + 1) / deciles * len(order)).astype(np.int64)
    return np.asarray(np.cumsum(outcomes[order])[cuts - 1] / max(int(outcomes.sum()), 1))
