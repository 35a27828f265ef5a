"""Alerts are told once, again every day, and when they are over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from serving.monitors.alerts import AT_ONCE, Standing, Step, step, told
from serving.monitors.result import Result, State

NOW = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def found(state: State, subject: str = "events", words: str = "old") -> Result:
    return Result("freshness", subject, state, words, NOW)


def events(made: Step) -> list[tuple[str, str]]:
    return [(one.event, one.result.subject) for one in made.notices]


def stands(since: datetime = NOW, told_at: datetime | None = NOW) -> Standing:
    return Standing("freshness", "events", since, "old", told_at)


def test_an_alert_is_told_once_then_every_day_then_when_it_is_over() -> None:
    first = step((), [found("alert")], NOW, DAY)
    assert events(first) == [("alert", "events")]
    standing = told(first.alerts, [first.notices[0].key], NOW)
    assert events(step(standing, [found("alert")], NOW + HOUR, DAY)) == []
    again = step(standing, [found("alert")], NOW + DAY, DAY)
    assert events(again) == [("reminder", "events")]
    assert again.notices[0].since == NOW
    over = step(standing, [found("ok")], NOW + 2 * HOUR, DAY)
    assert events(over) == [("resolved", "events")]
    assert told(over.alerts, ["freshness:events"], NOW) == ()


def test_what_was_not_taken_is_told_with_the_next_run() -> None:
    first = step((), [found("alert")], NOW, DAY)
    assert events(step(first.alerts, [found("alert")], NOW + HOUR, DAY)) == [("alert", "events")]
    over = step((stands(),), [found("ok")], NOW + HOUR, DAY)
    assert events(step(over.alerts, [found("ok")], NOW + DAY, DAY)) == [("resolved", "events")]


def test_an_alert_that_nobody_was_told_of_ends_without_a_word() -> None:
    made = step((stands(told_at=None),), [found("ok")], NOW, DAY)
    assert (made.alerts, made.notices) == ((), ())


def test_where_nothing_can_be_said_the_alert_stays_and_is_not_told_again() -> None:
    made = step((stands(),), [found("cannot_say")], NOW + 3 * DAY, DAY)
    assert made.alerts == (stands(),)
    assert not made.notices
    silent = step((stands(),), [found("cannot_say", "decisions")], NOW + 3 * DAY, DAY)
    assert silent.alerts == (stands(),)


def test_a_value_that_wavers_around_its_limit_rings_once() -> None:
    """From alert to warn and back, every five minutes."""
    alerts: tuple[Standing, ...] = ()
    said = []
    states: list[State] = ["alert", "warn"] * 100
    for number, state in enumerate([*states, "ok"]):
        now = NOW + number * timedelta(minutes=5)
        made = step(alerts, [found(state)], now, DAY)
        said += [one.event for one in made.notices]
        alerts = told(made.alerts, [one.key for one in made.notices], now)
    assert said == ["alert", "resolved"]


def test_the_alert_of_a_subject_that_is_gone_is_over() -> None:
    made = step((stands(),), [found("ok", "decisions")], NOW, DAY)
    assert events(made) == [("resolved", "events")]
    assert made.notices[0].result.words == "no longer watched"


def test_a_flood_is_told_over_several_runs() -> None:
    many = [found("alert", f"feed {number}") for number in range(AT_ONCE + 5)]
    first = step((), many, NOW, DAY)
    assert len(first.notices) == AT_ONCE
    standing = told(first.alerts, [one.key for one in first.notices], NOW)
    assert len(step(standing, many, NOW, DAY).notices) == 5


STATES = st.sampled_from(["ok", "warn", "alert", "cannot_say"])


@given(st.lists(STATES, max_size=12))
def test_every_alert_that_is_told_is_resolved_before_it_is_told_anew(states: list[State]) -> None:
    alerts: tuple[Standing, ...] = ()
    said = []
    for hour, state in enumerate(states):
        now = NOW + hour * HOUR
        made = step(alerts, [found(state)], now, DAY)
        said += [one.event for one in made.notices]
        alerts = told(made.alerts, [one.key for one in made.notices], now)
    expected = ["alert", "resolved"] * len(states)
    assert said == expected[: len(said)]
    assert all(Standing.from_json(one.to_json()) == one for one in alerts)
