"""Charts of the training record in the reader's language: its rows, drawn as the page draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from markupsafe import Markup

from dashboard.charts.figure import figure
from dashboard.numbers import Unit
from dashboard.web.language import noted
from dashboard.web.visit import Visit
from training.charts import Chart, Series

Rows = Sequence[Mapping[str, Any]]
Style = Literal["line", "points", "bars", "guide"]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a chart of the record shows. series: that of a model, which a comparison draws."""

    title: str
    x: str
    y: str
    says: str
    series: str = "model"


SHAPES: Mapping[str, Shape] = {
    "reliability": Shape(
        noted("Calibration: promised and happened"), noted("promised probability"),
        noted("share to whom it happened, ± 2 standard errors"),
        noted("On the dotted line a promise is kept."),
    ),
    "uplift_by_tenth": Shape(
        noted("Uplift by tenth of the members"), noted("tenth, highest prediction first"),
        noted("percentage points of conversion, 95 % interval"),
        noted("What was promised of each tenth, and what past pushes measured."), "measured",
    ),
    "qini": Shape(
        noted("Qini curve"), noted("members, highest first"), noted("won by sending"),
        noted("The higher above the dotted line, the better the order of members."),
    ),
    "gain_by_budget": Shape(
        noted("Gain by budget"), noted("budget per decision"), noted("gain in money"),
        noted("What each way of choosing would have earned on past pushes."),
    ),
    "gain": Shape(
        noted("Cumulative gain"), noted("share of members"), noted("share of buyers"),
        noted("How many of the buyers are among the first members of each order."),
    ),
    "lift": Shape(
        noted("Lift"), noted("tenth of members by score"), noted("times the average"),
        noted("How many times the average rate each tenth has, best first."),
    ),
    "effects": Shape(
        noted("Mean effect on conversion"), noted("offer"),
        noted("percentage points, 90 % interval"),
        noted("An interval that crosses nought may be no effect."), "effect",
    ),
    "lists": Shape(
        noted("Lists on a later period"), noted("figure"), noted("mean over members"),
        noted("How much of what members bought was in their list."),
    ),
}  # fmt: skip
SERIES: Mapping[str, str] = {
    "model": noted("model"),
    "promise kept": noted("promise kept"),
    "measured": noted("measured"),
    "promised": noted("promised"),
    "no effect": noted("no effect"),
    "at random": noted("at random"),
    "random": noted("at random"),
    "average": noted("average"),
    "effect": noted("effect"),
    "propensity": noted("by propensity"),
    "best_offer": noted("best single offer"),
    "value": noted("value"),
    "logged": noted("what happened"),
    "what happened": noted("what happened"),
}
_GUIDES = {"promise kept", "no effect", "at random", "average", "what happened"}
_POINTS = {"measured", "effect", "value"}


def drawn(visit: Visit, name: str, rows: Rows, file: str) -> Markup:
    """One chart of the record. file: of its data, without ending."""
    shape = SHAPES.get(name)
    if shape is None:
        shape = Shape(name.replace("_", " "), "", "", "")
    return _figure(visit, name, shape, series_of(visit, rows), file)


def together(visit: Visit, name: str, of: Mapping[str, Rows], file: str) -> Markup:
    """The model's series of several records over one pair of axes, by what each is called."""
    shape = SHAPES[name]
    found: list[Series] = []
    for label, rows in of.items():
        own = [row for row in rows if row["series"] == shape.series]
        for one in series_of(visit, own):
            style = "line" if name != "effects" else one.style
            found.append(Series(label, one.x, one.y, style, ends=one.ends))
    first = next(iter(of.values()), ())
    guides = [one for one in series_of(visit, first) if one.style == "guide"]
    return _figure(visit, name, shape, [*guides, *found], file)


def series_of(visit: Visit, rows: Rows) -> list[Series]:
    """The series of a chart's rows, in their order; a row without a number is left out."""
    found = []
    for name, run in groupby(rows, key=lambda row: row["series"]):
        own = [row for row in run if row["y"] is not None]
        if own:
            found.append(_series(visit, str(name), own))
    return found


def _series(visit: Visit, name: str, rows: Rows) -> Series:
    label = visit.words(SERIES[name]) if name in SERIES else name
    ends = [None if row["low"] is None else (row["low"], row["high"]) for row in rows]
    known = any(one is not None for one in ends)
    x = [row["x"] for row in rows]
    return Series(
        label, x, [row["y"] for row in rows], _style(name, named=isinstance(x[0], str)),
        ends=ends if known else None,
    )  # fmt: skip


def _style(name: str, *, named: bool) -> Style:
    if name in _GUIDES:
        return "guide"
    if name in _POINTS:
        return "points"
    return "bars" if named else "line"


def _figure(visit: Visit, name: str, shape: Shape, series: Sequence[Series], file: str) -> Markup:
    words = visit.words
    title, says = words(shape.title), words(shape.says) if shape.says else ""
    x, y = (words(text) if text else "" for text in (shape.x, shape.y))
    unit: Unit = "share" if name in ("reliability", "gain") else "number"
    return figure(Chart(title, x, y, tuple(series)), file, says, unit, words)
