"""Decision volume: are as many decisions asked for as at the same hours of the weeks before?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import exp

from experiments.panel import CannotSay
from experiments.watching import Usual, beside_usual
from serving.monitors.result import Result, State
from serving.monitors.thresholds import Thresholds

NAME = "volume"
LENGTHS = {"last_hour": 1, "last_6_hours": 6, "last_day": 24}
# The ratio's logarithm, in robust standard deviations: beyond 5, a normal one is met once in a
# million hours, and the tails of real traffic are heavier.
_DEVIATIONS = 5.0


def volume(hours: Sequence[int], limits: Thresholds, as_of: datetime) -> list[Result]:
    """The last full hour, the last 6 and the last 24, against the median of the same hours before.

    Alert where the volume is ``volume_factor`` times more or less, and outside what these hours
    differ by anyway; warn where only the latter holds.

    Args:
        hours: decisions by full hour, oldest first, the newest ending at or before ``as_of``.
    """
    return [_judged(name, hours, length, limits, as_of) for name, length in LENGTHS.items()]


def _judged(
    name: str, hours: Sequence[int], length: int, limits: Thresholds, as_of: datetime
) -> Result:
    told = beside_usual(hours, length)
    if isinstance(told, CannotSay):
        return Result(NAME, name, "cannot_say", "; ".join(told.reasons), as_of)
    if told.usual < limits.least_volume:
        words = f"{told.now:,} decisions, usually {told.usual:,.0f}: too few to tell"
        return Result(NAME, name, "cannot_say", words, as_of, told.factor, limits.volume_factor)
    return _beside(name, told, limits, as_of)


def _beside(name: str, told: Usual, limits: Thresholds, as_of: datetime) -> Result:
    words = (
        f"{told.now:,} decisions, usually {told.usual:,.0f} "
        f"({abs(told.deviations):.1f} deviations {'above' if told.factor > 1 else 'below'})"
    )
    factor = max(told.factor, 1 / max(told.factor, exp(-50)))
    if abs(told.deviations) <= _DEVIATIONS:
        return Result(NAME, name, "ok", words, as_of, told.factor, limits.volume_factor)
    state: State = "alert" if factor > limits.volume_factor else "warn"
    return Result(NAME, name, state, words, as_of, told.factor, limits.volume_factor)
