"""Silent outcome feed: sends are decided, and nobody reports what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import exp

from serving.monitors.result import Result, State
from serving.monitors.thresholds import Thresholds

NAME = "outcome_feed"
ALL = "all"
# A type that was expected so often and did not come is not missing by chance: e to the minus 20,
# and a feed whose days differ by far more than chance still brings something.
_LEAST_EXPECTED = 20.0
_HARDLY = 0.1  # of what was expected
_NOT_MISSED = frozenset({"failed"})  # its silence is good news
_SLOW = frozenset({"redeemed", "converted"})  # members buy days after they were told


@dataclass(frozen=True, slots=True)
class Heard:
    """sends: decided in the silent window. outcomes: received since it began, by type.

    sends_before, before: the same of the days before it; none where nothing was ever received.
    elsewhere: whether outcomes come in by files, not by the scorer. slow_sends, slow_outcomes: of
    a silent window that ended some days earlier, for the types that take so long.
    """

    sends: int
    outcomes: Mapping[str, int]
    sends_before: int = 0
    before: Mapping[str, int] = field(default_factory=dict)
    elsewhere: bool = False
    slow_sends: int = 0
    slow_outcomes: Mapping[str, int] = field(default_factory=dict)

    def of(self, kind: str) -> tuple[int, int]:
        """The sends by which ``kind`` is judged, and how many of it came since."""
        if kind in _SLOW:
            return self.slow_sends, self.slow_outcomes.get(kind, 0)
        return self.sends, self.outcomes.get(kind, 0)


def outcome_feed(heard: Heard, limits: Thresholds, as_of: datetime) -> list[Result]:
    """All outcomes together, and each type that used to come: expected by what came a send before.

    Alert where at least ``silent_sends`` were followed by nothing; where a type, expected at least
    20 times, did not come at all; warn where a tenth of it came.
    """
    results = [_all(heard, limits, as_of)]
    if heard.sends_before:
        for kind in sorted(heard.before.keys() - _NOT_MISSED):
            sends, found = heard.of(kind)
            expected = heard.before[kind] / heard.sends_before * sends
            results.append(_judged(kind, found, expected, as_of))
    return results


def _all(heard: Heard, limits: Thresholds, as_of: datetime) -> Result:
    total, hours = sum(heard.outcomes.values()), limits.silent_hours
    words = f"{heard.sends:,} sends and {total:,} outcomes in {hours} hours"
    limit = float(limits.silent_sends)

    def result(state: State, words: str) -> Result:
        return Result(NAME, ALL, state, words, as_of, float(total), limit)

    if total:
        return result("ok", words)
    if heard.sends < limits.silent_sends:
        return result("cannot_say", f"{words}: told from {limits.silent_sends} sends on")
    if heard.elsewhere and not heard.before:
        return result("cannot_say", f"{words}: outcomes come in by files here (freshness)")
    if not heard.before:
        return result("alert", f"{words}: none was ever reported")
    expected = sum(heard.before.values()) / max(heard.sends_before, 1) * heard.sends
    if expected < _LEAST_EXPECTED:
        return result("cannot_say", f"{words}: {expected:.0f} expected by what came before")
    return result("alert", f"{words}, {expected:,.0f} expected")


def _judged(kind: str, found: int, expected: float, as_of: datetime) -> Result:
    words = f"{found:,} of {kind}, {expected:,.0f} expected by what came a send before"
    if expected < _LEAST_EXPECTED:
        return Result(NAME, kind, "cannot_say", words, as_of, float(found), _LEAST_EXPECTED)
    state: State = "ok"
    if found < _HARDLY * expected:
        state = "alert" if found == 0 or exp(-_HARDLY * expected) < 1e-9 else "warn"
    return Result(NAME, kind, state, words, as_of, float(found), _HARDLY * expected)
