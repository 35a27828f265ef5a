from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from models.habit import Habit
from models.propensity import Propensity
from tests.training.propensity_rows import NAMES, habits, members, rows_of
from training.errors import TrainingError
from training.evaluation.metrics import calibration_error
from training.frames import LabelledRows
from training.propensity_fit import Asked, fit_again, fit_habit, race

BUY = Asked("buy", 30)


def fitted(train: LabelledRows, calibrate: LabelledRows) -> Propensity:
    return race(train, calibrate, BUY).model


def test_calibration_on_a_later_window_mends_a_changed_rate() -> None:
    train, later, test = members(4000, 0, 0.3), members(4000, 30, 0.1), members(4000, 60, 0.1)
    model = fitted(train, later)
    raw = 1 / (1 + np.exp(-model.scorer.score(test.values, NAMES)))
    mended = calibration_error(test.happened, model.predict(test.values, NAMES))
    assert mended < 0.03 < calibration_error(test.happened, raw)


def test_finds_what_a_category_tells() -> None:
    model = fitted(members(4000, 0), members(4000, 30))
    test = members(4000, 60)
    promised = model.predict(test.values, NAMES)
    on_device_2 = test.values[:, 3] == 2
    assert promised[on_device_2].mean() > promised[~on_device_2].mean() + 0.1


def test_where_no_racer_is_clearly_better_the_blend_wins() -> None:
    found = race(members(2000, 0), members(2000, 30), BUY)
    assert set(found.losses) == {"trees", "linear", "trees and linear"}
    assert found.winner.name == "trees and linear"


def test_a_straight_line_is_learned_best_by_the_linear_model() -> None:
    def line(day: int) -> LabelledRows:
        random = np.random.default_rng(day)
        values = random.normal(size=(600, 4)).astype(np.float32)
        values[:, 3] = 0
        log_odds = values[:, 0] - values[:, 1] - 1
        return rows_of(values, random.random(600) < 1 / (1 + np.exp(-log_odds)), day)

    found = race(line(0), line(30), BUY)
    assert found.losses["linear"] < found.losses["trees"]
    assert found.winner.name == "linear"


def test_the_habit_of_buying_races_where_the_question_is_about_buying() -> None:
    train, later, test = (habits(2000, day) for day in (0, 30, 60))
    found = race(train, later, BUY)
    assert "trees and habit" in found.losses
    habit = fit_habit(train, BUY)
    assert habit is not None
    assert roc_auc_score(test.happened, habit.score(test.values, test.names)) > 0.75
    lapse = fit_habit(train, Asked("lapse", 30))
    assert isinstance(lapse, Habit)
    bought = ~np.isnan(test.values[:, 2])
    assert np.allclose(
        lapse.score(test.values, test.names)[bought], -habit.score(test.values, test.names)[bought]
    )
    assert fit_habit(train, Asked("open", 30)) is None


def test_fitting_again_goes_the_way_of_the_winner() -> None:
    train, later = habits(1500, 0), habits(1500, 30)
    found = race(train, later, BUY)
    again = fit_again(found.winner, train, later, BUY)
    assert np.array_equal(
        again.predict(later.values, later.names), found.model.predict(later.values, later.names)
    )


def test_training_on_what_comes_after_the_calibration_is_refused() -> None:
    with pytest.raises(TrainingError, match="wanted after the last training rows"):
        race(members(50, 30), members(50, 30), BUY)


def _nobody(rows: LabelledRows) -> LabelledRows:
    return rows_of(rows.values, np.zeros_like(rows.happened), 0)


def _everybody(rows: LabelledRows) -> LabelledRows:
    return rows_of(rows.values, np.ones_like(rows.happened), 0)


def _constant(rows: LabelledRows) -> LabelledRows:
    return rows_of(np.ones_like(rows.values), rows.happened, 0)


def _missing(rows: LabelledRows) -> LabelledRows:
    return rows_of(np.full_like(rows.values, np.nan), rows.happened, 0)


@pytest.mark.parametrize("poor", [_nobody, _everybody, _constant, _missing])
def test_nothing_to_learn_gives_everybody_the_rate(
    poor: Callable[[LabelledRows], LabelledRows],
) -> None:
    later = members(500, 30)
    model = fitted(poor(members(500, 0)), later)
    promised = model.predict(later.values, NAMES)
    assert np.ptp(promised) < 1e-9
    assert promised[0] == pytest.approx(later.happened.mean(), abs=0.01)


@pytest.mark.parametrize("poor", [_nobody, _everybody])
def test_a_calibration_window_of_one_class_still_gives_probabilities(
    poor: Callable[[LabelledRows], LabelledRows],
) -> None:
    later = members(500, 30)
    moments = later.moments
    later = poor(later)
    later = LabelledRows(
        NAMES, later.categories, later.member_ids, moments, later.values, later.happened
    )
    promised = fitted(members(500, 0), later).predict(later.values, NAMES)
    assert ((promised > 0) & (promised < 1)).all()
    assert abs(promised - later.happened).max() < 0.05


@pytest.mark.parametrize("repeats", [1, 1000])
def test_fifty_members_or_one_repeated_a_thousand_times_still_fit(repeats: int) -> None:
    few = members(50, 0)
    rows = np.concatenate([np.arange(50), np.zeros(repeats - 1, dtype=int)])
    model = fitted(rows_of(few.values[rows], few.happened[rows], 0), members(50, 30))
    promised = model.predict(few.values, NAMES)
    assert ((promised > 0) & (promised < 1)).all()


def test_the_largest_numbers_there_are_still_fit() -> None:
    rows = members(400, 0)
    rows.values[:200, 1] = np.finfo(np.float32).max
    rows.values[200:300, 2] = -np.finfo(np.float32).max
    promised = fitted(rows, members(400, 30)).predict(rows.values, NAMES)
    assert np.isfinite(promised).all()


def test_no_rows_are_refused() -> None:
    with pytest.raises(TrainingError, match="no rows"):
        race(members(0, 0), members(50, 30), BUY)
