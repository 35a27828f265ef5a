"""From values to places on the picture, and the round numbers to mark there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from typing import Self

from dashboard.numbers import Unit, told
from training.charts import Series

_ROUND = (1, 2, 2.5, 5, 10)
_WIDEST = 4.0  # times the last interval of a line: what is wider runs out of the picture

_SAME, _LEAST = 1e-9, 1e-15  # differences that are none, as a share of the values and at all


@dataclass(frozen=True, slots=True)
class Scale:
    """Values ``low`` to ``high`` at pixels ``start`` to ``stop``; beyond them, at the edge.

    step: between the round numbers that are marked, of which ``low`` and ``high`` are two.
    """

    low: float
    high: float
    start: float
    stop: float
    step: float

    @classmethod
    def over(cls, values: Iterable[float], start: float, stop: float, most: int) -> Self:
        """Around ``values``, ending at round numbers of at most ``most`` steps."""
        known = [value for value in values if isfinite(value)] or [0.0]
        low, high = min(known), max(known)
        if high - low <= _SAME * max(abs(low), abs(high)):
            low, high = min(low, 0.0), max(high, 0.0)
        if high - low <= _LEAST:
            high = low + 1.0
        step = _step(low, high, most)
        first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
        return cls(first * step, last * step, start, stop, step)

    def at(self, value: float) -> float:
        """The pixel of ``value``, to a tenth."""
        inside = min(max(value, self.low), self.high)
        share = (inside - self.low) / (self.high - self.low)
        return round(self.start + share * (self.stop - self.start), 1)

    def ticks(self, unit: Unit = "number") -> list[tuple[float, str]]:
        """The round numbers, and what is written there."""
        shown = 100 * self.step if unit in ("share", "points") else self.step
        digits = next((n for n in range(9) if abs(round(shown, n) - shown) < 1e-6 * shown), 9)
        first, last = round(self.low / self.step), round(self.high / self.step)
        return [
            (number * self.step, told(number * self.step, unit, decimals=digits))
            for number in range(first, last + 1)
        ]


def _step(low: float, high: float, most: int) -> float:
    least = (high - low) / most
    size = 10.0 ** floor(log10(least))
    return next(one * size for one in _ROUND if one * size >= least * (1 - 1e-9))


def values_of(series: Iterable[Series]) -> list[float]:
    """Every value that has to be seen, and zero.

    The first days of a test have intervals so wide that nothing else could be seen beside them;
    they run out of the picture, and stand in the table.
    """
    found = [0.0]
    for one in series:
        found += [float(value) for value in one.y]
        known = [(float(low), float(high)) for low, high in filter(None, one.intervals)]
        widest = _WIDEST * (known[-1][1] - known[-1][0]) if known else 0.0
        for low, high in known:
            if one.style != "line" or high - low <= widest:
                found += [low, high]
    return found
