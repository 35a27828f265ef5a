"""What monitors take from the tally of the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from experiments.watching import Counted
from serving.monitors.silence import Heard
from serving.monitors.tally import SPLIT, Tally, hour_of
from serving.monitors.thresholds import Thresholds
from serving.monitors.unsubscribes import Leaving

_LAG = timedelta(hours=6)  # an engine reports a send within them, as a rule
_SLOW = timedelta(days=2)  # by which a fair part of the purchases after a send have come
_RUNNING = timedelta(days=2)  # a push that was asked about so lately runs
_PUSHES = 200  # with the most sends lately


def running(tally: Tally, now: datetime) -> list[str]:
    """The pushes that are asked about, the most asked first."""
    asked = tally.between("asked", now - _RUNNING, now + timedelta(days=1))
    return [push for push, _ in asked.most_common()]


def heard(tally: Tally, limits: Thresholds, now: datetime, *, elsewhere: bool) -> Heard:
    """Sends of ``silent_hours`` up to six hours ago, and what was received since they began; the
    same two days earlier."""
    since = now - timedelta(hours=limits.silent_hours) - _LAG
    before = since - timedelta(days=limits.past_days)
    return Heard(
        _sends(tally, since, now - _LAG),
        tally.between("outcomes", since, now + timedelta(hours=1)),
        _sends(tally, before, since),
        tally.between("outcomes", before, since),
        elsewhere,
        _sends(tally, since - _SLOW, now - _LAG - _SLOW),
        tally.between("outcomes", since - _SLOW, now + timedelta(hours=1)),
    )


def _sends(tally: Tally, since: datetime, until: datetime) -> int:
    first, stop = hour_of(since), hour_of(until)
    return sum(many for hour, many in tally.sends.items() if first <= hour < stop)


def leaving(tally: Tally, limits: Thresholds, now: datetime) -> Mapping[str, Leaving]:
    """By channel, and by push with sends in the last ``recent_days``.

    A push with few sends before them is held against its channel's.
    """
    today = now.date()
    recent = [str(today - timedelta(days=day)) for day in range(limits.recent_days)]
    past = [
        str(today - timedelta(days=limits.recent_days + day)) for day in range(limits.past_days)
    ]
    sent = Counter[str]()
    for day in recent:
        sent.update(tally.contacts.get(day, {}))
    found: dict[str, Leaving] = {}
    for channel in sorted({key.split(SPLIT, 1)[0] for key in sent}):
        found[f"channel {channel}"] = _leaving(
            tally, recent, past, f"{channel}{SPLIT}", whole=False
        )
    for key, many in sent.most_common(_PUSHES):
        if many:
            channel, push = key.split(SPLIT, 1)
            own = _leaving(tally, recent, past, key, whole=True)
            if own.before.chances < limits.least_sends:
                of_channel = found[f"channel {channel}"].past
                own = Leaving(own.recent, of_channel, f" by {channel}, of all pushes")
            found[f"push {push} by {channel}"] = own
    return found


def _leaving(tally: Tally, recent: list[str], past: list[str], key: str, *, whole: bool) -> Leaving:
    def of(day: str) -> Counted:
        sums = [tally.left.get(day, {}), tally.contacts.get(day, {})]
        left, sends = (
            sum(many for name, many in one.items() if _matches(name, key, whole=whole))
            for one in sums
        )
        return Counted(left, max(sends, left))

    days = [of(day) for day in recent]
    total = Counted(sum(day.events for day in days), sum(day.chances for day in days))
    return Leaving(total, [of(day) for day in past])


def _matches(name: str, key: str, *, whole: bool) -> bool:
    return name == key if whole else name.startswith(key)
