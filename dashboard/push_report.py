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
from dashboard.terms import Words, in_english, untold
from dashboard.web.language import ENGLISH, Language, noted
from training.charts import Chart

_ENDS = ("value", "low", "high")
_SENTENCES = {
    "good": noted(
        "The push earned %(each)s per member (%(low)s to %(high)s) beyond what members held out "
        "did."
    ),
    "bad": noted(
        "The push did harm: %(each)s per member (%(low)s to %(high)s) against members held out."
    ),
    "": noted(
        "Nothing shows that the push changed anything: %(each)s per member (%(low)s to %(high)s)."
    ),
}
_AMOUNTS: Mapping[Unit, str] = {
    "points": noted("%(amount)s members converting"),
    "money": noted("%(amount)s money"),
}
_SAYS = {
    "promise": noted(
        "The gain of the whole push: as the estimates had it, as such estimates come true, and as "
        "it came, with its interval."
    ),
    "frontier": noted("What more or less money was to bring, and where the push ended."),
    "segments": noted(
        "Those sent to against those held out within each segment; a tick marks what is told apart "
        "from zero once it is taken into account how many were looked at."
    ),
    "offers": noted(
        "Who got which offer was drawn, so each can be compared with the members held out."
    ),
    "funnel": noted("How many of the members came how far; members, and their share."),
}
ROWS = (  # of what was promised beside what came
    noted("contacts"),
    noted("conversions that would not have come"),
    noted("cost, coupons included"),
    noted("gain, by the estimates as they were"),
    noted("gain, as such estimates come true"),
)


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
        return self.said(ENGLISH)

    def said(self, spoken: Language) -> str:
        """The same in the reader's language."""
        words = spoken.words
        if self.results["srm"]["passed"] is False:
            return words(
                "Cannot say: members are not split between the push and its holdout as chance "
                "would have it, so something is wrong with the data."
            )
        found, unit = self._earned
        if "told" in found:
            return words("Cannot say: %(why)s.", why=untold(spoken, found))
        each = words(_AMOUNTS[unit], amount=told(found["value"], unit, signed=True))
        low, high = (told(found[end], unit, signed=True) for end in ("low", "high"))
        return words(_SENTENCES[self.tone], each=each, low=low, high=high)

    @property
    def tone(self) -> str:
        """good, bad, or nothing."""
        found, _ = self._earned
        if self.results["srm"]["passed"] is False or "told" in found or found["high"] < 0:
            return "bad"
        return "good" if found["low"] > 0 else ""

    @property
    def _earned(self) -> tuple[Document, Unit]:
        """What one member brought beyond those held out, and its unit."""
        metric, primary = self.results["metric"], self.contrast["primary"]
        if metric == "converted":
            return primary.get("difference", primary), unit_of(metric)
        return self.contrast["incremental"]["gain"], unit_of(metric)

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
    drawn = drawn_charts(report, in_english)
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


def drawn_charts(report: PushReport, words: Words) -> Mapping[str, str]:
    """The charts as figures, by name, in the reader's language; empty where one has nothing to
    show."""
    results, beside = report.results, report.beside()
    unit = unit_of(results["metric"])
    charts: dict[str, tuple[Chart | None, Unit]] = {
        "promise": (promise_chart(beside, words), "money"),
        "frontier": (frontier_chart(report.frontier, report.planned, beside, words), "money"),
        "segments": (segments(results, report.contrast, words), unit),
        "offers": (offers_chart(report.offers, words), "money"),
        "funnel": (funnel(report.funnel, words) if report.funnel else None, "share"),
    }
    return {
        name: "" if chart is None else figure(chart, name, words(_SAYS[name]), shown, words)
        for name, (chart, shown) in charts.items()
    }


def _row(name: str, unit: Unit, planned: Any, logged: Any, real: Any) -> dict[str, Any]:
    return {"name": name, "unit": unit, "planned": planned, "logged": logged, "real": real}


def _times(estimate: Document, members: int) -> Document:
    """An estimate per member as that of all."""
    if "told" in estimate:
        return estimate
    return {name: None if estimate[name] is None else estimate[name] * members for name in _ENDS}
