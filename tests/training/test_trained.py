from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from features.workspace import Workspace
from training.tracking import champion
from training.trained import (
    FEATURE_MOMENTS,
    Account,
    Comparison,
    TrainingWindow,
    in_words,
    record,
    training_window,
)


@dataclass(frozen=True)
class Note:
    """A model that is one line of text."""

    text: str

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "note.txt").write_text(self.text)


@pytest.fixture
def workspace(tmp_path: Path, empty_record: Path) -> Workspace:
    made = Workspace(tmp_path / "shop")
    shutil.copytree(empty_record, made.mlflow)
    return made


def account(ours: float, theirs: float) -> Account:
    return Account(
        (Comparison("recall@10", ours, {"popularity": theirs}),), {}, {"data_window": "2011"}
    )


@pytest.mark.parametrize(
    ("ours", "higher_is_better", "beaten"),
    [(0.8, True, True), (0.7, True, False), (0.5, False, True), (0.6, False, False)],
)
def test_a_baseline_is_beaten_only_when_every_one_is(
    ours: float, higher_is_better: bool, beaten: bool
) -> None:
    comparison = Comparison("figure", ours, {"rfm": 0.7, "recency": 0.6}, higher_is_better)
    assert comparison.beaten is beaten


def test_better_than_its_baseline_takes_over(workspace: Workspace) -> None:
    record(workspace, "propensity", Note("old"), account(0.8, 0.7))
    newer = record(workspace, "propensity", Note("new"), account(0.8, 0.7))
    assert newer.promoted
    assert newer.beats_baseline
    assert champion(workspace, "propensity") == (newer.version, newer.folder)
    assert (newer.folder / "note.txt").read_text() == "new"


def test_worse_than_its_baseline_never_serves(workspace: Workspace) -> None:
    first = record(workspace, "propensity", Note("first"), account(0.6, 0.7))
    assert (first.promoted, first.beats_baseline) == (False, False)
    assert [check.name for check in first.failed] == ["better than the plain baselines"]
    assert champion(workspace, "propensity") is None


def test_a_model_kept_back_stays_challenger_whatever_it_passes(workspace: Workspace) -> None:
    kept = record(workspace, "propensity", Note("kept"), account(0.8, 0.7), promote=False)
    assert (kept.promoted, kept.failed) == (False, ())
    assert champion(workspace, "propensity") is None


def test_the_training_window_is_that_of_the_champion_that_decides(workspace: Workspace) -> None:
    assert training_window(workspace) is None
    record(workspace, "propensity", Note("an older version noted none"), account(0.8, 0.7))
    assert training_window(workspace) is None
    first = datetime(2026, 5, 1, 13, 30, 0, 250_000, tzinfo=UTC)
    moments = (first, first + timedelta(days=30))

    def noted(*seen: datetime, ours: float = 0.8) -> Account:
        plain = account(ours, 0.7)
        return replace(plain, facts={**plain.facts, FEATURE_MOMENTS: in_words(seen)})

    record(workspace, "propensity", Note("p"), noted(*reversed(moments)))
    assert training_window(workspace) == TrainingWindow("propensity", "2", moments)
    record(workspace, "propensity", Note("no champion"), noted(first, ours=0.1))
    assert training_window(workspace) == TrainingWindow("propensity", "2", moments)
    record(workspace, "response", Note("r"), noted(first))
    assert training_window(workspace) == TrainingWindow("response", "1", (first,))
