"""Growing demand as a page, a chart and rows: from the document that the analysis gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dashboard.charts.figure import csv_link, figure
from dashboard.insights_words import STAGES, TIERS
from dashboard.numbers import told
from dashboard.pages import json_link, page
from training.charts import Chart, Series

Document = Mapping[str, Any]
Words = Callable[[str], str]
_EVIDENCE = (
    "members", "before", "now", "judged", "bought", "no_item", "no_stock", "not_bought",
    "unmet_share", "mean_unmet",
)  # fmt: skip
_GROWTH = ("beyond", "low", "high", "p", "adjusted_p")
_REMEDY = (
    "for_sale", "in_stock", "items_before", "items_now", "items_gone", "nearest_band",
    "nearest_low", "nearest_high", "nearest_items", "margin", "at_stake",
)  # fmt: skip
_CODES: Mapping[str, Mapping[str, str]] = {"lifecycle": STAGES, "value_tier": TIERS}
_SHOWN = 12  # findings in the chart: more names than that are not read


def columns(document: Document) -> tuple[str, ...]:
    """Names of what ``rows`` gives, in order."""
    named = tuple(f"segment_{name}" for name in document["segments"])
    growth = tuple(f"growth_{name}" for name in _GROWTH)
    head = ("rank", *named, "category", "band", "wanted_low", "wanted_high")
    return (*head, *_EVIDENCE, *growth, *_REMEDY, "score")


def rows(document: Document) -> list[list[Any]]:
    """The findings, one a row; money in the workspace's currency."""
    return [
        [
            one["rank"],
            *one["segment"].values(),
            *(one["need"][name] for name in ("category", "band", "low", "high")),
            *(one["evidence"][name] for name in _EVIDENCE),
            *(one["growth"][name] for name in _GROWTH),
            *(one["remedy"][name] for name in _REMEDY),
            one["score"],
        ]
        for one in document["findings"]
    ]


def growth_chart(document: Document, words: Words = str) -> Chart:
    """Growth of each finding over the shop's, with its interval, best first."""
    shown: Sequence[Document] = document["findings"][:_SHOWN]
    names = [f"{one['rank']}. {need(one)}: {segment(one, words)}" for one in shown]
    growth = [one["growth"] for one in shown]
    found = Series(
        words("growth of demand"),
        names,
        [one["beyond"] for one in growth],
        style="points",
        ends=[(one["low"], one["high"]) for one in growth],
    )
    axis = words("times the growth of all demand, 90 % interval")
    return Chart(words("Demand that grows"), words("need"), axis, (found,))


def segment(finding: Document, words: Words = str) -> str:
    """Whose need it is, in one breath; our own stages and tiers in the reader's language."""
    return " · ".join(
        words(_CODES[name][value]) if value in _CODES.get(name, {}) else value
        for name, value in finding["segment"].items()
    )


def need(finding: Document) -> str:
    """What is wanted: a category at a price."""
    wanted = finding["need"]
    return f"{wanted['category']}, {prices(wanted['low'], wanted['high'])}"


def chance(p: float) -> str:
    """A p-value; none is told as nought."""
    return "< 0.001" if p < 0.001 else told(p)


def prices(low: float | None, high: float | None) -> str:
    """A range of money; a dash where there is none."""
    if low is None or high is None:
        return "–"
    return told(low, "money") if low == high else f"{told(low, 'money')}–{told(high, 'money')}"


def demand_page(document: Document) -> str:
    """The whole page, HTML."""
    chart = growth_chart(document) if document["findings"] else None
    says = "Each mark is how much more than all demand a need grew; 1 is the shop itself."
    values = {
        "title": "Growing demand that the catalogue does not serve",
        "report": document,
        "chart": figure(chart, "growth", says) if chart else None,
        "segment": segment,
        "prices": prices,
        "chance": chance,
        "files": {
            "demand.json": json_link(document),
            "demand.csv": csv_link(columns(document), rows(document)),
        },
    }
    return page("demand_report.html", values)
