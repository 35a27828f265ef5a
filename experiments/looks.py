"""When an experiment is looked at: the moments are declared at its start."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from experiments.design import Analysis

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Look:
    """Where a readout stands among the planned looks.

    number: of planned looks that have come, 0 before the first. of: planned.
    due: whether the readout is one of them: exactly at its moment, or after the last or the stop.
        Between looks there is no verdict, only the interval that holds at any time.
    last: no look is left; of an always-on experiment: nor any open window, since it was stopped.
    fractions: of the planned information at the looks so far, the newest last.
    moment: of the newest that has come; a readout as of it never changes. next_at: of the next.
    """

    number: int
    of: int
    due: bool
    last: bool
    fractions: tuple[float, ...]
    moment: datetime | None
    next_at: datetime | None


def look_at(
    analysis: Analysis,
    started_at: datetime,
    as_of: datetime,
    stopped_at: datetime | None = None,
) -> Look:
    """The look of a readout ``as_of``, of an experiment that started at ``started_at``.

    An always-on experiment has none, and is over when its last members' windows have passed.

    stopped_at: where it was stopped before its last planned look: the stop is a look, the last one.
    """
    end = as_of if stopped_at is None else min(stopped_at, as_of)
    moments = planned(analysis, started_at)
    came = [moment for moment in moments if moment <= end]
    if analysis.sequential == "always":
        # Whoever came last still has a window to go.
        over = stopped_at is not None and stopped_at + analysis.window_days * DAY <= as_of
        return Look(0, 0, False, over, (), None, None)
    stopped = stopped_at is not None and stopped_at <= as_of and len(came) < len(moments)
    if stopped and (not came or came[-1] < end) and end > started_at:
        came.append(end)
    last = stopped or len(came) == len(moments)
    due = bool(came) and (last or came[-1] == as_of)
    return Look(
        len(came),
        len(moments),
        due,
        last,
        tuple(information(analysis, (moment - started_at) / DAY) for moment in came),
        came[-1] if came else None,
        None if last else moments[len(came)],
    )


def planned(analysis: Analysis, started_at: datetime) -> tuple[datetime, ...]:
    """Moments of the planned looks, the last ``analysis.days`` after the start; always on: none."""
    if analysis.sequential == "always":
        return ()
    return tuple(
        started_at + timedelta(days=analysis.days * number / analysis.looks)
        for number in range(1, analysis.looks + 1)
    )


def information(analysis: Analysis, days: float) -> float:
    """Share of the planned information that is in after ``days``: of the time that members spend
    in their windows, if they come evenly.

    Between two looks a total of outcomes grows by what is bought in open windows, independent of
    what was bought before: its variance is the information, and grows faster than the members at
    first. Taking the share of members instead gave 6.4 % false alarms at 5 % in 28 looks with
    windows as long as the experiment.
    """

    def within(days: float) -> float:
        open_days = min(days, analysis.window_days)
        return open_days**2 / 2 + analysis.window_days * (days - open_days)

    return within(days) / within(analysis.days)
