"""The report of an experiment: one page that tells all, and needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup

from dashboard.charts.figure import csv_link, figure
from dashboard.experiment_charts import (
    Document,
    funnel,
    money_over_time,
    over_time,
    per_member,
    segments,
    unit_of,
    while_it_ran,
)
from dashboard.pages import json_link, page
from experiments.design import Experiment

TONE = {"promote": "good", "harm": "bad", "cannot_say": "bad"}
MARK = {"promote": "✓", "harm": "✗", "cannot_say": "⚠", "wait": "…"}
_ARM_COLUMNS = (
    "arm", "kind", "share", "members", "complete", "reached", "sends", "redeemed", "converted",
    "conversions", "unsubscribed", "complained", "revenue", "margin", "cost", "coupon", "gain",
    "gain_per_member",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class ExperimentReport:
    """What a report is made of.

    results: what the API answers, number by number.
    history: the same as of earlier moments, oldest first; ``results`` are the last.
    funnel: of each arm, members by stage: see ``dashboard.experiment_charts.STAGES``.
    file: that it was read from, of an experiment run elsewhere; "" of one of the workspace.
    """

    experiment: Experiment
    state: str
    started_at: datetime
    results: Document
    history: tuple[Document, ...]
    funnel: Mapping[str, Mapping[str, int]]
    file: str = ""


def experiment_page(report: ExperimentReport) -> str:
    """The whole page, HTML."""
    results = report.results
    verdict = results["verdict"]
    values = {
        "title": f"Experiment {report.experiment.experiment_id}",
        "experiment": report.experiment,
        "analysis": report.experiment.analysis,
        "state": report.state,
        "file": report.file,
        "started_at": report.started_at,
        "results": results,
        "verdict": verdict,
        "tone": TONE.get(verdict["kind"], ""),
        "mark": MARK.get(verdict["kind"], "="),
        "metric": per_member(results),
        "unit": unit_of(results["metric"]),
        "contrasts": [
            _shown(report, one) for one in results["contrasts"] if one["role"] == "candidate"
        ],
        "besides_shown": [one for one in results["contrasts"] if one["role"] != "candidate"],
        "funnel": figure(
            funnel(report.funnel), "funnel",
            "How many of the members assigned came how far; members, and their share.", "share",
        ) if report.funnel else "",
        "files": downloads(results),
    }  # fmt: skip
    return page("experiment_report.html", values)


def downloads(results: Document) -> dict[str, str]:
    """Files that the page holds, by name: links."""
    arms = [[one[name] for name in _ARM_COLUMNS] for one in results["arms"]]
    return {"results.json": json_link(results), "arms.csv": csv_link(_ARM_COLUMNS, arms)}


def _shown(report: ExperimentReport, contrast: Document) -> dict[str, Any]:
    """A contrast with its charts."""
    arm, control = contrast["arm"], contrast["control"]
    name = f"{arm}-{control}"
    unit = unit_of(report.results["metric"])
    started_at = report.started_at
    when = (while_it_ran(report.history, started_at), started_at, arm, control)
    charts = (
        _figure(
            over_time(*when), f"lift-{name}",
            "The estimate as members came in. The shaded interval holds whenever it is looked at; "
            "where the interval of a planned look leaves out zero, the look decides.", unit,
        ),
        _figure(
            money_over_time(*when), f"money-{name}",
            "All members of the arm together, against as many of the other.", "money",
        ),
        _figure(
            segments(report.results, contrast), f"segments-{name}",
            "The lift within each segment with its interval; a tick marks what is told apart from "
            "zero once it is taken into account how many were looked at.", unit,
        ),
    )  # fmt: skip
    return {"found": contrast, "charts": charts}


def _figure(chart: Any, name: str, says: str, unit: Any) -> Markup:
    return Markup("") if chart is None else figure(chart, name, says, unit)
