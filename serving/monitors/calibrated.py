"""Calibration: of those who were sent something, and of those who were not, do as many convert as
the decision predicted?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from experiments.panel import CannotSay
from experiments.watching import Ratio, observed_over_expected
from serving.monitors.levels import found
from serving.monitors.result import Result, State
from serving.monitors.thresholds import Thresholds

NAME = "calibration"
# Who is compared with which estimate. Held out by chance: the cleanest, since no choice of the
# policy stands between. Members whom the policy chose to send nothing are apart: their estimates
# are the low ones.
ASSIGNED: Mapping[str, str] = {
    "sent": "p_if_sent",
    "held_out": "p_if_not",
    "not_chosen": "p_if_not",
}


@dataclass(frozen=True, slots=True)
class Settled:
    """Decisions of one assignment whose window of attribution is over; (n,) each.

    predicted: of a conversion, under what the member got. member: whose, as a number.
    """

    predicted: NDArray[np.float64]
    converted: NDArray[np.bool_]
    member: NDArray[np.int64]


def calibration(
    settled: Mapping[str, Settled], limits: Thresholds, as_of: datetime
) -> list[Result]:
    """By assignment, observed over expected conversions beside 1 ± the limit.

    Alert where the ratio lies beyond the limit and differs from 1 by more than chance, over all
    assignments together; warn from half the limit on.
    """
    told = {
        name: observed_over_expected(one.converted, one.predicted, one.member)
        for name, one in settled.items()
    }
    ratios = {name: one for name, one in told.items() if isinstance(one, Ratio)}
    stands = dict(
        zip(ratios, found([one.p for one in ratios.values()], limits.alarm_rate), strict=True)
    )
    return [
        _unsaid(name, one, as_of)
        if isinstance(one, CannotSay)
        else _judged(name, one, stands[name], len(settled[name].converted), limits, as_of)
        for name, one in told.items()
    ]


def _judged(
    name: str, one: Ratio, real: bool, decisions: int, limits: Thresholds, as_of: datetime
) -> Result:
    most, away = limits.calibration, abs(one.ratio - 1)
    words = (
        f"{one.ratio:.2f} times as many conversions as predicted "
        f"({one.low:.2f} to {one.high:.2f}, {decisions:,} decisions), wanted 1 ± {most:g}"
    )
    state: State = "ok"
    if real and away > most / 2:
        state = "alert" if away > most else "warn"
    return Result(NAME, name, state, words, as_of, one.ratio, 1 + most)


def _unsaid(name: str, why: CannotSay, as_of: datetime) -> Result:
    return Result(NAME, name, "cannot_say", "; ".join(why.reasons), as_of)
