"""The charts of the page about health, from the monitors' document, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from dashboard.charts.figure import Words, figure
from dashboard.health_words import LACKING, LIMITS
from training.charts import Chart, Series

_TOGETHER = 6  # hours that one point of the volume adds up
_PUSHES = 15


def volume_figure(hours: Sequence[Mapping[str, Any]], words: Words) -> Markup:
    """Decisions and sends of the last days; empty where there are none."""
    if not any(one["decided"] for one in hours):
        return Markup("")
    parts = [hours[start : start + _TOGETHER] for start in range(0, len(hours), _TOGETHER)]
    x = [(_TOGETHER * (number + 1) - len(hours)) / 24 for number in range(len(parts))]
    names = {"decided": words("decisions"), "sends": words("sends")}
    chart = Chart(
        words("Volume of decisions"),
        words("days before the monitors ran"),
        words("in six hours"),
        tuple(
            Series(name, x, [float(sum(hour[key] for hour in part)) for part in parts])
            for key, name in names.items()
        ),
    )
    says = words("Decisions, and those of them that chose an offer, over the last two weeks.")
    return figure(chart, "decision-volume", says, "count", words)


def pace_figure(paced: Sequence[Mapping[str, Any]], words: Words) -> Markup:
    """Use beside the plan's pace, as shares of each limit; empty where no push has one."""
    shown = [one for one in paced if one["most"] > 0][:_PUSHES]
    if not shown:
        return Markup("")
    places = [f"{one['push_id']}, {words(LIMITS.get(one['limit'], ''))}" for one in shown]
    used = [(one["reserved"] + one["spent"]) / one["most"] for one in shown]
    planned = [min(one["planned"] / one["most"], 1.0) for one in shown]
    chart = Chart(
        words("Pace of budgets"),
        words("push"),
        words("share of the limit"),
        (
            Series(words("used"), places, used, style="bars"),
            Series(words("pace of the plan"), places, planned, style="points"),
        ),
    )
    says = words(
        "What is reserved and spent, beside what the plan would have taken of the members asked "
        "about so far."
    )
    return figure(chart, "budget-pace", says, "share", words)


def lesser_figure(days: Sequence[Mapping[str, Any]], words: Words) -> Markup:
    """Decisions made with less than everything, by day and reason; empty where there are none."""
    reasons = sorted({reason for day in days for reason in day["counts"]})
    if not reasons:
        return Markup("")
    x = [float(number + 1 - len(days)) for number in range(len(days))]
    series = tuple(
        Series(
            words(LACKING[reason]) if reason in LACKING else reason,
            x,
            [float(day["counts"].get(reason, 0)) for day in days],
        )
        for reason in reasons
    )
    before = words("days before the monitors ran")
    chart = Chart(words("Lesser decisions"), before, words("decisions a day"), series)
    says = words("Decisions that were made with less than everything, by what was missing.")
    return figure(chart, "lesser-decisions", says, "count", words)
