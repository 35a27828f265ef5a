"""Unsubscribe rate: do more members leave after a send than before?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from experiments.panel import CannotSay
from experiments.watching import Counted, Ratio, dispersion, rate_rise
from serving.monitors.levels import found
from serving.monitors.result import Result, State
from serving.monitors.thresholds import Thresholds

NAME = "unsubscribes"


@dataclass(frozen=True, slots=True)
class Leaving:
    """Unsubscriptions of sends. recent: added up. past: by day, of the ``past_days`` before.

    against: what the past is of, where not of the subject itself.
    """

    recent: Counted
    past: Sequence[Counted]
    against: str = ""

    @property
    def before(self) -> Counted:
        return Counted(sum(day.events for day in self.past), sum(day.chances for day in self.past))


def unsubscribes(
    leaving: Mapping[str, Leaving], limits: Thresholds, as_of: datetime
) -> list[Result]:
    """By push and channel. Alert where the rate is beyond ``unsubscribe_rise`` times that of
    before and above it by more than chance, over all subjects together; few sends cannot say."""
    told = {subject: _told(one, limits) for subject, one in leaving.items()}
    ratios = {name: one for name, one in told.items() if isinstance(one, Ratio)}
    stands = dict(
        zip(ratios, found([one.p for one in ratios.values()], limits.alarm_rate), strict=True)
    )
    results = []
    for subject, ratio in told.items():
        if isinstance(ratio, CannotSay):
            words = "; ".join(ratio.reasons)
            results.append(Result(NAME, subject, "cannot_say", words, as_of))
            continue
        state, words = _judged(leaving[subject], ratio, stands[subject], limits)
        limit = limits.unsubscribe_rise
        results.append(Result(NAME, subject, state, words, as_of, ratio.ratio, limit))
    return results


def _told(one: Leaving, limits: Thresholds) -> Ratio | CannotSay:
    for words, counted in (("recent", one.recent), ("earlier", one.before)):
        if counted.chances < limits.least_sends:
            return CannotSay(
                (f"{counted.chances:,} {words} sends, wanted at least {limits.least_sends:,}",)
            )
    return rate_rise(one.recent, one.before, dispersion(one.past))


def _judged(one: Leaving, ratio: Ratio, real: bool, limits: Thresholds) -> tuple[State, str]:
    recent, past = one.recent, one.before
    words = (
        f"{recent.events} of {recent.chances:,} sends ({recent.events / recent.chances:.2%}), "
        f"before {past.events} of {past.chances:,} ({past.events / past.chances:.2%})"
        f"{one.against}: {ratio.ratio:.1f} times ({ratio.low:.1f} to {ratio.high:.1f})"
    )
    if not real:
        return "ok", words
    return ("alert" if ratio.ratio > limits.unsubscribe_rise else "warn"), words
