"""Frequency caps: how many contacts in a window are enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from decisions.errors import DecisionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from decisions.catalogue import Option, Push
    from decisions.contacts import Contacts

SCOPES = ("all", "channel", "campaign", "push", "offer")
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many contacts of a scope within a rolling window before the send.

    scope: ``all`` contacts together; or each ``channel``, ``campaign``, ``push`` or ``offer`` by
        itself.
    most: at so many the member is left alone.
    days: the window, as days by the member's own calendar: 1 is today, 7 today and the six days
        before. hours: the window as hours up to the send. One of the two.
    name: of the one channel, campaign, push or offer that is capped; empty: each of them.
    """

    scope: str
    most: int
    days: int | None = None
    hours: float | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if self.scope not in SCOPES:
            raise DecisionError(
                f"a cap has the scope {self.scope!r}, wanted one of {', '.join(SCOPES)}"
            )
        if (self.days is None) == (self.hours is None):
            raise DecisionError(f"cap on {self.scope}: give days or hours, one of the two")
        if not (self.days or self.hours or 0) > 0 or self.most < 0:
            raise DecisionError(f"cap on {self.scope}: wanted a window above 0 and most from 0")

    @property
    def longest_hours(self) -> float:
        """No contact longer ago than this counts, wherever the member lives."""
        return float(self.hours) if self.hours is not None else 24.0 * (self.days or 0)

    def since(self, at: int, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) where the window of a send at ``at`` begins, for members so far from UTC.

        Args:
            at: seconds since 1970, UTC. offsets: (n,) seconds.
        """
        if self.hours is not None:
            return np.full(len(offsets), at - round(self.hours * 3_600), dtype=np.int64)
        today = (at + offsets) // _DAY
        return np.asarray((today - (self.days or 1) + 1) * _DAY - offsets)


def over_caps(
    caps: Sequence[Cap],
    contacts: Contacts,
    push: Push,
    options: Sequence[Option],
    offsets: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """(n, m) pairs that a cap bars; a cap of 0 bars everybody.

    Args:
        offsets: (n,) seconds that the members' clocks are ahead of UTC.
    """
    n, at = len(offsets), int(push.send_at.timestamp())
    over = np.zeros((n, len(options)), dtype=bool)
    counts = ~contacts.service & (contacts.at <= at)
    for cap in caps:
        inside = counts & (contacts.at >= cap.since(at, offsets)[contacts.member])
        if cap.scope == "all":
            over |= (contacts.count(inside, n) >= cap.most)[:, None]
            continue
        for name, columns in _columns(cap, push, options).items():
            of_name = contacts.count(inside & contacts.are(cap.scope, name), n)
            over |= (of_name >= cap.most)[:, None] & columns
    return over


def _columns(cap: Cap, push: Push, options: Sequence[Option]) -> dict[str, NDArray[np.bool_]]:
    """Which options each name of the cap's scope is about, (m,)."""
    named = {
        "channel": [option.channel for option in options],
        "offer": [option.offer.offer_id for option in options],
        "push": [push.push_id] * len(options),
        "campaign": [push.campaign_id] * len(options),
    }[cap.scope]
    wanted = [cap.name] if cap.name else sorted(set(named) - {""})
    return {name: np.array([one == name for one in named], dtype=bool) for name in wanted}


def duplicates(
    hours: float, contacts: Contacts, push: Push, options: Sequence[Option], members: int
) -> NDArray[np.bool_]:
    """(n, m) pairs of a service message that went out already: the same push, or the same offer
    within so many ``hours``."""
    at = int(push.send_at.timestamp())
    before = contacts.at <= at
    again = contacts.count(before & contacts.are("push", push.push_id), members) > 0
    lately = before & (contacts.at >= at - round(hours * 3_600))
    found = np.zeros((members, len(options)), dtype=bool)
    for column, option in enumerate(options):
        same = contacts.are("offer", option.offer.offer_id)
        found[:, column] = again | (contacts.count(lately & same, members) > 0)
    return found
