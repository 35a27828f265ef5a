"""Moments to build features for: never later than asked, and few."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from features.feature_moments import MOST, feature_moments

START = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)


def test_pushes_decided_at_once_keep_their_moments() -> None:
    asked = pd.Series([START, START + timedelta(days=7), START])
    assert feature_moments(asked) == [START, START + timedelta(days=7)]


def test_decisions_at_any_time_read_the_start_of_their_day() -> None:
    asked = pd.Series([START + timedelta(minutes=7 * n) for n in range(600)])
    assert feature_moments(asked) == [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3, 4)]


@given(
    st.lists(
        st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
        min_size=1, max_size=200,
    )
)  # fmt: skip
def test_every_decision_has_a_moment_at_or_before_it(asked: list[datetime]) -> None:
    moments = feature_moments(pd.Series(asked))
    assert len(moments) <= max(MOST, 73)
    for moment in asked:
        assert any(built <= moment for built in moments)
