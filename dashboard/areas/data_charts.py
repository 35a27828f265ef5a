"""How features are spread and how far they drifted, as charts."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from dashboard.charts.figure import figure
from dashboard.numbers import told
from dashboard.web.visit import Visit
from training.charts import Chart, Series

_MOST_DRIFTED = 12


def drift(visit: Visit, report: Mapping[str, Any]) -> Markup | None:
    """The features that drifted most, beside the limit; None where there is no reference."""
    known = [one for one in report["features"] if one["psi"] is not None]
    first = sorted(known, key=lambda one: -one["psi"])[:_MOST_DRIFTED]
    if not first:
        return None
    names = [_name(one, first) for one in first]
    limit = report["limits"]["psi"]
    series = (
        Series(visit.words("drift"), names, [one["psi"] for one in first], "bars"),
        Series(visit.words("limit"), names, [limit] * len(first), "guide"),
    )
    title = visit.words("What drifted most")
    says = visit.words("Above the limit, %(limit)s, a feature looks unlike the reference.",
                       limit=told(limit))  # fmt: skip
    y = visit.words("stability index (PSI)")
    return figure(Chart(title, "", y, series), "drift", says, words=visit.words)


def spread(visit: Visit, one: Mapping[str, Any]) -> Markup | None:
    """One feature's values now beside the reference's; None where it has no values."""
    if one["values"] is None:
        bins = _bins(one["span"], len(one["histogram"]))
        now = dict(zip(bins, one["histogram"], strict=True))
        before = dict(zip(bins, one["histogram_before"], strict=False))
    else:
        now, before = one["values"], one["values_before"]
    places = list(dict.fromkeys([*now, *before]))
    if not places:
        return None
    series = [Series(visit.words("now"), places, [now.get(p, 0.0) for p in places], "bars")]
    if one["missing_before"] is not None:
        then = [before.get(place, 0.0) for place in places]
        series.append(Series(visit.words("reference"), places, then, "bars"))
    chart = Chart(visit.words("How the values are spread"), "", visit.words("share of the rows"),
                  tuple(series))  # fmt: skip
    says = visit.words("Rows without a value stand in no bar.")
    return figure(chart, f"{one['view']}-{one['name']}", says, "share", visit.words)


def _bins(span: list[float] | None, many: int) -> list[str]:
    """Names of bins of equal width."""
    if span is None:
        return []
    low, high = span
    edges = [low + (high - low) * n / many for n in range(many + 1)]
    named = [f"{told(a)} – {told(b)}" for a, b in pairwise(edges)]
    # A value that all rows share has bins of no width, which would bear one name.
    return named if len(set(named)) == many else [f"{n + 1}: {one}" for n, one in enumerate(named)]


def _name(one: Mapping[str, Any], beside: list[Mapping[str, Any]]) -> str:
    """A feature's name, with its view where another has the same."""
    alike = sum(other["name"] == one["name"] for other in beside) > 1
    return f"{one['view']}.{one['name']}" if alike else str(one["name"])
