from __future__ import annotations

import csv
import json
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.workspace import Workspace
from models.errors import ModelError
from tests.training.notes import Note, account, read_note
from training.charts import Chart, Series
from training.errors import TrainingError
from training.tracking import champion, promote, versions
from training.trained import Card, Check, Comparison, record, standing

JULY = datetime(2011, 7, 1, tzinfo=UTC)
SEEN = {"known_until": "2011-07-01T00:00:00+00:00"}


@pytest.mark.parametrize(
    ("ours", "higher_is_better", "beaten"),
    [(0.8, True, True), (0.7, True, False), (0.5, False, True), (0.6, False, False)],
)
def test_a_baseline_is_beaten_only_when_every_one_is(
    ours: float, higher_is_better: bool, beaten: bool
) -> None:
    comparison = Comparison("figure", ours, {"rfm": 0.7, "recency": 0.6}, higher_is_better)
    assert comparison.beaten is beaten


def test_takes_over_from_a_champion_that_is_not_better(recorded: Workspace) -> None:
    record(recorded, "propensity", Note("old"), account(0.8, 0.7))
    newer = record(recorded, "propensity", Note("new"), account(0.8, 0.1, champion=0.79))
    assert newer.promoted
    assert champion(recorded, "propensity") == (newer.version, newer.folder)
    assert read_note(newer.folder) == Note("new")


def test_may_be_below_the_champion_by_one_standard_error_and_no_more(recorded: Workspace) -> None:
    record(recorded, "propensity", Note("old"), account(0.8, 0.7))
    assert not record(recorded, "propensity", Note("worse"), account(0.8, 0.1, 0.82, 0.01)).promoted
    assert record(recorded, "propensity", Note("as good"), account(0.8, 0.1, 0.805, 0.01)).promoted


def test_never_takes_over_from_a_champion_it_was_not_compared_with(recorded: Workspace) -> None:
    record(recorded, "propensity", Note("old"), account(0.8, 0.7))
    blind = record(recorded, "propensity", Note("blind"), account(0.9, 0.7))
    told = account(0.9, 0.7, facts={"not_compared": "another horizon"})
    assert [check.found for check in blind.failed] == ["the trainer did not measure the champion"]
    assert [c.found for c in record(recorded, "propensity", Note("x"), told).failed] == [
        "another horizon"
    ]


def test_worse_than_its_baseline_never_serves(recorded: Workspace) -> None:
    first = record(recorded, "propensity", Note("first"), account(0.6, 0.7))
    assert (first.promoted, first.beats_baseline) == (False, False)
    assert [check.name for check in first.failed] == ["better than the plain baselines"]
    assert champion(recorded, "propensity") is None


def test_a_trainers_own_gate_holds_a_model_back(recorded: Workspace) -> None:
    own = Check("calibration error at most 0.05", False, "0.3")
    kept = record(recorded, "propensity", Note("off"), replace(account(0.8, 0.7), checks=(own,)))
    assert (kept.promoted, kept.failed) == (False, (own,))


def test_a_model_kept_back_stays_challenger_whatever_it_passes(recorded: Workspace) -> None:
    kept = record(recorded, "propensity", Note("kept"), account(0.8, 0.7), promote=False)
    assert (kept.promoted, kept.failed) == (False, ())
    assert champion(recorded, "propensity") is None


def test_a_figure_that_could_not_be_computed_is_told_and_holds_back(recorded: Workspace) -> None:
    kept = record(recorded, "propensity", Note("x"), account(float("nan"), 0.7))
    assert [check.passed for check in kept.checks] == [False, False]
    artifacts = kept.folder.parent
    assert json.loads((artifacts / "figures.json").read_text())["figures"][0]["ours"] is None
    assert "could not be computed" in (artifacts / "card.md").read_text()


def test_a_run_keeps_card_figures_charts_and_the_model_as_measured(recorded: Workspace) -> None:
    chart = Chart("Lift", "tenth", "times the average", (Series("model", (1, 2), (1.5, 0.5)),))
    full = replace(
        account(0.8, 0.7),
        params={"rounds": 300},
        figures={"lift": chart},
        card=Card("Who buys within 30 days.", ("Says nothing about what a push changes.",)),
        measured=Note("as measured"),
    )
    kept = record(recorded, "propensity", Note("fitted again"), full)
    artifacts = kept.folder.parent
    assert read_note(artifacts / "measured") == Note("as measured")
    assert (artifacts / "plots" / "lift.png").exists()
    with (artifacts / "plots" / "lift.csv").open() as file:
        assert [row["y"] for row in csv.DictReader(file)] == ["1.5", "0.5"]
    card = (artifacts / "card.md").read_text()
    for said in (
        "Who buys within 30 days.",
        "what a push changes",
        "rounds",
        "0.7",
        "code version",
    ):
        assert said in card
    assert [one.tags["data_window"] for one in versions(recorded)] == ["2011"]
    with sqlite3.connect(recorded.mlflow / "mlflow.db") as database:
        assert database.execute("select description from model_versions").fetchall() == [(card,)]


def test_nothing_serves_nothing_to_compare_with(recorded: Workspace) -> None:
    found = standing(recorded, "propensity", read_note, JULY)
    assert (found.champion, found.model, found.why_not, found.facts) == (None, None, "", {})


def test_a_champion_whose_files_are_gone_is_no_hindrance(recorded: Workspace) -> None:
    gone = record(recorded, "propensity", Note("gone"), account(0.8, 0.7, facts=SEEN))
    gone.folder.rename(gone.folder.with_name("elsewhere"))
    assert standing(recorded, "propensity", read_note, JULY).facts == {}
    newer = record(recorded, "propensity", Note("newer"), account(0.8, 0.7))
    assert champion(recorded, "propensity") == (newer.version, newer.folder)


def test_the_champion_is_compared_as_it_was_measured(recorded: Workspace) -> None:
    full = replace(account(0.8, 0.7, facts=SEEN), measured=Note("as measured"))
    record(recorded, "propensity", Note("fitted again"), full)
    found = standing(recorded, "propensity", read_note, JULY)
    assert found.model == Note("as measured")
    assert found.facts == {"compared_with": "version 1"}


def test_a_champion_without_a_twin_is_compared_itself(recorded: Workspace) -> None:
    record(recorded, "propensity", Note("kept"), account(0.8, 0.7, facts=SEEN))
    assert standing(recorded, "propensity", read_note, JULY).model == Note("kept")


def test_a_champion_that_knew_the_later_period_is_not_compared(recorded: Workspace) -> None:
    record(recorded, "propensity", Note("kept"), account(0.8, 0.7, facts=SEEN))
    found = standing(recorded, "propensity", read_note, JULY.replace(month=6))
    assert found.model is None
    assert "knew everything until 2011-07-01" in found.facts["not_compared"]


def test_a_champion_that_does_not_say_what_it_knew_is_not_compared(recorded: Workspace) -> None:
    record(recorded, "propensity", Note("kept"), account(0.8, 0.7))
    found = standing(recorded, "propensity", read_note, JULY)
    assert "does not say until when" in found.why_not


@pytest.mark.parametrize("error", [TrainingError, ModelError])
def test_a_champion_that_answers_another_question_is_not_compared(
    recorded: Workspace, error: type[Exception]
) -> None:
    def refused(folder: Path) -> Note:
        raise error("looks 90 days ahead, wanted 30")

    record(recorded, "propensity", Note("kept"), account(0.8, 0.7, facts=SEEN))
    found = standing(recorded, "propensity", refused, JULY)
    assert found.why_not == "champion version 1: looks 90 days ahead, wanted 30"


def test_a_promotion_by_hand_is_kept_with_its_reason(recorded: Workspace) -> None:
    held = record(recorded, "propensity", Note("held"), account(0.6, 0.7))
    promote(recorded, "propensity", held.version, "the shop changed;\nagreed with sales")
    (version,) = versions(recorded, "propensity")
    assert version.aliases == ("champion",)
    assert version.tags["promotions"].endswith("the shop changed; agreed with sales")
