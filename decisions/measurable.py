"""Can the effect of a push be told from chance, and what size would it take?"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from decisions.decide import Candidates
from decisions.promise import Sent, outcome_variance


@dataclass(frozen=True, slots=True)
class Measurability:
    """Whether the holdout will show the gain per contacted member.

    sent, held: members who get it, and members held out who would have got it. gain: expected per
    contacted member. detectable: the least gain per member that would be told from none.
    wanted: members sent at which the expected gain would be, with the same share held out; None
    where no size could, as nothing is gained or nobody is held out.
    """

    sent: int
    held: int
    gain: float
    detectable: float
    wanted: int | None
    measurable: bool

    @property
    def verdict(self) -> str:
        """In one sentence."""
        if self.measurable:
            return (
                f"can be measured: {self.held:,} members held out show a gain of "
                f"{self.detectable:,.2f} per member, {self.gain:,.2f} is expected"
            )
        if not self.sent:
            return "cannot be measured: nobody is sent anything"
        if not self.held:
            return "cannot be measured: nobody is held out; give the push a holdout"
        if self.wanted is None:
            return "cannot be measured: no gain is expected"
        return (
            f"cannot be measured at this audience size: {self.held:,} members held out show a gain "
            f"of {self.detectable:,.2f} per member, {self.gain:,.2f} is expected; {self.wanted:,} "
            "members sent, with the same share held out, could"
        )


def measurability(
    candidates: Candidates,
    sent: NDArray[np.int64],
    held: NDArray[np.int64],
    *,
    error: float = 0.05,
    power: float = 0.8,
) -> Measurability:
    """Compare the sent with those held out who would have been sent the same.

    Args:
        sent: (n, k) options given, -1 for none. held: (n, k) what members held out would have got.
        error: chance of seeing an effect where there is none, two-sided. power: of seeing it.

    Source: the two-sample comparison of means with unequal variances (Cohen, Statistical Power
    Analysis, 1988, chapter 2).
    """
    given, kept = Sent.of(sent[:, :1]), Sent.of(held[:, :1])
    if not len(given.row):
        return Measurability(0, len(kept.row), 0.0, float("inf"), None, False)
    worth = candidates.worth
    gain = float(worth.gain[given.row, given.column].mean(dtype=np.float64))
    treated = _variance(candidates, given, sends=True)
    # Those held out are like those sent: by hash. With none, a size cannot be told either.
    control = _variance(candidates, kept, sends=False) if len(kept.row) else treated
    share = len(kept.row) / len(given.row)
    if share == 0:
        return Measurability(len(given.row), 0, gain, float("inf"), None, False)
    normal = NormalDist()
    times = normal.inv_cdf(1 - error / 2) + normal.inv_cdf(power)
    each = treated + control / share  # variance of the difference, times the members sent
    detectable = times * float(np.sqrt(each / len(given.row)))
    wanted = int(np.ceil(each * (times / gain) ** 2)) if gain > 0 else None
    return Measurability(
        len(given.row), len(kept.row), gain, detectable, wanted, gain >= detectable
    )


def _variance(candidates: Candidates, pairs: Sent, *, sends: bool) -> float:
    worth = candidates.worth
    chance = pairs.members(worth.p_if_not)
    if sends:
        chance = chance + pairs.pairs(worth.uplift)
    found = outcome_variance(chance, pairs.members(worth.worth), pairs.members(worth.spread))
    return float(found.mean())
