from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

from dashboard.experiment_report import ExperimentReport, experiment_page
from tests.dashboard.given import crowd, report
from tests.dashboard.pages import HOSTILE, asks_no_network, held, numbers, shown


def test_every_number_outside_the_charts_is_one_of_the_results(told: ExperimentReport) -> None:
    page = experiment_page(replace(told, funnel={}, history=()))
    known = set(numbers(told.results))
    assert len(shown(page)) > 150
    assert [value for value in shown(page) if value not in known] == []


def test_the_figures_of_the_verdict_are_there(told: ExperimentReport) -> None:
    page = experiment_page(told)
    (candidate,) = [one for one in told.results["contrasts"] if one["role"] == "candidate"]
    wanted = [
        candidate["primary"]["difference"],
        candidate["primary"]["relative"],
        candidate["decided"]["interval"],
        candidate["anytime"],
        *candidate["incremental"].values(),
        *(one["lift"]["difference"] for one in candidate["segments"]),
        *(one["harm"] for one in candidate["guardrails"]),
    ]
    left_out = [one for one in wanted if not set(numbers(one)) <= set(shown(page))]
    # Totals of margin and cost stand in the chart's table.
    assert left_out == [candidate["incremental"]["total_margin"]]
    assert told.results["verdict"]["sentence"] in unescape(page)


def test_before_the_first_look_it_says_when_that_is(told: ExperimentReport) -> None:
    early = {**told.history[0]}
    page = unescape(experiment_page(replace(told, results=early, history=())))
    assert "Planned look 0" not in page
    assert re.search(r"4 looks are planned; before the first, .*2026.*, there is no verdict", page)


def test_holds_the_document_that_the_api_answers(told: ExperimentReport) -> None:
    assert held(experiment_page(told), "results.json") == told.results


def test_has_the_lift_over_time_with_looks_and_bounds(told: ExperimentReport) -> None:
    page = experiment_page(told)
    for words in ("planned look, with the interval", "has to be crossed", "holds at any time"):
        assert words in page
    looks = [one for one in told.history if one["look"]["due"]]
    assert len(looks) == 4
    for one in looks:
        (candidate,) = [found for found in one["contrasts"] if found["role"] == "candidate"]
        assert set(numbers(candidate["decided"]["interval"])) <= set(shown(page))


def test_names_stay_text(told: ExperimentReport) -> None:
    experiment = replace(told.experiment, owner=HOSTILE, hypothesis=HOSTILE)
    verdict = {**told.results["verdict"], "sentence": HOSTILE}
    results = {**told.results, "verdict": verdict, "warnings": [HOSTILE]}
    page = experiment_page(replace(told, experiment=experiment, results=results))
    assert "<script" not in page
    assert page.count("</style>") == 1


def test_nothing_is_asked_of_a_network(told: ExperimentReport) -> None:
    assert asks_no_network(experiment_page(told))


def test_what_cannot_be_told_says_why() -> None:
    few = report(crowd(members=150), days=(1,))
    page = experiment_page(few)
    assert few.results["verdict"]["sentence"] in unescape(page)
    assert "cannot be told: " in page


def test_a_failed_split_stands_first() -> None:
    made = crowd(members=6_000)
    made.arm[:1_500] = 0
    page = experiment_page(report(made, days=(28,)))
    assert "✗ failed" in page
    assert 'class="verdict bad"' in page
    assert page.index("✗ failed") < page.index("What it changed")
