"""What more, or less, money would bring: the curve of cost and size to expected gain."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from decisions.chunks import in_pieces
from decisions.dual import Problem as Priced
from decisions.dual import Soft
from decisions.gain import Reliability
from decisions.limits import BUDGET
from decisions.plan import Problem
from decisions.promise import Sent, Sums, added_up
from decisions.tracing import trace

_UNLIKELY = 1e-6  # chance below which a pair adds nothing
_SMALLEST = 0.01  # of the members of the largest profit: below, a return is of no use to anybody
_EQUAL = 1e-6  # difference of gains, as a share, that makes none


@dataclass(frozen=True, slots=True)
class Point:
    """The best that can be done with so much; money in the workspace's currency.

    limit: the budget, or the audience where nothing costs anything. members: contacted. cost:
    expected, at most the budget. gain: by the estimates. calibrated, interval: as in ``Promise``.
    price: what one more unit of the limit would gain here; at the first point, which has nothing
    below it, the slope up to the second.
    """

    limit: float
    members: float
    cost: float
    gain: float
    calibrated: float | None
    interval: tuple[float, float] | None
    price: float

    @property
    def gain_per_cost(self) -> float | None:
        """None where nothing is spent."""
        return self.gain / self.cost if self.cost > 0 else None


@dataclass(frozen=True, slots=True)
class Frontier:
    """Points from the smallest limit to the largest that is worth having.

    along: what grows from point to point. largest_profit, largest_return: positions of the point
    with the most gain, and of the one with the most gain per unit of cost (of members, where
    nothing costs anything) that contacts at least one member and a hundredth of those of the
    largest profit; None where no point contacts anybody.
    """

    along: Literal["cost", "members"]
    confidence: float
    points: tuple[Point, ...]
    largest_profit: int
    largest_return: int | None

    def to_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "points": [{**asdict(one), "return": one.gain_per_cost} for one in self.points],
        }


def frontier(
    problem: Problem,
    reliability: Reliability | None,
    points: int = 21,
    confidence: float = 0.9,
) -> Frontier:
    """The best expected gain of ``problem`` at every budget, its other limits kept.

    The curve is that of divisible contacts, which a plan of whole ones comes near from below. What
    chance has settled is in every point, as it is in the plan.

    Raises:
        Infeasible: no budget, however large, makes the other limits hold.
    """
    priced = Priced(problem.pairs, problem.limits)
    traced = trace(priced, problem.ties, points)
    drawn = Sent.of(problem.drawn.option[:, None])
    of_chance = added_up(problem.candidates.worth, drawn, np.ones(len(drawn.row)))
    before = of_chance.cost if traced.row == BUDGET else float(len(drawn.row))
    made: list[Point] = []
    for stop in traced.stops:
        members, sums = _expected(problem, Soft(priced, stop.rows, stop.temperature))
        sums += of_chance
        calibrated, interval = None, None
        if reliability is not None:
            calibrated, interval = sums.calibrated(reliability, confidence)
        made.append(
            Point(
                limit=stop.limit + before,
                members=members + len(drawn.row),
                cost=sums.cost,
                gain=sums.gain,
                calibrated=calibrated,
                interval=interval,
                price=float(stop.rows[traced.row]),
            )
        )
    if len(made) > 1:
        made[0] = replace(made[0], price=_slope(made[0], made[1]))
    found = tuple(made)
    largest = _largest_profit(found)
    return Frontier(
        along="cost" if traced.row == BUDGET else "members",
        confidence=confidence,
        points=found,
        largest_profit=largest,
        largest_return=_largest_return(found, largest),
    )


def _slope(one: Point, other: Point) -> float:
    wider = other.limit - one.limit
    return (other.gain - one.gain) / wider if wider > 0 else 0.0


def _largest_profit(points: tuple[Point, ...]) -> int:
    """The first point that nothing better follows."""
    most = max(point.gain for point in points)
    return next(
        at for at, point in enumerate(points) if point.gain >= most - _EQUAL * (abs(most) + _EQUAL)
    )


def _largest_return(points: tuple[Point, ...], largest: int) -> int | None:
    """Of equal returns the one that contacts most."""
    least = max(0.999, _SMALLEST * points[largest].members)  # a whole member, up to rounding
    best, found = -np.inf, None
    for at, point in enumerate(points):
        size = point.cost if point.cost > 0 else point.members
        if point.members < least:
            continue
        each = point.gain / size
        if each >= best - _EQUAL * abs(best):
            best, found = max(best, each), at
    return found


def _expected(problem: Problem, soft: Soft) -> tuple[float, Sums]:
    """Members contacted and what they bring when everybody draws at the prices of ``soft``."""
    worth = problem.candidates.worth

    def piece(part: slice) -> tuple[float, Sums]:
        chance, contacted = soft.chances(part)
        member, option = np.nonzero(chance > _UNLIKELY)
        sent = Sent(problem.open_rows[part][member], option)
        sums = added_up(worth, sent, chance[member, option].astype(np.float64))
        return float(contacted.sum()), sums

    members, total = 0.0, Sums(0.0, 0.0, 0.0, 0.0, 0.0)
    for count, sums in in_pieces(piece, len(problem.pairs), problem.pairs.slots):
        members, total = members + count, total + sums
    return members, total
