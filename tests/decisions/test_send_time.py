"""When a message goes out: an hour of the member's own, never a quiet one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from decisions.errors import DecisionError
from decisions.members import Members
from decisions.policy import Policy
from decisions.send_time import ActiveHours, send_times
from tests.decisions.conftest import SEND_AT, push


@dataclass(frozen=True)
class Habits:
    names: tuple[str, ...] = ("usual_hour", "sessions_30d", "lifecycle")
    categories: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"lifecycle": ("early", "late")}
    )
    since: tuple[str, ...] = ()
    until: tuple[str, ...] = ()
    vocabulary: Mapping[str, str] = field(default_factory=dict)

    def code(self, name: str, value: str) -> float:
        return float(self.categories[name].index(value))


def habits(*rows: tuple[float, float, float]) -> Members:
    values = np.array(rows, dtype=np.float32).reshape(len(rows), 3)
    ids = tuple(f"m{number}" for number in range(len(rows)))
    return Members(ids, values, np.ones(len(rows), dtype=bool), Habits(), SEND_AT)


def local_hours(at: NDArray[np.int64]) -> list[int]:
    return [datetime.fromtimestamp(one, UTC).hour for one in at.tolist()]


def no_offset(people: Members) -> NDArray[np.int64]:
    return np.zeros(len(people), dtype=np.int64)


CROWD = habits(*[(8, 20, 0)] * 60, *[(20, 20, 1)] * 60)
ON_PURPOSE = Policy("salt", random_hours=0.0, quiet_hours=(22, 8))


def test_each_gets_it_at_their_own_hour_and_who_is_little_known_at_that_of_their_segment() -> None:
    # From 09:00 on, for a day.
    people = habits((18, 30, 0), (np.nan, 0, 0), (np.nan, 0, 1), (3, 30, 1))
    day = push(send_within_hours=23)
    found = send_times(day, ON_PURPOSE, people, no_offset(people), ActiveHours.of(CROWD))
    assert local_hours(found.at) == [18, 8, 20, 20]  # 3 o'clock is quiet
    assert found.open.all()
    assert not found.drawn.any()


def test_a_single_session_does_not_outweigh_what_everybody_like_them_does() -> None:
    people = habits((12, 1, 1))
    day = push(send_within_hours=23)
    found = send_times(day, ON_PURPOSE, people, no_offset(people), ActiveHours.of(CROWD))
    assert local_hours(found.at) == [20]


def test_a_share_of_hours_is_drawn_so_that_they_can_be_compared() -> None:
    policy = Policy("salt", random_hours=0.2, quiet_hours=(22, 8))
    people = habits(*[(18, 30, 0)] * 4000)
    day = push(send_within_hours=23)
    found = send_times(day, policy, people, no_offset(people), ActiveHours.of(CROWD))
    assert found.drawn.mean() == pytest.approx(0.2, abs=0.03)
    counts = np.bincount(local_hours(found.at[found.drawn]), minlength=24)
    assert counts[22:].sum() == counts[:8].sum() == 0
    assert (counts[8:22] > 0.5 * counts[8:22].mean()).all()


def test_a_push_that_goes_out_at_once_waits_for_nobody() -> None:
    people = habits((18, 30, 0))
    found = send_times(push(), ON_PURPOSE, people, no_offset(people), ActiveHours.of(CROWD))
    assert found.at.tolist() == [int(SEND_AT.timestamp())]


def test_habits_read_back_as_they_were_written() -> None:
    hours = ActiveHours.of(CROWD)
    assert ActiveHours.from_json(hours.to_json()) == hours
    with pytest.raises(DecisionError, match="active hours have 2 shares, wanted 24"):
        ActiveHours((0.5, 0.5), {})


@settings(max_examples=200, deadline=None)
@given(
    quiet=st.tuples(st.integers(0, 23), st.integers(0, 23)),
    within=st.integers(0, 30),
    ahead=st.integers(-12, 14),
    usual=st.integers(0, 23),
    drawn=st.booleans(),
)
def test_nothing_goes_out_in_a_quiet_hour_or_outside_the_window(
    quiet: tuple[int, int], within: int, ahead: int, usual: int, drawn: bool
) -> None:
    policy = Policy("salt", random_hours=float(drawn), quiet_hours=quiet)
    people = habits((usual, 9, 0))
    offsets = np.array([3_600 * ahead])
    wanted = push(send_within_hours=within)
    found = send_times(wanted, policy, people, offsets, ActiveHours.of(CROWD))
    first, last = quiet
    silent = {(first + step) % 24 for step in range((last - first) % 24)}
    local = [(9 + ahead + step) % 24 for step in range(within + 1)]
    assert bool(found.open[0]) == any(hour not in silent for hour in local)
    if found.open[0]:
        waited = int(found.at[0] - SEND_AT.timestamp()) // 3_600
        assert 0 <= waited <= within
        assert local[waited] not in silent
