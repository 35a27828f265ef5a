"""Which alerts stand, since when, and what is to be told of them: a pure step from run to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, Self

from serving.monitors.result import Result

Event = Literal["alert", "reminder", "resolved"]
AT_ONCE = 20  # notices of one run; the others come with the next


@dataclass(frozen=True, slots=True)
class Standing:
    """An alert that stands. words: of the newest run. told_at: when somebody was last told of it;
    None where nobody was yet. over: it is resolved, and nobody was told of that yet."""

    monitor: str
    subject: str
    since: datetime
    words: str
    told_at: datetime | None = None
    over: bool = False

    @property
    def key(self) -> str:
        return f"{self.monitor}:{self.subject}"

    def to_json(self) -> dict[str, Any]:
        told = None if self.told_at is None else self.told_at.isoformat()
        return {**asdict(self), "since": self.since.isoformat(), "told_at": told}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        told = found["told_at"]
        return cls(
            found["monitor"],
            found["subject"],
            datetime.fromisoformat(found["since"]),
            found["words"],
            None if told is None else datetime.fromisoformat(told),
            found["over"],
        )


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told of an alert. result: of the run; of a subject that is no more, the last one."""

    event: Event
    result: Result
    since: datetime

    @property
    def key(self) -> str:
        return self.result.key


@dataclass(frozen=True, slots=True)
class Step:
    """alerts: that stand after the run, also those that are over and not told yet. notices: what to
    tell now, new alerts first."""

    alerts: tuple[Standing, ...]
    notices: tuple[Notice, ...]


def step(
    before: Sequence[Standing], results: Sequence[Result], now: datetime, remind: timedelta
) -> Step:
    """From the alerts of before and the results of a run to the alerts that stand now.

    A change is told once, an alert that stays every ``remind``. An alert is over once its subject
    is ``ok``: one that has eased to ``warn`` stays, and is not told again, so that a value that
    wavers around its limit does not ring in every run. Where nothing can be said of a subject any
    more its alert stays too; so does that of a subject that is gone while its monitor cannot say
    anything. An alert that ended before anybody was told of it is dropped.
    """
    found = {one.key: one for one in results}
    alerts = {one.key: one for one in before if one.over}
    alerts |= _standing(before, found, now)
    notices: list[Notice] = []
    for key, standing in alerts.items():
        result = found.get(key) or _gone(standing, now)
        event = _event(standing, result, now, remind)
        if event is not None:
            notices.append(Notice(event, result, standing.since))
    notices.sort(key=lambda one: _ORDER.index(one.event))
    return Step(tuple(alerts.values()), tuple(notices[:AT_ONCE]))


def _standing(
    before: Sequence[Standing], found: Mapping[str, Result], now: datetime
) -> dict[str, Standing]:
    """The alerts of this run, and those of before with what became of them."""
    speaking = {one.monitor for one in found.values() if one.state != "cannot_say"}
    alerts: dict[str, Standing] = {}
    known = {one.key: one for one in before if not one.over}
    for key, result in found.items():
        if result.state == "alert":
            standing = known.get(key) or Standing(result.monitor, result.subject, now, "")
            alerts[key] = replace(standing, words=result.words)
    for key, standing in known.items():
        if key in alerts:
            continue
        result = found.get(key) or _gone(standing, now)
        silent = key in found or standing.monitor not in speaking
        if result.state == "warn" or (result.state == "cannot_say" and silent):
            alerts[key] = standing
        elif standing.told_at is not None:
            alerts[key] = replace(standing, words=result.words, over=True)
    return alerts


def told(alerts: Sequence[Standing], keys: Sequence[str], now: datetime) -> tuple[Standing, ...]:
    """``alerts`` after those of ``keys`` were told: what is over goes."""
    named = set(keys)
    return tuple(
        replace(one, told_at=now) if one.key in named else one
        for one in alerts
        if not (one.over and one.key in named)
    )


_ORDER: tuple[Event, ...] = ("alert", "resolved", "reminder")


def _event(standing: Standing, result: Result, now: datetime, remind: timedelta) -> Event | None:
    if standing.over:
        return "resolved"
    if result.state != "alert":
        return None
    if standing.told_at is None:
        return "alert"
    return "reminder" if now - standing.told_at >= remind else None


def _gone(standing: Standing, now: datetime) -> Result:
    """A subject that is judged no more: a push that ended, an experiment that was stopped."""
    return Result(standing.monitor, standing.subject, "cannot_say", "no longer watched", now)
