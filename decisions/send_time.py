"""When a message goes out: at an hour of the member's own, and never in quiet hours.

What is known of a member's hours is little, so it is shrunk to those of members in the same stage
of life. A small share of hours is drawn at random, or nothing could be learned of what the hour
changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from decisions.catalogue import Push
from decisions.draws import uniforms
from decisions.errors import DecisionError
from decisions.members import Members
from decisions.policy import Policy

HOUR, SESSIONS, SEGMENT = "usual_hour", "sessions_30d", "lifecycle"
# So many sessions of one's own weigh as much as the segment's habit.
_PSEUDO_SESSIONS = 5.0
_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class ActiveHours:
    """At which hours members are active, by their own clock.

    everybody: (24,) shares. segments: the same of the members with one value of ``lifecycle``.
    """

    everybody: tuple[float, ...]
    segments: Mapping[str, tuple[float, ...]]

    def __post_init__(self) -> None:
        for shares in (self.everybody, *self.segments.values()):
            if len(shares) != 24:
                raise DecisionError(f"active hours have {len(shares)} shares, wanted 24")

    @classmethod
    def of(cls, members: Members) -> Self:
        """The habits of ``members``, from their usual hours; even where none is known.

        A segment's are shrunk to everybody's, by as much as one member an hour.
        """
        everybody = _shares(_usual(members), np.full(24, 1 / 24))
        segment = members.code(SEGMENT)
        names = members.encoding.categories.get(SEGMENT, ())
        segments = {
            name: tuple(_shares(_usual(members)[segment == code], everybody).tolist())
            for code, name in enumerate(names)
        }
        return cls(tuple(everybody.tolist()), segments)

    def to_json(self) -> dict[str, Any]:
        return {
            "everybody": list(self.everybody),
            "segments": {name: list(shares) for name, shares in self.segments.items()},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Raises ``DecisionError`` when it does not read."""
        try:
            return cls(
                tuple(content["everybody"]),
                {name: tuple(shares) for name, shares in content["segments"].items()},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise DecisionError(f"active hours do not read: {error!r}") from error


@dataclass(frozen=True, slots=True)
class SendTimes:
    """When each of n members would be sent something.

    at: (n,) seconds since 1970, UTC. drawn: (n,) the hour was drawn at random. open: (n,) whether
    any hour of the push's window is not quiet for the member; ``at`` is then in one.
    """

    at: NDArray[np.int64]
    drawn: NDArray[np.bool_]
    open: NDArray[np.bool_]


def send_times(
    push: Push,
    policy: Policy,
    members: Members,
    offsets: NDArray[np.int64],
    hours: ActiveHours | None,
) -> SendTimes:
    """The hour of the push's window in which each member is likeliest to be active.

    Args:
        offsets: (n,) seconds that the members' clocks are ahead of UTC.
        hours: habits of all members; without them, and in a push that goes out at once, everybody
            gets it at the first hour that is not quiet.
    """
    start = int(push.send_at.timestamp())
    steps = start + _SECONDS * np.arange(int(push.send_within_hours) + 1, dtype=np.int64)
    local = ((steps[None, :] + offsets[:, None]) // _SECONDS) % 24
    open_hours = ~_quiet(local, policy.quiet_hours)
    if len(steps) == 1:
        return SendTimes(
            np.full(len(members), start), np.zeros(len(members), dtype=bool), open_hours[:, 0]
        )
    active = np.where(open_hours, _activity(members, hours, local), -1.0)
    best = active.argmax(axis=1)
    drawn = uniforms(policy.salt, "hour", push.push_id, members.ids) < policy.random_hours
    rows = np.flatnonzero(drawn)
    best[rows] = _any_hour(push, policy, members.named(rows), open_hours[rows])
    return SendTimes(steps[best], drawn, np.asarray(open_hours.any(axis=1)))


def _any_hour(
    push: Push, policy: Policy, ids: list[str], open_hours: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """(n,) one of the open hours (n, hours) of each, drawn evenly; the first where none is."""
    which = uniforms(policy.salt, "drawn hour", push.push_id, ids)
    nth = (which * open_hours.sum(axis=1)).astype(np.int64)
    nth_open = open_hours & (np.cumsum(open_hours, axis=1) == nth[:, None] + 1)
    return np.asarray(nth_open.argmax(axis=1))


def _quiet(local: NDArray[np.int64], hours: tuple[int, int] | None) -> NDArray[np.bool_]:
    """Which local hours are quiet; the span may go over midnight."""
    if hours is None:
        return np.zeros(local.shape, dtype=bool)
    first, last = hours
    after, before = local >= first, local < last
    return np.asarray(after & before if first <= last else after | before)


def _activity(
    members: Members, hours: ActiveHours | None, local: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(n, hours of the window) how likely each member is active then, up to a factor."""
    if hours is None:
        return np.zeros(local.shape)
    names = members.encoding.categories.get(SEGMENT, ())
    habits = np.array([*(hours.segments.get(name, hours.everybody) for name in names),
                       hours.everybody])  # fmt: skip
    of_segment = habits[members.code(SEGMENT)]  # -1 is everybody's, the last
    sessions = members.column(SESSIONS)
    usual = _usual(members)
    own = np.ones(len(members)) if sessions is None else np.nan_to_num(sessions, nan=0.0)
    own = np.where(np.isnan(usual), 0.0, np.maximum(own, 1.0))
    shrunk = _PSEUDO_SESSIONS * np.take_along_axis(of_segment, local, axis=1)
    return np.asarray(shrunk + own[:, None] * (local == usual[:, None]))


def _usual(members: Members) -> NDArray[np.float64]:
    column = members.column(HOUR)
    if column is None:
        return np.full(len(members), np.nan)
    return np.where((column >= 0) & (column < 24), column, np.nan).astype(np.float64)


def _shares(usual: NDArray[np.float64], prior: NDArray[np.float64]) -> NDArray[np.float64]:
    known = usual[~np.isnan(usual)].astype(np.int64)
    counts = np.bincount(known, minlength=24) + 24 * prior
    return np.asarray(counts / counts.sum())
