from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from features.workspace import Workspace
from models.propensity import Propensity
from tests.training.shops import AS_OF, OPENED, purchases, store
from training.errors import TrainingError
from training.evaluation.metrics import calibration_error
from training.frames import LabelledRows, label_windows, labelled_rows
from training.propensity import compare, fit_propensity, train_propensity
from training.tracking import champion
from training.trained import Trained

NAMES = ("recency_days", "orders_life", "spend_life", "device")


def rows_of(values: NDArray[np.float32], bought: NDArray[np.bool_], day: int) -> LabelledRows:
    moments = np.full(len(bought), np.datetime64("2025-01-01", "us") + np.timedelta64(day, "D"))
    ids = np.array([f"m{row}" for row in range(len(bought))])
    return LabelledRows(NAMES, frozenset({"device"}), ids, moments, values, bought)


def members(n: int, day: int, rate: float = 0.3) -> LabelledRows:
    """Who bought lately, or uses device 2, buys more; every fifth recency is missing."""
    random = np.random.default_rng(day)
    values = random.random((n, 4)).astype(np.float32)
    values[:, 3] = random.integers(0, 3, n)
    log_odds = np.log(rate / (1 - rate)) - 3 * (values[:, 0] - 0.5) + (values[:, 3] == 2)
    bought = random.random(n) < 1 / (1 + np.exp(-log_odds))
    values[random.random(n) < 0.2, 0] = np.nan
    return rows_of(values, bought, day)


@pytest.fixture(scope="module")
def trained(shop: Workspace) -> Trained:
    return train_propensity(shop, AS_OF)


def test_the_model_in_the_record_answers_like_the_figures_say(
    trained: Trained, shop: Workspace
) -> None:
    windows = label_windows(OPENED, AS_OF, timedelta(days=30))
    rows = labelled_rows(shop, windows)
    model = Propensity.load(trained.folder)
    figures = compare(model, rows.at(windows.calibrate), rows.at(windows.test))
    assert figures == trained.comparisons
    assert figures[0].ours > 0.65
    assert rows.digest() == trained.facts["dataset_digest"]


def test_the_same_data_give_the_same_model(trained: Trained, shop: Workspace) -> None:
    again = train_propensity(shop, AS_OF)
    assert (again.folder / "booster.txt").read_bytes() == (
        trained.folder / "booster.txt"
    ).read_bytes()
    assert again.comparisons == trained.comparisons


def test_the_first_version_serves_until_a_better_one_comes(
    trained: Trained, shop: Workspace
) -> None:
    assert trained.promoted
    found = champion(shop, "propensity")
    assert found is not None


def test_every_figure_stands_beside_its_baselines(trained: Trained, shop: Workspace) -> None:
    metrics = [comparison.metric for comparison in trained.comparisons]
    assert metrics == ["auc", "average_precision", "log_loss", "calibration_error"]
    assert all(set(one.baselines) == {"rfm", "recency"} for one in trained.comparisons)
    with sqlite3.connect(shop.mlflow / "mlflow.db") as record:
        question = "select key, value from metrics where run_uuid = ?"
        kept = dict(record.execute(question, (trained.version.run_id,)))
    assert kept["auc"] == trained.comparisons[0].ours
    assert kept["rfm_auc"] == trained.comparisons[0].baselines["rfm"]


def test_too_little_history_is_no_model(shop: Workspace) -> None:
    with pytest.raises(TrainingError, match="wanted 360 for a horizon of 60 days"):
        train_propensity(shop, AS_OF, horizon_days=60)
    with pytest.raises(TrainingError, match="horizon is 0 days"):
        train_propensity(shop, AS_OF, horizon_days=0)


def test_a_test_window_without_purchases_cannot_be_judged(
    tmp_path: Path, empty_record: Path
) -> None:
    made = Workspace(tmp_path)
    shutil.copytree(empty_record, made.mlflow)
    events = purchases(members=50)
    store(made, "events", events[events.occurred_at < AS_OF - timedelta(days=30)])
    with pytest.raises(TrainingError, match=r"0 of \d+ members bought in the test window"):
        train_propensity(made, AS_OF)


def test_calibration_on_a_later_window_mends_a_changed_rate() -> None:
    train, later, test = members(4000, 0, 0.3), members(4000, 30, 0.1), members(4000, 60, 0.1)
    model = fit_propensity(train, later, 30)
    raw = 1 / (1 + np.exp(-model.trees.score(test.values, NAMES)))
    mended = calibration_error(test.bought, model.predict(test.values, NAMES))
    assert mended < 0.03 < calibration_error(test.bought, raw)


def test_finds_what_a_category_tells() -> None:
    model = fit_propensity(members(4000, 0), members(4000, 30), 30)
    test = members(4000, 60)
    promised = model.predict(test.values, NAMES)
    on_device_2 = test.values[:, 3] == 2
    assert promised[on_device_2].mean() > promised[~on_device_2].mean() + 0.1


def test_training_on_what_comes_after_the_calibration_is_refused() -> None:
    with pytest.raises(TrainingError, match="wanted after the last training rows"):
        fit_propensity(members(50, 30), members(50, 30), 30)


def _nobody(rows: LabelledRows) -> LabelledRows:
    return rows_of(rows.values, np.zeros(len(rows.bought), dtype=bool), 0)


def _everybody(rows: LabelledRows) -> LabelledRows:
    return rows_of(rows.values, np.ones(len(rows.bought), dtype=bool), 0)


def _constant(rows: LabelledRows) -> LabelledRows:
    return rows_of(np.ones_like(rows.values), rows.bought, 0)


def _missing(rows: LabelledRows) -> LabelledRows:
    return rows_of(np.full_like(rows.values, np.nan), rows.bought, 0)


@pytest.mark.parametrize("poor", [_nobody, _everybody, _constant, _missing])
def test_nothing_to_learn_gives_everybody_the_rate(
    poor: Callable[[LabelledRows], LabelledRows],
) -> None:
    later = members(500, 30)
    model = fit_propensity(poor(members(500, 0)), later, 30)
    promised = model.predict(later.values, NAMES)
    assert np.ptp(promised) < 1e-9
    assert promised[0] == pytest.approx(later.bought.mean(), abs=0.01)


@pytest.mark.parametrize("repeats", [1, 1000])
def test_fifty_members_or_one_repeated_a_thousand_times_still_fit(repeats: int) -> None:
    few = members(50, 0)
    rows = np.concatenate([np.arange(50), np.zeros(repeats - 1, dtype=int)])
    model = fit_propensity(rows_of(few.values[rows], few.bought[rows], 0), members(50, 30), 30)
    promised = model.predict(few.values, NAMES)
    assert ((promised > 0) & (promised < 1)).all()


def test_no_rows_are_refused() -> None:
    with pytest.raises(TrainingError, match="no rows"):
        fit_propensity(members(0, 0), members(50, 30), 30)
