from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.market.clock import MICROSECONDS_A_DAY, microseconds, shopping_days

MOMENTS = st.datetimes(
    datetime(2019, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)  # noqa: DTZ001  # Hypothesis adds it
)  # fmt: skip


@given(MOMENTS)
def test_there_and_back_is_the_same_moment(moment: datetime) -> None:
    back = int(microseconds(np.array([shopping_days(moment)]))[0])
    assert abs(back - moment.timestamp() * 1e6) < 1_000  # a millisecond


@given(MOMENTS, st.integers(1, 10))
def test_whole_weeks_are_as_long_as_in_the_calendar(moment: datetime, weeks: int) -> None:
    later = shopping_days(moment + timedelta(weeks=weeks))
    assert later - shopping_days(moment) == pytest.approx(7 * weeks, abs=1e-7)


@given(st.lists(st.floats(0, 5_000), min_size=2))
def test_order_is_kept(days: list[float]) -> None:
    assert (np.diff(microseconds(np.sort(days))) >= 0).all()


def test_an_evening_passes_more_slowly_than_a_night() -> None:
    monday = datetime(2026, 5, 18, tzinfo=UTC) - timedelta(hours=8)  # 00:00 in Taipei
    hours = [shopping_days(monday + timedelta(hours=hour)) for hour in range(25)]
    assert hours[22] - hours[21] > 10 * (hours[4] - hours[3])
    assert timedelta(days=1) // timedelta(microseconds=1) == MICROSECONDS_A_DAY
