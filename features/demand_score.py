"""The arithmetic of growing demand: growth with its bound, shares pulled to the mean, the score.

Pure: arrays in, arrays out, one entry a cell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
PSEUDO_MEMBERS = 30.0
FEWEST_MEMBERS = 50
SIGNIFICANT = 0.05
BOUND = 1.645  # standard errors from an estimate to its one-sided 95 % bound


@dataclass(frozen=True, slots=True)
class Growth:
    """How much more demand grew in each cell than the shop's did, (n,) each.

    shop: growth of all demand, later over earlier.
    z: log of the cell's growth over the shop's (see ``growth``), pulled to 0. se: its standard
    error. p: one-sided, of as much growth or more where the cell grows as the shop does.
    """

    shop: float
    z: Array
    se: Array
    p: Array

    @property
    def low(self) -> Array:
        """Lower end of the 90 % interval of ``z``: its one-sided 95 % bound."""
        return self.z - BOUND * self.se

    @property
    def high(self) -> Array:
        return self.z + BOUND * self.se


def growth(
    before: Array,
    now: Array,
    segment: NDArray[np.int64] | None = None,
    pseudo_members: float = PSEUDO_MEMBERS,
) -> Growth:
    """``z = log((now + k g/2) / (before + k/2) / g)``, g the shop's growth, k ``pseudo_members``.

    k members are added to every cell, half of them in either window and growing as the shop does:
    a cell of few members hardly moves. ``now`` and ``before`` count members, so that to a cell
    that grows as the shop does they are no more uneven than Poisson counts: se² = 1/(now + k g/2) +
    1/(before + k/2), which errs on the wide side.

    Args:
        before, now: (n,) members with the need in the earlier and the later window; their sums are
            above 0.
        segment: (n,) number of each cell's segment, where what makes the segments is also what is
            counted: who had bought nothing can only buy more. Then g is the growth of the segment's
            other cells where that is more, and its variance is added.

    Source: the log rate ratio of two Poisson counts, shrunk by a conjugate prior of k members.
    """
    shop = float(now.sum() / before.sum())
    half = pseudo_members / 2
    expected, variance = np.full(len(now), shop), np.zeros(len(now))
    if segment is not None:
        rest = [np.bincount(segment, part)[segment] - part for part in (now, before)]
        more, less = rest[0] + half * shop, rest[1] + half
        grows = more / less > shop
        expected = np.where(grows, more / less, shop)
        variance = np.where(grows, 1 / more + 1 / less, 0.0)
    later, earlier = now + half * expected, before + half
    z = np.log(later / earlier / expected)
    se = np.sqrt(1 / later + 1 / earlier + variance)
    p = np.array([0.5 * math.erfc(value / math.sqrt(2)) for value in z / se])
    return Growth(shop, z, se, p)


def adjusted(p: Array) -> Array:
    """p-values so adjusted that those up to q hold a share of at most q of false discoveries.

    Source: Benjamini and Hochberg, Journal of the Royal Statistical Society B 57, 1995.
    """
    count = len(p)
    order = np.argsort(p, kind="stable")
    stepped = p[order] * count / np.arange(1, count + 1)
    found = np.empty(count)
    found[order] = np.minimum.accumulate(stepped[::-1])[::-1].clip(max=1.0)
    return found


def pulled_share(hits: Array, of: Array, pseudo_members: float = PSEUDO_MEMBERS) -> Array:
    """Share of ``hits`` in each cell, as if ``pseudo_members`` of the mean cell were in it too."""
    mean = mean_share(hits, of)
    share: Array = (hits + pseudo_members * mean) / (of + pseudo_members)
    return share


def mean_share(hits: Array, of: Array) -> float:
    """Share over all cells together; 0 where there is nothing to judge."""
    return float(hits.sum() / of.sum()) if of.sum() else 0.0


def score(low: Array, now: Array, beyond_mean: Array, margin: Array) -> Array:
    """``max(0, low) × now × max(0, share above the mean) × margin``: money, of no fixed horizon.

    Args:
        low: lower bound of the growth. now: members who want it now.
        beyond_mean: unmet share less the mean of all cells. margin: of one order, currency.
    """
    worth: Array = np.maximum(low, 0) * now * np.maximum(beyond_mean, 0) * np.maximum(margin, 0)
    return worth
