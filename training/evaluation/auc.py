"""How sure the area under the ROC curve is, and the difference of two of them on the same rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def auc_difference_error(
    outcomes: NDArray[np.bool_],
    ours: NDArray[np.float64],
    theirs: NDArray[np.float64],
    groups: NDArray[np.str_],
) -> float:
    """Standard error of AUC(ours) − AUC(theirs) on the same (n,) rows.

    Each row's part in the difference (a structural component of DeLong, DeLong and Clarke-Pearson,
    Biometrics 44, 1988) is summed within its group first, so that a member with many rows counts
    as one member (Obuchowski, Biometrics 53, 1997). NaN where one class only is there.

    Args:
        groups: (n,) whose row it is.
    """
    part = _parts(outcomes, ours) - _parts(outcomes, theirs)
    _, of = np.unique(groups, return_inverse=True)
    return float(np.sqrt((np.bincount(of, weights=part) ** 2).sum()))


def _parts(outcomes: NDArray[np.bool_], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) how much each row moves the AUC away from its expectation; they add up to 0."""
    from scipy.stats import rankdata

    positives, negatives = int(outcomes.sum()), int((~outcomes).sum())
    if not positives or not negatives:
        return np.full(len(outcomes), np.nan)
    among_all = rankdata(scores)
    above = np.empty(len(scores))  # share of the other class that a row is on the right side of
    above[outcomes] = (among_all[outcomes] - rankdata(scores[outcomes])) / negatives
    below = (among_all[~outcomes] - rankdata(scores[~outcomes])) / positives
    above[~outcomes] = 1 - below
    auc = above[outcomes].mean()
    return np.asarray((above - auc) / np.where(outcomes, positives, negatives))
