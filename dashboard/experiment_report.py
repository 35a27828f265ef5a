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
from dashboard.experiment_verdict import look_in, verdict_in
from dashboard.numbers import Unit
from dashboard.pages import json_link, page
from dashboard.terms import Words
from dashboard.web.language import ENGLISH, Language
from experiments.design import Experiment
from training.charts import Chart

TONE = {"promote": "good", "harm": "bad", "cannot_say": "bad"}
MARK = {"promote": "✓", "harm": "✗", "cannot_say": "⚠", "wait": "…"}
ARM_COLUMNS = (
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
        "verdict": verdict,
        "sentence": verdict["sentence"],
        "files": downloads(results),
        **told_in(report, ENGLISH),
    }
    return page("experiment_report.html", values)


def told_in(report: ExperimentReport, language: Language) -> dict[str, Any]:
    """What the templates of a report need, in the reader's language."""
    results, words = report.results, language.words
    verdict = results["verdict"]
    return {
        "experiment": report.experiment,
        "analysis": report.experiment.analysis,
        "state": report.state,
        "file": report.file,
        "started_at": report.started_at,
        "results": results,
        "tone": TONE.get(verdict["kind"], ""),
        "mark": MARK.get(verdict["kind"], "="),
        "metric": per_member(results, words),
        "unit": unit_of(results["metric"]),
        "contrasts": [
            _shown(report, one, language)
            for one in results["contrasts"]
            if one["role"] == "candidate"
        ],
        "look": look_in(words, results),
        "besides_shown": [one for one in results["contrasts"] if one["role"] != "candidate"],
        "funnel": _figure(
            funnel(report.funnel, words) if report.funnel else None, "funnel",
            words("How many of the members assigned came how far; members, and their share."),
            "share", words,
        ),
    }  # fmt: skip


def downloads(results: Document) -> dict[str, str]:
    """Files that the page holds, by name: links."""
    arms = [[one[name] for name in ARM_COLUMNS] for one in results["arms"]]
    return {"results.json": json_link(results), "arms.csv": csv_link(ARM_COLUMNS, arms)}


def _shown(report: ExperimentReport, contrast: Document, language: Language) -> dict[str, Any]:
    """A contrast with its verdict in words and its charts."""
    arm, control, words = contrast["arm"], contrast["control"], language.words
    name = f"{arm}-{control}"
    unit = unit_of(report.results["metric"])
    started_at = report.started_at
    when = (while_it_ran(report.history, started_at), started_at, arm, control, words)
    charts = (
        _figure(
            over_time(*when), f"lift-{name}",
            words(
                "The estimate as members came in. The shaded interval holds whenever it is looked "
                "at; where the interval of a planned look leaves out zero, the look decides."
            ),
            unit, words,
        ),
        _figure(
            money_over_time(*when), f"money-{name}",
            words("All members of the arm together, against as many of the other."), "money",
            words,
        ),
        _figure(
            segments(report.results, contrast, words), f"segments-{name}",
            words(
                "The lift within each segment with its interval; a tick marks what is told apart "
                "from zero once it is taken into account how many were looked at."
            ),
            unit, words,
        ),
    )  # fmt: skip
    verdict = contrast["verdict"]
    sentence = "" if verdict is None else verdict_in(language, report.results, verdict)
    return {"found": contrast, "charts": charts, "sentence": sentence}


def _figure(chart: Chart | None, name: str, says: str, unit: Unit, words: Words) -> Markup:
    return Markup("") if chart is None else figure(chart, name, says, unit, words)
