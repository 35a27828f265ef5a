"""Simulated members of experiments, as moments: what ``benchmarks.experiments`` reads.

Money is what a shop's members spend in two weeks: most nothing, a few a lot. Members come evenly
over the days; what they buy comes somewhere in the window after their coming, so at every look the
windows of some are still open, as in a real experiment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.contrast import Side, Untold, sides
from experiments.moments import Moments

Numbers = NDArray[np.float64]

BUYERS = 0.15  # share of members who buy within their window
BASKET = 40.0  # money, mean of a purchase


@dataclass(frozen=True, slots=True)
class Course:
    """An experiment of two arms: how long, how many come a day to each arm, how it is changed.

    lift: of the share of members who buy, in the treated arm, as a share of ``BUYERS``.
    """

    days: int = 28
    window: int = 14
    a_day: int = 100
    lift: float = 0.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of both arms on one evening.

    everybody: of all who came so far, their outcomes so far. complete: of those whose window has
    passed; untold in the first days.
    """

    day: int
    everybody: tuple[Side, Side]
    complete: tuple[Side, Side] | Untold


def evenings(course: Course, random: np.random.Generator) -> Iterator[Seen]:
    """Each evening of one run of the experiment; arm first, control second."""
    arms = [_Arm.drawn(course, lift, random) for lift in (course.lift, 0.0)]
    for day in range(1, course.days + 1):
        everybody = sides(*({0: arm.moments(day, day)} for arm in arms))
        past = day - course.window
        complete: tuple[Side, Side] | Untold = Untold("no_members", "no window has passed")
        if past > 0:
            complete = sides(*({0: arm.moments(day, past)} for arm in arms))
        if isinstance(everybody, tuple):
            yield Seen(day, everybody, complete)


@dataclass(frozen=True, slots=True)
class _Arm:
    """Purchases of one arm, at most one a member, in order of the day on which they are known.

    came, bought: (n,) days, 1 is the first. amount: (n,).
    """

    came: NDArray[np.int64]
    bought: NDArray[np.int64]
    amount: Numbers
    a_day: int

    @classmethod
    def drawn(cls, course: Course, lift: float, random: np.random.Generator) -> _Arm:
        buyers = random.binomial(course.a_day, BUYERS * (1 + lift), course.days)
        came = np.repeat(np.arange(1, course.days + 1), buyers)
        bought = came + random.integers(0, course.window, len(came))
        return cls(came, bought, spent(len(came), random), course.a_day)

    def moments(self, day: int, latest: int) -> Moments:
        """Of the members who came up to day ``latest``, as known in the evening of ``day``."""
        known = self.amount[(self.bought <= day) & (self.came <= latest)]
        count = self.a_day * latest
        total, squares = float(known.sum()), float(known @ known)
        mean = total / count
        return Moments(
            ("margin",), count, np.array([mean]), np.array([[squares - count * mean**2]])
        )


def spent(count: int, random: np.random.Generator) -> Numbers:
    """(count,) purchases: skewed, as baskets are."""
    return random.lognormal(np.log(BASKET) - 0.5, 1.0, count)


def money(members: int, random: np.random.Generator, lift: float = 0.0) -> Numbers:
    """(members,) money of members whose windows have passed."""
    buys = random.random(members) < BUYERS * (1 + lift)
    found = np.zeros(members)
    found[buys] = spent(int(buys.sum()), random)
    return found


def pair(names: tuple[str, ...], arm: Numbers, control: Numbers) -> tuple[Side, Side]:
    """Two arms of (n, k) and (m, k) values."""
    found = sides({0: Moments.of(names, arm)}, {0: Moments.of(names, control)})
    if isinstance(found, Untold):
        raise AssertionError(found.told)
    return found
