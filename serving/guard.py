"""The guard, last: who must not be contacted by now, whatever was decided, kept or planned before.

It fails closed: where the list of those who must not be contacted cannot be read, nobody may be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from decisions.reasons import SUPPRESSED
from serving.errors import LogUnavailable

SUPPRESSION_UNREADABLE = "suppression_unreadable"


class Suppressing(Protocol):
    """What is needed of the log: who said stop, or was erased."""

    def suppressed(self, members: Sequence[str]) -> frozenset[str]: ...


class Barring(Protocol):
    """What is needed of the release in use: whose consent is gone by its knowledge."""

    def barred(self, channel: str, members: Sequence[str]) -> dict[str, str]: ...


@dataclass(frozen=True, slots=True)
class Guarded:
    """reasons: by member who must not be contacted. degraded: what could not be read."""

    reasons: Mapping[str, str]
    degraded: tuple[str, ...] = ()


def barred(
    log: Suppressing,
    release: Barring,
    by_channel: Mapping[str, Sequence[str]],
    just_decided: Sequence[str] = (),
) -> Guarded:
    """Which of the members, by any channel that they stand under, must not be contacted now.

    Args:
        by_channel: members by the channel that they would be contacted by; a member may stand
            under several.
        just_decided: members whose consent ``release`` itself has looked at.
    """
    named = (one for some in by_channel.values() for one in some)
    members = list(dict.fromkeys((*named, *just_decided)))
    if not members:
        return Guarded({})
    try:
        listed = log.suppressed(members)
    except LogUnavailable:
        return Guarded(dict.fromkeys(members, SUPPRESSED), (SUPPRESSION_UNREADABLE,))
    reasons: dict[str, str] = {}
    for channel, some in by_channel.items():
        reasons |= release.barred(channel, some)
    return Guarded(reasons | dict.fromkeys(listed, SUPPRESSED))
