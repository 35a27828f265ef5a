from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from models.gamma_gamma import GammaGamma
from training.errors import TrainingError
from training.seasonal import TRUSTS, UNKNOWN, Closed, season

OPENED = datetime(2024, 1, 1, tzinfo=UTC)
QUARTER = timedelta(days=90)


SPENDING = GammaGamma(6.0, 4.0, 15.0)  # a purchase is worth 30


def closed(expected: float, happened: float, worth: float = 30.0) -> Closed:
    """One member, who had bought once for 30, stands for all."""
    return Closed(
        expected=np.array([expected]),
        purchases=np.array([happened]),
        spend=np.array([happened * worth]),
        seen=np.array([1.0]),
        mean=np.array([30.0]),
        spending=SPENDING,
    )


def looks(windows: dict[datetime, Closed]) -> Callable[[datetime], Closed]:
    def look(start: datetime) -> Closed:
        if start not in windows:
            raise TrainingError("nothing was known by then")
        return windows[start]

    return look


def test_takes_the_same_days_a_year_ago_where_the_model_could_learn_before_them() -> None:
    now = OPENED + timedelta(days=364 + 200)
    ago = now - timedelta(days=364)
    found = season(
        now, QUARTER, OPENED, looks({ago: closed(970, 1470), now - QUARTER: closed(970, 470)})
    )
    assert found.level == pytest.approx(1.5)
    assert found.window == "the same days a year ago, from 2024-07-19"


def test_takes_the_latest_closed_window_of_a_younger_business() -> None:
    now = OPENED + timedelta(days=364 + 100)
    windows = {now - timedelta(days=364): closed(970, 1470), now - QUARTER: closed(970, 470)}
    found = season(now, QUARTER, OPENED, looks(windows))
    assert found.level == pytest.approx(0.5)
    assert found.window == "the latest closed window, from 2025-01-09"


def test_a_few_purchases_change_little() -> None:
    now = OPENED + timedelta(days=200)
    assert season(now, QUARTER, OPENED, looks({now - QUARTER: closed(1, 4)})).level < 1.1


def test_goes_on_to_the_latest_window_where_a_year_ago_says_nothing() -> None:
    now = OPENED + timedelta(days=700)
    found = season(now, QUARTER, OPENED, looks({now - QUARTER: closed(970, 470)}))
    assert found.level == pytest.approx(0.5)


def test_leaves_the_level_alone_where_no_window_has_closed() -> None:
    now = OPENED + timedelta(days=60)
    found = season(now, QUARTER, OPENED, looks({}))
    assert (found.level, found.window) == (1.0, UNKNOWN)


def test_never_looks_at_a_window_that_has_not_closed() -> None:
    now = OPENED + timedelta(days=2000)
    ago = now - timedelta(days=364)
    found = season(now, timedelta(days=400), OPENED, looks({ago: closed(1, 1000)}))
    assert found.level == 1


def test_dearer_purchases_raise_the_level_of_worth() -> None:
    now = OPENED + timedelta(days=200)
    found = season(now, QUARTER, OPENED, looks({now - QUARTER: closed(970, 970, worth=40.0)}))
    assert found.level == pytest.approx(1)
    assert found.worth_level == pytest.approx((970 * 40 + 30 * 30) / (1000 * 30))


@pytest.mark.parametrize(("kept", "trust"), [(1.0, TRUSTS[0]), (0.0, TRUSTS[-1])])
def test_trusts_a_members_own_purchases_as_far_as_they_told_of_the_next(
    kept: float, trust: float
) -> None:
    random = np.random.default_rng(0)
    own = random.gamma(2, 15, 5_000)
    expected = SPENDING.expected_worth(np.full(5_000, 2.0), own)
    following = 30 + kept * (expected - 30) + random.normal(0, 5, 5_000)
    window = Closed(np.ones(5_000), np.ones(5_000), following, np.full(5_000, 2.0), own, SPENDING)
    now = OPENED + timedelta(days=200)
    assert season(now, QUARTER, OPENED, looks({now - QUARTER: window})).trust == trust
