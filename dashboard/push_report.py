"""The report of one push: what it earned beyond the members held out, and what it had promised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.charts.figure import figure
from dashboard.experiment_charts import Document, funnel, per_member, segments, unit_of
from dashboard.numbers import Unit, told
from dashboard.pages import json_link, page
from dashboard.push_charts import frontier_chart, offers_chart, promise_chart
from training.charts import Chart

_ENDS = ("value", "low", "high")
_SAYS = {
    "promise": "The gain of the whole push: as the estimates had it, as such estimates come true, "
    "and as it came, with its interval.",
    "frontier": "What more or less money was to bring, and where the push ended.",
    "segments": "Those sent to against those held out within each segment; a tick marks what is "
    "told apart from zero once it is taken into account how many were looked at.",
    "offers": "Who got which offer was drawn, so each can be compared with the members held out.",
    "funnel": "How many of the members came how far; members, and their share.",
}


@dataclass(frozen=True, slots=True, eq=False)
class PushReport:
    """What a report is made of; all of it plain JSON.

    push: what it was, see ``features.push_experiment.PushTrial``.
    results: the push read out as an experiment, see ``experiments.findings.Readout``; ``arm``
    against ``control``.
    funnel: of each arm, members by stage.
    offers: in order; ``offer_id``, ``chance`` (None: chosen for its members), ``totals`` of those
    who were chosen for it, and ``contrast`` against those held out, None where it was no chance
    who got it.
    planned: summary of the whole audience as planned; logged: what the decisions expected when
    they were made; frontier: what more or less money was to bring; None where nobody kept it.
    """

    push: Mapping[str, Any]
    arm: str
    control: str
    results: Document
    funnel: Mapping[str, Mapping[str, int]]
    offers: tuple[Mapping[str, Any], ...]
    planned: Mapping[str, Any] | None
    logged: Mapping[str, Any] | None
    frontier: Mapping[str, Any] | None

    @property
    def contrast(self) -> Document:
        """Those sent to against those held out."""
        pair = self.arm, self.control
        return next(c for c in self.results["contrasts"] if (c["arm"], c["control"]) == pair)

    @property
    def sentence(self) -> str:
        """What came of it, in one sentence."""
        if self.results["srm"]["passed"] is False:
            return (
                "Cannot say: members are not split between the push and its holdout as chance "
                "would have it, so something is wrong with the data."
            )
        metric, primary = self.results["metric"], self.contrast["primary"]
        money = metric != "converted"
        found = (
            self.contrast["incremental"]["gain"] if money else primary.get("difference", primary)
        )
        if "told" in found:
            return f"Cannot say: {found['told']}."
        unit: Unit = unit_of(metric)
        what = "money" if money else "members converting"
        each = f"{told(found['value'], unit, signed=True)} {what} per member"
        around = (
            f"({told(found['low'], unit, signed=True)} to {told(found['high'], unit, signed=True)})"
        )
        if found["low"] > 0:
            return f"The push earned {each} {around} beyond what members held out did."
        if found["high"] < 0:
            return f"The push did harm: {each} {around} against members held out."
        return f"Nothing shows that the push changed anything: {each} {around}."

    @property
    def tone(self) -> str:
        """good, bad, or nothing."""
        if self.sentence.startswith("The push earned"):
            return "good"
        return "" if self.sentence.startswith("Nothing") else "bad"

    def beside(self) -> list[dict[str, Any]]:
        """What was promised beside what came: rows of ``name``, ``unit``, ``planned``, ``logged``,
        ``real``; numbers, estimates (``value``, ``low``, ``high``) or None."""
        planned, logged = self.planned or {}, self.logged or {}
        totals = next(one for one in self.results["arms"] if one["arm"] == self.arm)
        found = self.contrast["incremental"]
        calibrated = planned.get("interval") and {
            "value": planned["calibrated_gain"],
            "low": planned["interval"][0],
            "high": planned["interval"][1],
        }
        orders = self.contrast["metrics"]["conversions"]["plain"]
        return [
            _row(
                "contacts", "count", planned.get("contacts"), logged.get("contacts"),
                totals["sends"],
            ),
            _row(
                "conversions that would not have come", "count", planned.get("expected_orders"),
                logged.get("orders"), _times(orders.get("difference", orders), totals["members"]),
            ),
            _row(
                "cost, coupons included", "money", planned.get("expected_cost"), None,
                totals["cost"] + totals["coupon"],
            ),
            _row(
                "gain, by the estimates as they were", "money", planned.get("expected_gain"),
                logged.get("gain"), found["total_gain"],
            ),
            _row(
                "gain, as such estimates come true", "money", calibrated or None, None,
                found["total_gain"],
            ),
        ]  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """What ``--json`` prints and the page holds."""
        return {
            "push": dict(self.push),
            "sentence": self.sentence,
            "results": self.results,
            "funnel": self.funnel,
            "offers": list(self.offers),
            "promised": {"planned": self.planned, "logged": self.logged, "beside": self.beside()},
            "frontier": self.frontier,
        }


def push_page(report: PushReport) -> str:
    """The whole page, HTML."""
    results = report.results
    unit = unit_of(results["metric"])
    charts: dict[str, tuple[Chart | None, Unit]] = {
        "promise": (promise_chart(report.beside()), "money"),
        "frontier": (frontier_chart(report.frontier, report.planned, report.beside()), "money"),
        "segments": (segments(results, report.contrast), unit),
        "offers": (offers_chart(report.offers), "money"),
        "funnel": (funnel(report.funnel) if report.funnel else None, "share"),
    }
    drawn = {
        name: "" if chart is None else figure(chart, name, _SAYS[name], shown)
        for name, (chart, shown) in charts.items()
    }
    values = {
        "title": f"Push {report.push['push_id']}",
        "report": report,
        "push": report.push,
        "results": results,
        "contrast": report.contrast,
        "metric": per_member(results),
        "unit": unit,
        "mark": {"good": "✓", "bad": "✗"}.get(report.tone, "="),
        "charts": drawn,
        "files": {"push.json": json_link(report.to_json())},
    }
    return page("push_report.html", values)


def _row(name: str, unit: Unit, planned: Any, logged: Any, real: Any) -> dict[str, Any]:
    return {"name": name, "unit": unit, "planned": planned, "logged": logged, "real": real}


def _times(estimate: Document, members: int) -> Document:
    """An estimate per member as that of all."""
    if "told" in estimate:
        return estimate
    return {name: None if estimate[name] is None else estimate[name] * members for name in _ENDS}
