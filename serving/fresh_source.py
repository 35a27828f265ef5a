"""What is fresh of the members of one call, within the time that the call has for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from features.encoding import Encoding
from features.fresh_reader import SILENT, Fresh, FreshReader
from features.overlay import overlay
from serving.breaker import Breaker, State
from serving.fresh_reading import Reading, UnreadError
from serving.last_known import LastKnown

LATE = "features_late"
UNAVAILABLE = "features_unavailable"
FROM_LAST_KNOWN = "features_last_known"

MOST_MEMBERS = 16
"""Calls of more members are decided from the snapshot alone: each further member costs Feast 0.2 ms
of Python, which a batch of hundreds does not have. That is no degradation, but how it is meant."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """What goes before the snapshot.

    values: by member, encoded features that go before the snapshot's (empty: none); NaN = missing.
    degraded: why something is missing or old: ``features_late`` (the store did not answer in time,
        or nobody has brought anything into it for a minute), ``features_unavailable`` (it fails, or
        is not open yet), ``features_last_known`` (values of an earlier read are used).
    """

    values: Mapping[str, Mapping[str, float]]
    degraded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoreState:
    """How the store does, for who watches. behind: seconds since the follower had brought in
    everything, as the last read found; None before a read, or where nobody ever followed."""

    breaker: State
    behind: float | None


class FreshSource(Protocol):
    """Where a call gets its fresh features from."""

    async def fresh(
        self,
        members: Sequence[str],
        encoding: Encoding,
        at: datetime,
        within: float,
        since: datetime | None = None,
    ) -> Freshness:
        """What is fresh of ``members`` at ``at``; answers within so many seconds, never raises.

        Args:
            encoding: the features that the release in use knows.
            since: ``as_of`` of its snapshot: what stands since earlier than that is left out.
        """

    def forget(self, member: str) -> None:
        """Keep nothing of an erased member."""

    def state(self) -> StoreState | None:
        """None where no store is open."""


class NoFresh:
    """Nothing is configured: the snapshot is all there is, and nothing is missing."""

    async def fresh(
        self,
        members: Sequence[str],
        encoding: Encoding,
        at: datetime,
        within: float,
        since: datetime | None = None,
    ) -> Freshness:
        return NOTHING

    def forget(self, member: str) -> None:
        pass

    def state(self) -> StoreState | None:
        return None


NOTHING = Freshness({})


class ReadFresh:
    """Fresh features of an online store that may be slow, broken or gone.

    What does not come in time is answered from the last reads, else left to the snapshot, and
    marked. What was read too late is kept for the next call.
    """

    def __init__(
        self, reader: FreshReader, breaker: Breaker | None = None, known: LastKnown | None = None
    ) -> None:
        self._breaker = breaker or Breaker()
        self._known = known or LastKnown()
        self._reading = Reading(reader, self._breaker, self._known.keep)
        self._behind: float | None = None

    async def fresh(
        self,
        members: Sequence[str],
        encoding: Encoding,
        at: datetime,
        within: float,
        since: datetime | None = None,
    ) -> Freshness:
        if not 0 < len(members) <= MOST_MEMBERS:
            return NOTHING
        found, degraded = await self._found(members, at, within)
        laid = {member: overlay(fresh, encoding, at, since) for member, fresh in found.items()}
        return Freshness({member: values for member, values in laid.items() if values}, degraded)

    def forget(self, member: str) -> None:
        self._reading.forget(member)
        self._known.forget(member)

    def state(self) -> StoreState | None:
        return StoreState(self._breaker.state, self._behind)

    def stop(self) -> None:
        self._reading.stop()

    async def _found(
        self, members: Sequence[str], at: datetime, within: float
    ) -> tuple[Mapping[str, Fresh], tuple[str, ...]]:
        if not self._breaker.allows():
            return self._last_known(members, at, UNAVAILABLE)
        batch = self._reading.ask(members, at)
        if batch is None:
            return self._last_known(members, at, LATE)
        try:
            async with asyncio.timeout(within):
                read = await asyncio.wrap_future(batch.answer)
        except TimeoutError:
            self._reading.give_up(batch)
            return self._last_known(members, at, LATE)
        except asyncio.CancelledError:
            self._reading.give_up(batch)
            raise
        except UnreadError:
            return self._last_known(members, at, UNAVAILABLE)
        found = {member: read[member] for member in members}
        self._behind = max(
            (one.behind for one in found.values() if one.behind is not None), default=None
        )
        return found, () if _followed(found) else (LATE,)

    def _last_known(
        self, members: Sequence[str], at: datetime, why: str
    ) -> tuple[Mapping[str, Fresh], tuple[str, ...]]:
        found = self._known.of(members, at)
        return found, (why, FROM_LAST_KNOWN) if found else (why,)


def _followed(found: Mapping[str, Fresh]) -> bool:
    """Whether the follower was heard of lately: else the store is older than it seems."""
    return all(
        one.behind is not None and one.behind <= SILENT.total_seconds() for one in found.values()
    )
