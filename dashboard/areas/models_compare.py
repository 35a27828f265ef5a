"""Versions of a model side by side: what they learned from, how good they were, what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from starlette.responses import Response

from dashboard.areas.models_charts import SHAPES, together
from dashboard.areas.models_read import INTERVALS, Interval, Version, above_champion, registry
from dashboard.areas.models_words import FACTS, METRICS, MODELS, said
from dashboard.charts.figure import figure
from dashboard.web.errors import BadForm
from dashboard.web.routing import look
from dashboard.web.visit import Visit
from training.charts import Chart, Series

_MOST = 4
_DATA = ("data_window", "measured_from", "known_until", "dataset_digest", "evidence")
_DAY = len("2026-05-01")
_DIGEST = 12  # characters that tell two apart
_TOGETHER = ("reliability", "uplift_by_tenth", "qini", "gain_by_budget", "gain", "lift")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a comparison: cells of the versions in their order. differs: not all alike."""

    title: str
    cells: Sequence[str]

    @property
    def differs(self) -> bool:
        return len(set(self.cells)) > 1


@dataclass(frozen=True, slots=True)
class Figures:
    """One figure of all. best: places of the best ones. above: over each one's champion."""

    title: str
    higher_is_better: bool
    values: Sequence[float | None]
    above: Sequence[Interval | None]

    @property
    def best(self) -> set[int]:
        known = [one for one in self.values if one is not None]
        if len(known) < 2:
            return set()
        top = max(known) if self.higher_is_better else min(known)
        return {place for place, one in enumerate(self.values) if one == top}


def compare(visit: Visit) -> Response:
    """Two versions or more of one model."""
    found = _asked(visit)
    first = found[0].name
    shared = set.intersection(*(set(one.features) for one in found))
    own = [[name for name in one.features if name not in shared] for one in found]
    estimates = [(said(visit, FACTS, fact), [one.interval(fact) for one in found])
                 for fact in INTERVALS if any(one.interval(fact) for one in found)]  # fmt: skip
    return visit.page(
        "models/compare.html", versions=found, title=said(visit, MODELS, first),
        data=[_row(visit, fact, found) for fact in _DATA if any(fact in v.facts for v in found)],
        periods=len({one.facts.get("measured_from", "")[:_DAY] for one in found}) > 1,
        shared=len(shared), own=own, figures=_figures(visit, found), estimates=estimates,
        charts=_charts(visit, found),
    )  # fmt: skip


def _asked(visit: Visit) -> list[Version]:
    keys = list(dict.fromkeys(visit.request.query_params.getlist("version")))
    if not 2 <= len(keys) <= _MOST:
        raise BadForm(f"choose 2 to {_MOST} versions of one model to compare")
    known = registry(visit)
    found = [known.find(*key.rpartition(":")[::2]) for key in keys]
    if len({one.name for one in found}) > 1:
        raise BadForm("the versions are of different models; choose those of one")
    return found


def _row(visit: Visit, fact: str, found: Sequence[Version]) -> Row:
    long = fact == "dataset_digest"
    cells = [one.facts.get(fact, "–")[: _DIGEST if long else None] for one in found]
    return Row(said(visit, FACTS, fact), cells)


def _figures(visit: Visit, found: Sequence[Version]) -> list[Figures]:
    metrics = dict.fromkeys(figure["metric"] for one in found for figure in one.figures)
    rows = []
    for metric in metrics:
        own = [one.figure(metric) for one in found]
        rows.append(
            Figures(
                said(visit, METRICS, metric),
                next(one["higher_is_better"] for one in own if one is not None),
                [_ours(one) for one in own],
                [None if one is None else above_champion(one) for one in own],
            )
        )
    return rows


def _ours(figure: Mapping[str, Any] | None) -> float | None:
    return None if figure is None else figure["ours"]


def _charts(visit: Visit, found: Sequence[Version]) -> list[Markup]:
    file = f"{found[0].name}-{'-'.join(one.version for one in found)}"
    labels = {one.version: visit.words("version %(number)s", number=one.version) for one in found}
    drawn = []
    for name in _TOGETHER:
        of = {labels[one.version]: one.charts[name] for one in found if one.charts.get(name)}
        if len(of) > 1 and name in SHAPES:
            drawn.append(together(visit, name, of, f"{file}-{name}"))
    values = {labels[one.version]: one.interval("policy_value") for one in found}
    known = {label: one for label, one in values.items() if one is not None}
    if known:
        drawn.append(_policy_value(visit, known, f"{file}-policy-value"))
    return drawn


def _policy_value(visit: Visit, known: Mapping[str, Interval], file: str) -> Markup:
    points = list(known.values())
    series = Series(
        visit.words("value"), list(known), [one.value for one in points], "points",
        ends=[(one.low, one.high) for one in points],
    )  # fmt: skip
    chart = Chart(
        visit.words("Policy value"), "", visit.words("per decision, 95 % interval"), (series,)
    )
    says = visit.words("What the choices of each would have earned on its later pushes.")
    return figure(chart, file, says, words=visit.words)


ROUTES = (look("/models/compare", compare),)
