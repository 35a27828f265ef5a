"""What a model of pushes answers with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ResponseEstimates:
    """Expected outcomes of n members and m offers; see ``ResponseModel.estimate``."""

    p_if_not: NDArray[np.float64]  # (n,)
    p_if_sent: NDArray[np.float64]  # (n, m)
    margin: NDArray[np.float64]  # (n,) money per conversion, before coupons
    revenue: NDArray[np.float64]  # (n,) money per conversion, before coupons
    spread: NDArray[np.float64]  # (n,) standard deviation of one conversion's margin, money
    p_redeem: NDArray[np.float64]  # (n, m)
    coupon: NDArray[np.float64]  # (n, m) money one use takes off the purchase
    p_unsubscribe: NDArray[np.float64]  # (n,) that a send makes the member unsubscribe
    member_value: NDArray[np.float64]  # (n,) money lost with one who can no longer be contacted
    evidence: tuple[str, ...]  # (m,)


@dataclass(frozen=True, slots=True)
class Reliability:
    """How far a model's predictions of an effect keep their word, out of fold.

    slope: of the doubly robust score on the prediction; 1 is calibrated, less promises too much.
    error: its standard error.
    """

    slope: float
    error: float
