"""The analyses of all members on one page, as rows of a spreadsheet, and in a few sentences."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from dashboard.charts.figure import safe_cell
from dashboard.insights_charts import (
    conversion_figure,
    lifecycle_figures,
    pushes_figure,
    repeat_figure,
    second_figure,
    tier_figures,
)
from dashboard.insights_words import STAGES, TIERS, day, why
from dashboard.numbers import told
from dashboard.pages import json_link, page

Document = Mapping[str, Any]
COLUMNS = ("part", "period", "from", "to", "measure", "value", "low", "high", "members")
Row = tuple[str | float | int | None, ...]


def insights_page(document: Document) -> str:
    """The whole page, HTML."""
    cohorts = document["cohorts"]
    joined = cohorts["by_joining"].get("cohorts")
    first = cohorts["by_first_purchase"]["cohorts"]
    values = {
        "title": "Members: who moves where",
        "document": document,
        "day": day,
        "why": lambda untold: why(untold, str),
        "stages": STAGES,
        "tiers": TIERS,
        "lifecycle_charts": lifecycle_figures(document["lifecycle"], str),
        "tier_charts": tier_figures(document["values"], str),
        "repeat": repeat_figure(cohorts, str),
        "second": second_figure(first, str, "second-purchase"),
        "joined": joined,
        "conversion": conversion_figure(joined, str) if joined else "",
        "pushes": pushes_figure(document["pushes"], str),
        "files": {"insights.json": json_link(document)},
    }
    return page("insights_report.html", values)


def insights_csv(document: Document) -> str:
    """One row a number, with the interval and the members that it rests on where it has them."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([safe_cell(cell) for cell in row] for row in _rows(document))
    return file.getvalue()


def insights_sentences(document: Document) -> list[str]:
    """What the last whole month was like."""
    flows = document["lifecycle"]["flows"]
    last = next((one for one in reversed(flows) if one["whole"]), flows[-1])
    standing = document["lifecycle"]["standing"][-1]
    stages = ", ".join(
        f"{STAGES[name]} {told(one['members'], 'count')}" for name, one in standing["of"].items()
    )
    said = [f"{told(standing['members'], 'count')} members as of {day(standing['at'])}: {stages}"]
    said.append(
        f"{day(last['begins'])} to {day(last['ends'])}: {told(last['joined'], 'count')} joined; "
        f"lost {_estimate(last['lost'])} of those buying; won back "
        f"{_estimate(last['won_back'])} of the lapsed"
    )
    if undated := document["lifecycle"]["undated"]:
        said.append(
            f"{told(undated, 'count')} members count from the start: neither joined_at nor "
            "updated_at tells since when they are members"
        )
    for curve in document["cohorts"]["curves"][:1]:
        at = [one for one in curve["points"] if one["day"] <= 91]
        if at:
            said.append(f"bought again within {at[-1]['day']} days: {_estimate(at[-1])}")
    pushes = document["pushes"]
    measured = sum("margin" in one for one in pushes["shown"])
    said.append(
        f"{pushes['pushes']} pushes sent; {measured} of the last {len(pushes['shown'])} kept "
        "members out by chance, so that it can be said what they added"
    )
    return said


def _estimate(one: Document) -> str:
    if "told" in one:
        return f"(cannot say: {one['told']})"
    low, high = told(one["low"], "share"), told(one["high"], "share")
    return f"{told(one['value'], 'share')} ({low} to {high})"


def _rows(document: Document) -> Iterator[Row]:
    for part in ("lifecycle", "values"):
        yield from _flow_rows(part, document[part])
    for one in document["values"]["spend"]:
        for tier, found in one["of"].items():
            yield "values", day(one["at"]), tier, "", "spend", found["spend"], None, None, None
    for by in ("by_joining", "by_first_purchase"):
        for cohort in document["cohorts"][by].get("cohorts", ()):
            yield from _cohort_rows(by, cohort)
    for curve in document["cohorts"]["curves"]:
        for one in curve["points"]:
            name = f"purchase {curve['purchase']} by day {one['day']}"
            yield "curves", "", "", "", name, one["value"], one["low"], one["high"], None
    for push in document["pushes"]["shown"]:
        for name in ("margin", "cost", "gain", "total_gain"):
            if name in push:
                yield _measured("pushes", push["push_id"], name, push[name], push["sent"])


def _flow_rows(part: str, document: Document) -> Iterator[Row]:
    for standing in document["standing"]:
        for name, one in standing["of"].items():
            at = day(standing["at"])
            yield part, at, name, "", "share", one["share"], None, None, one["members"]
    for flow in document["flows"]:
        span = f"{day(flow['begins'])}/{day(flow['ends'])}"
        for one in flow["moves"]:
            yield (
                part, span, one["from"], one["to"], "moved", one["share"], None, None,
                one["members"],
            )  # fmt: skip
        for name in ("first_bought", "lost", "won_back", "risen", "fallen"):
            if name in flow:
                yield _measured(part, span, name, flow[name])


def _cohort_rows(by: str, cohort: Document) -> Iterator[Row]:
    month = cohort["month"]
    for name in ("members", "buyers"):
        yield by, month, "", "", name, cohort[name], None, None, None
    yield _measured(by, month, "basket", cohort["basket"])
    for field in ("conversion", "second"):
        for days, one in cohort.get(field, {}).items():
            yield _measured(by, month, f"{field} within {days} days", one)


def _measured(part: str, period: str, name: str, one: Document, members: int | None = None) -> Row:
    """A number with its interval; empty where it cannot be told."""
    found = (one.get("value"), one.get("low"), one.get("high"), one.get("members", members))
    return (part, period, "", "", name, *found)
