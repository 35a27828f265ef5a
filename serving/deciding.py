"""From a call to its answer: fresh features, the engine, and what is said when time runs out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from time import monotonic
from typing import Any

from serving.deadline import DEFAULT_SECONDS, allowed
from serving.engine import Engine
from serving.errors import DeadlinePassed, NothingDecides
from serving.fresh_source import Freshness, FreshSource
from serving.making import DEADLINE, Subject, undecided
from serving.room import Room
from serving.scorer import Answering, Answers, Asked, Decider

_PART = 250  # members of a large call that are decided at a time
_SPARE = 0.1  # of its time that a call keeps for telling the answer
_FRESH = 0.3  # of its time that a call waits for fresh features


@dataclass(frozen=True, slots=True)
class Call:
    """contexts: members with what the caller said about each. seconds: that the answer may take;
    None for the default. first: must be done before, and may wait for the disk."""

    push_id: str
    contexts: Mapping[str, Mapping[str, Any] | None]
    seconds: float | None = None
    first: Callable[[], None] | None = None


class Deciding:
    """What routes ask.

    Args:
        room: is told how much of its time each call took.
        seconds: deadline of a call that names none.
    """

    def __init__(
        self,
        engine: Engine,
        decider: Decider,
        room: Room,
        fresh: FreshSource,
        seconds: float = DEFAULT_SECONDS,
    ) -> None:
        self._engine = engine
        self._decider = decider
        self._room = room
        self._fresh = fresh
        self._seconds = seconds

    async def answer(self, call: Call) -> Answers:
        """One decision for each member, always: what could not be decided is no send.

        Raises:
            UnknownPush, Overloaded: nothing was decided.
            LogUnavailable: nothing can be written down, so nothing is acknowledged.
            ServiceError: of ``call.first``.
        """
        seconds = allowed(call.seconds, self._seconds, len(call.contexts))
        began = monotonic()
        until = began + seconds * (1 - _SPARE)
        release = self._decider.release
        if call.first is not None and not await _in_time(call.first, until):
            asked = Asked(release, call.push_id, dict.fromkeys(call.contexts, Subject()))
            return _nothing(asked, (DEADLINE,))
        now = datetime.now(UTC)
        fresh = await self._fresh.fresh(
            list(call.contexts), release.encoding, now, seconds * _FRESH, release.versions.as_of
        )
        self._engine.check(len(call.contexts), until)
        parts = _parts(release, call, fresh)
        if len(parts) == 1:
            answers = await self._part(parts[0], until)
            self._room.took((monotonic() - began) / seconds)
            return answers
        found = await asyncio.gather(*(self._part(part, until) for part in parts))
        self._room.took((monotonic() - began) / seconds)
        newest = max(found, key=lambda one: one.decided_at)
        decisions = {member: one for part in found for member, one in part.decisions.items()}
        degraded = dict.fromkeys(why for part in found for why in part.degraded)
        return Answers(decisions, newest.versions, tuple(degraded))

    async def _part(self, asked: Asked, until: float) -> Answers:
        try:
            return await self._engine.answer(asked, until)
        except DeadlinePassed as error:
            degraded: tuple[str, ...] = (error.code,)
        except NothingDecides as error:
            degraded = error.failed
        missing = (why for subject in asked.subjects.values() for why in subject.degraded)
        return _nothing(asked, tuple(dict.fromkeys((*missing, *degraded))))


async def _in_time(work: Callable[[], None], until: float) -> bool:
    """Whether ``work`` was done by ``until``; if not, it may still be done later."""
    done = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        async with asyncio.timeout(max(until - monotonic(), 0.0)):
            await done
    except TimeoutError:
        return False
    return True


def _nothing(asked: Asked, degraded: tuple[str, ...]) -> Answers:
    """No send to anybody, and no decision."""
    versions, now = asked.release.versions, datetime.now(UTC)
    decisions = {
        member: undecided(member, DEADLINE, versions.release, now) for member in asked.subjects
    }
    return Answers(decisions, versions, degraded)


def _parts(release: Answering, call: Call, fresh: Freshness) -> list[Asked]:
    """The call in pieces that are decided at a time."""
    members = iter(call.contexts)
    parts = []
    while part := list(islice(members, _PART)):
        subjects = {
            member: Subject(call.contexts[member], fresh.values.get(member, {}), fresh.degraded)
            for member in part
        }
        parts.append(Asked(release, call.push_id, subjects))
    return parts
