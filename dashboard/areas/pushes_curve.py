"""A place on the frontier of a ready plan: what a budget and a size would bring, by its points."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, log10
from typing import Any, Literal, Self, TypeAlias

from training.charts import Chart, Series

Words: TypeAlias = Callable[[str], str]
Document: TypeAlias = Mapping[str, Any]
_STEPS = 200  # of a slider, about
_FINEST = 1e-8  # step of a slider, as a share of its end


@dataclass(frozen=True, slots=True)
class Place:
    """What is expected there; money in the workspace's currency. See ``decisions.frontier.Point``.

    limit: the budget, or the audience where nothing costs anything. binds: which of the two was
    reached first.
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
        return money, Slider.over(ceil(least.members), ceil(most.members), size, whole=True)

    def at(self, budget: float | None, size: float | None) -> Place:
        """Where the first of both limits is reached; between two points, on the straight line."""
        by_budget = float(len(self.points) - 1)
        if budget is not None and self.along == "cost":
            by_budget = _reached([one.limit for one in self.points], budget)
        by_size = float(len(self.points) - 1)
        if size is not None:
            by_size = _reached([one.members for one in self.points], size)
        place = self._between(min(by_budget, by_size))
        binds: Literal["budget", "size", ""] = ""
        if min(by_budget, by_size) < len(self.points) - 1:
            binds = "budget" if by_budget <= by_size else "size"
        return replace(place, binds=binds)

    def _between(self, at: float) -> Place:
        low = min(floor(at), len(self.points) - 1)
        high = min(low + 1, len(self.points) - 1)
        share = at - low
        one, other = self.points[low], self.points[high]

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
            mixed(one.cost, other.cost), mixed(one.gain, other.gain), calibrated, interval,
            other.price if share > 0 else one.price,
        )  # fmt: skip


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


def _reached(values: Sequence[float], limit: float) -> float:
    """How far along ``values`` may be gone before one is above ``limit``, as a position."""
    if values[0] >= limit:
        return 0.0
    for at in range(1, len(values)):
        if values[at] > limit:
            before = values[at - 1]
            return at - 1 + (limit - before) / (values[at] - before)
    return float(len(values) - 1)


def _round_step(least: float, *, whole: bool) -> float:
    if least <= 0:
        return 1.0
    size = 10.0 ** floor(log10(least))
    step = next(one * size for one in (1, 2, 5, 10) if one * size >= least * (1 - 1e-9))
    return max(1.0, step) if whole else step


def _tidy(value: float) -> float:
    return float(f"{value:.10g}")
