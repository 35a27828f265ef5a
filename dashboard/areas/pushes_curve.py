"""A place on the frontier of a ready plan: what a budget and a size would bring, by its points."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from math import ceil, floor, log10
from typing import Any, Literal, Self, TypeAlias

from training.charts import Chart, Series

Words: TypeAlias = Callable[[str], str]
Document: TypeAlias = Mapping[str, Any]
_STEPS = 200  # of a slider, about
_FINEST = 1e-8  # step of a slider, as a share of its end
_EQUAL = 1e-6  # difference, as a share, that makes none


@dataclass(frozen=True, slots=True)
class Place:
    """What is expected there; money in the workspace's currency. See ``decisions.frontier.Point``.

    limit: the budget, or the audience where nothing costs anything. binds: without which of
    the two more would be gained; empty where neither takes anything.
    """

    limit: float
    members: float
    cost: float
    gain: float
    calibrated: float | None
    interval: tuple[float, float] | None
    price: float
    binds: Literal["budget", "size", ""] = ""

    @property
    def gain_per_cost(self) -> float | None:
        """None where nothing is spent."""
        return self.gain / self.cost if self.cost > 0 else None


@dataclass(frozen=True, slots=True)
class Slider:
    """low, high: its ends. step: between its values. value: where it stands."""

    low: float
    high: float
    step: float
    value: float

    @classmethod
    def over(cls, low: float, high: float, value: float | None, *, whole: bool = False) -> Self:
        """From ``low`` to ``high``, both moved up to a round step; at ``value``, else at the
        end."""
        step = _round_step(max((high - low) / _STEPS, _FINEST * high), whole=whole)
        first, last = (step * ceil(end / step - 1e-9) for end in (low, high))
        last = max(last, first + step)
        at = last if value is None else min(max(value, first), last)
        return cls(_tidy(first), _tidy(last), _tidy(step), _tidy(at))


@dataclass(frozen=True, slots=True)
class Curve:
    """A frontier as it was kept. points: at least one, rising."""

    along: Literal["cost", "members"]
    confidence: float
    points: tuple[Place, ...]
    largest_profit: int
    largest_return: int | None

    @classmethod
    def of(cls, document: Document) -> Self:
        """See ``decisions.frontier.Frontier.to_json``."""
        points = tuple(_place(one) for one in document["points"])
        return cls(
            document["along"], document["confidence"], points, document["largest_profit"],
            document["largest_return"],
        )  # fmt: skip

    @property
    def measured(self) -> bool:
        """Whether all points tell how such estimates come true."""
        return all(one.calibrated is not None for one in self.points)

    @property
    def profit(self) -> Place:
        return self.points[self.largest_profit]

    @property
    def best_return(self) -> Place | None:
        return None if self.largest_return is None else self.points[self.largest_return]

    def sliders(self, budget: float | None, size: float | None) -> tuple[Slider | None, Slider]:
        """Of the budget, None where nothing costs anything, and of the size."""
        least, most = self.points[0], self.points[-1]
        money = None
        if self.along == "cost":
            money = Slider.over(least.limit, most.limit, budget)
        largest = max(one.members for one in self.points)
        return money, Slider.over(ceil(least.members), ceil(largest), size, whole=True)

    def at(self, budget: float | None, size: float | None) -> Place:
        """The most gain within both limits; the first point where nothing is.

        Besides the points it may be any mixture of two, which deals with some members as the one
        does and with the others as the other does, and so keeps every limit that both keep. A
        single way along the points would not do: where a plan's own size holds them, the members
        stay as they are, up to rounding, while the money still grows.
        """
        budget = budget if self.along == "cost" else None
        best = self._best(budget, size)
        if best.gain >= self._best(None, None).gain - _EQUAL * abs(best.gain):
            return best
        larger, richer = self._best(budget, None), self._best(None, size)
        return replace(best, binds="budget" if richer.gain > larger.gain else "size")

    def _best(self, budget: float | None, size: float | None) -> Place:
        return max(self._within(budget, size), key=lambda one: one.gain, default=self.points[0])

    def _within(self, budget: float | None, size: float | None) -> Iterator[Place]:
        """Of each point and of each two the best that both limits allow, if they allow any."""
        for one, other in combinations_with_replacement(self.points, 2):
            low, high = 0.0, 1.0
            for limit, a, b in (
                (budget, one.limit, other.limit),
                (size, one.members, other.members),
            ):
                low, high = _allowed((low, high), (a, b), limit)
            if low <= high:
                yield _mixed(one, other, high if other.gain > one.gain else low)


def curve_chart(curve: Curve, here: Place, words: Words, mine: str, objective: str) -> Chart:
    """The curve with its marks and the place in question.

    Args:
        words: to the reader's language. mine: what the place is called.
    """
    measured = curve.measured

    def along(one: Place) -> float:
        return one.cost if curve.along == "cost" else one.members

    series = [
        Series(
            words("expected"), [along(one) for one in curve.points],
            [_gain(one, measured) for one in curve.points],
            ends=[one.interval for one in curve.points] if measured else None,
        ),
        _mark(words("largest profit"), along(curve.profit), curve.profit, measured),
    ]  # fmt: skip
    if curve.best_return is not None:
        best = curve.best_return
        series.append(_mark(words("largest return"), along(best), best, measured))
    series.append(_mark(mine, along(here), here, measured, ends=True))
    return Chart(
        words("What money brings"),
        words("expected cost, money") if curve.along == "cost" else words("members"),
        words("expected extra conversions")
        if objective == "conversions"
        else words("expected gain, money"),
        tuple(series),
    )


def _mark(name: str, x: float, place: Place, measured: bool, *, ends: bool = False) -> Series:
    around = [place.interval] if ends and measured else None
    return Series(name, [x], [_gain(place, measured)], "points", ends=around)


def _gain(place: Place, measured: bool) -> float:
    return place.calibrated if measured and place.calibrated is not None else place.gain


def _place(point: Document) -> Place:
    interval = point["interval"]
    return Place(
        point["limit"], point["members"], point["cost"], point["gain"], point["calibrated"],
        None if interval is None else (interval[0], interval[1]), point["price"],
    )  # fmt: skip


def _mixed(one: Place, other: Place, share: float) -> Place:
    """``share`` of the other, the rest of the one."""
    if share in (0.0, 1.0):
        return other if share else one

    def mixed(a: float, b: float) -> float:
        return a + share * (b - a)

    calibrated, interval = one.calibrated, one.interval
    if one.calibrated is not None and other.calibrated is not None:
        calibrated = mixed(one.calibrated, other.calibrated)
    if one.interval is not None and other.interval is not None:
        interval = (
            mixed(one.interval[0], other.interval[0]),
            mixed(one.interval[1], other.interval[1]),
        )
    return Place(
        mixed(one.limit, other.limit), mixed(one.members, other.members),
        mixed(one.cost, other.cost), mixed(one.gain, other.gain), calibrated, interval, other.price,
    )  # fmt: skip


def _allowed(
    shares: tuple[float, float], ends: tuple[float, float], limit: float | None
) -> tuple[float, float]:
    """Of ``shares`` those at which a value that goes from one end to the other is not above
    ``limit``; where there are none, the first is above the last."""
    (low, high), (a, b) = shares, ends
    if limit is None or max(a, b) <= limit:
        return shares
    if min(a, b) > limit:
        return 1.0, 0.0
    crossed = (limit - a) / (b - a)
    return (low, min(high, crossed)) if b > a else (max(low, crossed), high)


def _round_step(least: float, *, whole: bool) -> float:
    if least <= 0:
        return 1.0
    size = 10.0 ** floor(log10(least))
    step = next(one * size for one in (1, 2, 5, 10) if one * size >= least * (1 - 1e-9))
    return max(1.0, step) if whole else step


def _tidy(value: float) -> float:
    return float(f"{value:.10g}")
