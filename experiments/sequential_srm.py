"""Are members in the arms in the shares that were set, asked as often as anybody likes?

The plain test (chi-square) may be asked once. Asked every day it raises false alarms, so daily
watching uses a Bayes factor of "some other shares" (Dirichlet around those that were set) against
"the shares that were set", whose inverse is a p-value valid at any time: without a mismatch it
ever falls to p with chance at most p.

Source: Lindon and Malek, Anytime-valid inference for multinomial count data, NeurIPS 35, 2022.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, fsum, lgamma, log

from experiments.errors import ExperimentError

ALARM = 0.001
# Members that the other shares are imagined to have been seen with; the factor is the mean of the
# three. The first finds an arm that gets nobody after a few dozen members, the second a mismatch of
# 5 % of the members after some 3,000, the last one of 0.6 % after 150,000.
CONCENTRATIONS = (10.0, 1_000.0, 10_000.0)


class SequentialSrmError(ExperimentError):
    """Counts or shares that no experiment can have."""


@dataclass(frozen=True, slots=True)
class SequentialSrm:
    """p: valid at any time, the smallest so far. alarm: p is under ``ALARM``.

    counts, expected: members in each arm, as they are and as the shares have them.
    """

    p: float
    alarm: bool
    counts: Mapping[str, int]
    expected: Mapping[str, float]


def sequential_srm(
    counts: Mapping[str, int], shares: Mapping[str, float], earlier: float = 1.0
) -> SequentialSrm:
    """Whether ``counts`` of members fit the ``shares`` that were set for the arms.

    Args:
        counts: members assigned so far, an arm that is left out has none.
        shares: above 0, together 1.
        earlier: smallest p of the looks before. An alarm does not pass.

    Raises:
        SequentialSrmError: counts of other arms than those with shares, or below 0; shares not
            above 0, or not together 1.
    """
    _check(counts, shares)
    full = {arm: int(counts.get(arm, 0)) for arm in shares}
    members = sum(full.values())
    factors = [_log_factor(full, shares, concentration) for concentration in CONCENTRATIONS]
    most = max(factors)
    factor = most + log(fsum(exp(one - most) for one in factors) / len(factors))
    p = min(earlier, exp(min(0.0, -factor)))
    expected = {arm: members * share for arm, share in shares.items()}
    return SequentialSrm(p, p < ALARM, full, expected)


def _log_factor(
    counts: Mapping[str, int], shares: Mapping[str, float], concentration: float
) -> float:
    """Logarithm of the Bayes factor against the shares that were set."""
    found = lgamma(concentration) - lgamma(concentration + sum(counts.values()))
    for arm, share in shares.items():
        weight = concentration * share
        found += lgamma(weight + counts[arm]) - lgamma(weight) - counts[arm] * log(share)
    return found


def _check(counts: Mapping[str, int], shares: Mapping[str, float]) -> None:
    strangers = counts.keys() - shares.keys()
    if strangers:
        raise SequentialSrmError(
            f"members in {', '.join(sorted(strangers))}, which has no share; "
            f"arms are {', '.join(shares)}"
        )
    for arm, count in counts.items():
        if count < 0:
            raise SequentialSrmError(f"{count} members in {arm!r}, wanted 0 or more")
    for arm, share in shares.items():
        if not share > 0:
            raise SequentialSrmError(f"share of {arm!r} is {share:g}, wanted above 0")
    total = fsum(shares.values())
    if not shares or abs(total - 1) > 1e-9:
        raise SequentialSrmError(f"shares add up to {total:g}, wanted 1")
