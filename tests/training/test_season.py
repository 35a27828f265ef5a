from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from models.calibration import Platt
from models.habit import Habit
from models.propensity import Propensity
from tests.training.propensity_rows import habits
from training.frames import LabelledRows, label_windows
from training.season import season_shift, shifted

MODEL = Propensity(Habit(0.8, 33.0, 1.0, 4.0, 30.0, -3.0), 30, Platt(1.0, 0.0))


def drawn(rows: LabelledRows, moved: float, seed: int = 0) -> LabelledRows:
    """Outcomes as the model promises them, with log odds ``moved``."""
    chance = shifted(MODEL, moved).predict(rows.values, rows.names)
    return replace(rows, happened=np.random.default_rng(seed).random(len(chance)) < chance)


def test_a_clear_season_is_found() -> None:
    rows = habits(4000, 0)
    shift = season_shift(MODEL, drawn(rows, 0.1), drawn(rows, 1.1, seed=1))
    assert shift == pytest.approx(1.0, abs=0.15)


def test_what_chance_may_have_done_is_no_season() -> None:
    rows = habits(4000, 0)
    assert abs(season_shift(MODEL, drawn(rows, 0.1), drawn(rows, 0.15, seed=1))) < 0.02


def test_what_members_had_done_by_then_is_no_season() -> None:
    """In the second window there are only members who buy often: all is as it was promised."""
    rows = habits(4000, 0)
    often = rows.where(np.nan_to_num(rows.values[:, 0]) > 5)
    assert abs(season_shift(MODEL, drawn(rows, 0), drawn(often, 0, seed=1))) < 0.02


def test_windows_of_one_class_are_no_error() -> None:
    rows = habits(300, 0)
    nobody = replace(rows, happened=np.zeros_like(rows.happened))
    everybody = replace(rows, happened=np.ones_like(rows.happened))
    assert np.isfinite(season_shift(MODEL, nobody, everybody))
    assert season_shift(MODEL, nobody, nobody) == 0


def test_windows_of_a_year_ago_need_the_history_for_it() -> None:
    as_of, month = datetime(2026, 5, 1, tzinfo=UTC), timedelta(days=30)
    year = timedelta(days=365)
    long, short = (label_windows(as_of - timedelta(days=days), as_of, month) for days in (500, 400))
    assert short.year_ago == ()
    assert long.year_ago == (long.calibrate - year, long.test - year, as_of - year)
