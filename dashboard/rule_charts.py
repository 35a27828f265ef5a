"""The picture of the rule court: rule, opposite, and model at equal size, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dashboard.web.language import noted
from experiments.saying import Says, english
from training.charts import Chart, Series

if TYPE_CHECKING:
    from experiments.rule_court import Findings

GROUPS: Mapping[str, str] = {
    "picked": noted("the rule picks"),
    "left_out": noted("the rule leaves out"),
    "best_left_out": noted("as many of those, best by the model"),
    "model": noted("as many of all, best by the model"),
}
DIFFERENCES: Mapping[str, str] = {
    "picked_less_left_out": noted("picked less left out"),
    "picked_less_best_left_out": noted("picked less the best left out"),
    "picked_less_model": noted("picked less the model's"),
}
_AXES = {
    "money": noted("gain per contact, money, 95 % interval"),
    "conversions": noted("more conversions in 1,000 contacts, 95 % interval"),
}
_PLACES = noted("group of members")
_SERIES = (noted("measured"), noted("no send"))


def verdict_chart(answer: Findings, rule: str, says: Says = english) -> Chart:
    """What a push to each group changed per contact, beside no send."""
    groups = {says(words): answer.judged(getattr(answer, name)) for name, words in GROUPS.items()}
    money = answer.objective == "margin"
    times = 1.0 if money else 1000.0
    means = [times * one.mean for one in groups.values()]
    widths = [times * (one.high - one.mean) for one in groups.values()]
    return Chart(
        rule,
        says(_PLACES),
        says(_AXES["money" if money else "conversions"]),
        (
            Series(says(_SERIES[0]), list(groups), means, "points", widths),
            Series(says(_SERIES[1]), list(groups), [0.0] * len(groups), "guide"),
        ),
    )
