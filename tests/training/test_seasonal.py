from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from training.errors import TrainingError
from training.seasonal import UNKNOWN, Window, season

OPENED = datetime(2024, 1, 1, tzinfo=UTC)
QUARTER = timedelta(days=90)


def looks(windows: dict[datetime, Window]) -> Callable[[datetime], Window]:
    def look(start: datetime) -> Window:
        if start not in windows:
            raise TrainingError("nothing was known by then")
        return windows[start]

    return look


def test_takes_the_same_days_a_year_ago_where_the_model_could_learn_before_them() -> None:
    now = OPENED + timedelta(days=364 + 200)
    ago = now - timedelta(days=364)
    found = season(now, QUARTER, OPENED, looks({ago: (970, 1470), now - QUARTER: (970, 470)}))
    assert found.level == pytest.approx(1.5)
    assert found.window == "the same days a year ago, from 2024-07-19"


def test_takes_the_latest_closed_window_of_a_younger_business() -> None:
    now = OPENED + timedelta(days=364 + 100)
    windows = {now - timedelta(days=364): (970.0, 1470.0), now - QUARTER: (970.0, 470.0)}
    found = season(now, QUARTER, OPENED, looks(windows))
    assert found.level == pytest.approx(0.5)
    assert found.window == "the latest closed window, from 2025-01-09"


def test_a_few_purchases_change_little() -> None:
    now = OPENED + timedelta(days=200)
    assert season(now, QUARTER, OPENED, looks({now - QUARTER: (1, 4)})).level < 1.1


def test_goes_on_to_the_latest_window_where_a_year_ago_says_nothing() -> None:
    now = OPENED + timedelta(days=700)
    found = season(now, QUARTER, OPENED, looks({now - QUARTER: (970, 470)}))
    assert found.level == pytest.approx(0.5)


def test_leaves_the_level_alone_where_no_window_has_closed() -> None:
    now = OPENED + timedelta(days=60)
    found = season(now, QUARTER, OPENED, looks({}))
    assert (found.level, found.window) == (1.0, UNKNOWN)


def test_never_looks_at_a_window_that_has_not_closed() -> None:
    now = OPENED + timedelta(days=2000)
    ago = now - timedelta(days=364)
    found = season(now, timedelta(days=400), OPENED, looks({ago: (1, 1000)}))
    assert found.level == 1
