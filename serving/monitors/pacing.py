"""Budget pacing: does a push use its limits as its plan would have?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from decisions.pacing import MONEY, UNIT, Use
from serving.monitors.result import Result, State
from serving.monitors.thresholds import Thresholds

NAME = "pacing"
EARLY = 0.05  # share of the limit, before anything is told of its pace
_NEARLY = 0.98  # of the limit: then nothing is left to pace


@dataclass(frozen=True, slots=True)
class Paced:
    """One limit of a push that runs. most: of it, in whole millionths of money, or contacts.
    over: from when on it is history, however many still ask about it; None where nothing tells."""

    push_id: str
    limit: str
    use: Use
    most: int
    over: datetime | None = None


def pacing(paced: Iterable[Paced], limits: Thresholds, as_of: datetime) -> list[Result]:
    """How far what is reserved and spent is from what the plan's own prices would have taken of
    the members asked so far, in shares of the limit.

    Prices follow use, at most four times up or down: beyond .17 of the limit they can follow no
    further (``decisions.pacing``), so the push runs out early, or leaves its budget unspent. What
    a push that is over has left unspent is no alarm: nobody can mend it.
    """
    return [_judged(one, limits, as_of) for one in paced]


def _judged(one: Paced, limits: Thresholds, as_of: datetime) -> Result:
    subject = f"{one.push_id} {one.limit}"
    if one.most <= 0:
        return Result(NAME, subject, "cannot_say", "its limit is 0", as_of)
    taken, planned = one.use.taken / one.most, one.use.planned / one.most
    if max(taken, planned) < EARLY:
        words = f"{taken:.1%} used: told from {EARLY:.0%} on"
        return Result(NAME, subject, "cannot_say", words, as_of, taken - planned, limits.pace)
    away = taken - min(planned, 1.0)
    words = (
        f"{_amount(one, one.use.taken)} of {_amount(one, one.most)} used ({taken:.0%}; "
        f"{one.use.reserved / one.most:.0%} not yet reported as sent), the plan's pace is "
        f"{min(planned, 1.0):.0%}"
    )
    if away < 0 and one.over is not None and one.over <= as_of:
        words += f"; it was over on {one.over:%Y-%m-%d}, so it is not behind"
        return Result(NAME, subject, "ok", words, as_of, away, limits.pace)
    if abs(away) > limits.pace and not (away > 0 and taken >= _NEARLY and planned >= _NEARLY):
        words += ": ahead, it runs out early" if away > 0 else ": behind, it stays unspent"
        return Result(NAME, subject, "alert", words, as_of, away, limits.pace)
    state: State = "warn" if abs(away) > 0.6 * limits.pace else "ok"
    return Result(NAME, subject, state, words, as_of, away, limits.pace)


def _amount(one: Paced, units: int) -> str:
    return f"{units / UNIT:,.2f}" if one.limit == MONEY else f"{units:,}"
