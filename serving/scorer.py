"""One answer per push and member: decided once, written, then given again, behind a last guard."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from decisions.catalogue import Offer, Push
from decisions.pacing import Part, Terms, Use
from decisions.reasons import SUPPRESSED
from decisions.variant import AS_IS, Variant
from features.encoding import Encoding
from models.lifetime_values import LifetimeValue
from serving import guard
from serving.before import Before, look
from serving.choice import Choice, Picked
from serving.court import Court
from serving.degradation import Estimating
from serving.errors import ServiceError, UnknownDecision, UnknownPush
from serving.ledger import Claim
from serving.log import Claims, Log, LoggedDecision
from serving.lots import Chosen, Turn
from serving.making import Made, Subject, Written, claimed, logged, sampled, undecided
from serving.schemas import Decision, StoredDecision, Versions
from serving.situation import Situation
from serving.trials import FindsTrial, NoTrials, Trial, seats_in
from serving.vectors import LoggedVector
from serving.versions import VersionsSeen

_TURNS = 8  # tries for what is left of a push's limits; after the last one nothing is sent


class Answering(Protocol):
    """What the scorer needs of a release; see ``serving.release.Release``."""

    @property
    def versions(self) -> Versions: ...
    @property
    def pushes(self) -> Mapping[str, Push]: ...
    @property
    def offers(self) -> Mapping[str, Offer]: ...
    @property
    def encoding(self) -> Encoding: ...
    @property
    def court(self) -> Court | None: ...
    def limits(self, push_id: str) -> Mapping[str, int]: ...
    def terms(
        self,
        push_id: str,
        used: Mapping[str, Use],
        variant: Variant = AS_IS,
        part: Part | None = None,
    ) -> Terms: ...
    def choose(
        self, push_id: str, members: Sequence[str], situation: Situation
    ) -> list[Choice]: ...
    def chances(
        self,
        push_id: str,
        members: Sequence[str],
        situation: Situation,
        picked: Sequence[Picked],
    ) -> list[float]: ...
    def barred(self, channel: str, members: Sequence[str]) -> dict[str, str]: ...
    def check_rule(self, rule: str) -> None: ...
    def features_of(self, member_id: str) -> dict[str, float | str | None]: ...
    def lifetime_value_of(self, member_id: str) -> LifetimeValue | None: ...


class Decider(Protocol):
    """Holds the release in use. Read ``release`` once a request: it may be swapped any moment."""

    @property
    def release(self) -> Answering: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """One call, or a part of one: which of the push's offers, if any, for these members?

    release: in use when the call began; all of its parts are decided by it.
    """

    release: Answering
    push_id: str
    subjects: Mapping[str, Subject]

    def __len__(self) -> int:
        return len(self.subjects)


@dataclass(frozen=True, slots=True)
class Answers:
    """decisions: by member. versions: of the release that made the newest of them, so that a call
    that is repeated gets the same. degraded: what could not be had when they were made, and when
    they were answered. decided_at: of the newest of them; empty where nothing was decided."""

    decisions: Mapping[str, Decision]
    versions: Versions
    degraded: tuple[str, ...]
    decided_at: str = ""


Outcome = Answers | ServiceError


class Scorer:
    """Decides calls, several at once: one look at the log and one commit serve them all.

    Args:
        vector_sample: share of the decisions whose feature vector is kept beside them.
        trials: finds the experiment that decides a push.
    """

    def __init__(
        self, decider: Decider, log: Log, vector_sample: float, trials: FindsTrial | None = None
    ) -> None:
        self._decider = decider
        self._trials = trials or NoTrials()
        self.log = log
        self._vector_sample = vector_sample
        self._estimating = Estimating()
        self._versions = VersionsSeen(log)

    def decide(
        self, push_id: str, contexts: Mapping[str, Mapping[str, Any] | None], at: datetime
    ) -> Answers:
        """The answers to one call; what is returned is on disk.

        Args:
            contexts: members with the context that the caller gave.

        Raises:
            UnknownPush: the release in use has no such push, and a member was not decided earlier.
            LogUnavailable: nothing could be read or written, so nothing was decided.
        """
        subjects = {member: Subject(context) for member, context in contexts.items()}
        (found,) = self.decide_together([Asked(self._decider.release, push_id, subjects)], at)
        if isinstance(found, ServiceError):
            raise found
        return found

    def decide_together(self, calls: Sequence[Asked], at: datetime) -> list[Outcome]:
        """The same for several calls, in their order; what keeps one from its answer is returned.

        Members asked about in several calls are decided once.
        """
        outcomes: list[Outcome | None] = [None] * len(calls)
        alike: dict[tuple[int, str], list[int]] = {}  # of one release and push
        for number, call in enumerate(calls):
            alike.setdefault((id(call.release), call.push_id), []).append(number)
        for numbers in alike.values():
            mine = [calls[number] for number in numbers]
            found: Sequence[Outcome]
            try:
                found = self._of_push(mine[0].release, mine[0].push_id, mine, at)
            except ServiceError as error:
                found = [error] * len(mine)
            for number, outcome in zip(numbers, found, strict=True):
                outcomes[number] = outcome
        return [outcome for outcome in outcomes if outcome is not None]

    def look_up(self, decision_id: str) -> StoredDecision:
        """A decision as it was made, behind the guard as every answer is.

        Raises ``UnknownDecision``, ``LogUnavailable``.
        """
        row = self.log.decision(decision_id)
        if row is None:
            raise UnknownDecision
        written = {row.member_id: Written.read(row)}
        return StoredDecision(
            push_id=row.push_id,
            decided_at=datetime.fromisoformat(row.decided_at),
            candidates=json.loads(row.candidates),
            policy=row.policy,
            context=None if row.context is None else json.loads(row.context),
            terms=None if row.terms is None else json.loads(row.terms),
            decision=self._guarded(self._decider.release, written).answers[row.member_id],
        )

    def _of_push(
        self, release: Answering, push_id: str, calls: Sequence[Asked], at: datetime
    ) -> list[Outcome]:
        subjects = {m: one for call in reversed(calls) for m, one in call.subjects.items()}
        trials = self._trials.of_push(push_id, release)
        before = look(self.log, push_id, list(subjects), release, at, trials)
        decided = {m: row for m, row in before.decided.items() if m not in before.erased}
        stored = {member: Written.read(row) for member, row in decided.items()}
        known = stored.keys() | before.erased
        fresh = {member: one for member, one in subjects.items() if member not in known}
        left_out: set[str] = set()
        if fresh and push_id in release.pushes:
            push = release.pushes[push_id]
            made = Made(push, release.versions, at, fresh, before.contacts)
            stored |= self._decided(release, made, before, trials)
            left_out = fresh.keys() - stored.keys()
        guarded = self._guarded(release, stored)
        for member in before.erased | left_out:
            nothing = undecided(member, SUPPRESSED, release.versions.release, at)
            guarded.answers[member] = nothing
        return [self._outcome(call, release, stored, guarded) for call in calls]

    def _decided(
        self, release: Answering, made: Made, before: Before, trials: tuple[Trial, ...]
    ) -> dict[str, Written]:
        """Decide at the prices of the moment and keep what fits into the push's limits.

        Another scorer, or an earlier member of the same call, may take what a member was to get:
        then that member is decided again with what is left, until nothing is. Who is missing in
        the end was erased meanwhile: nobody else is kept from a decision that takes nothing.

        Raises:
            NothingDecides: neither the model nor anything in its place works.
        """
        push_id, waiting, used = made.push.push_id, list(made.subjects), before.used
        seats = seats_in(trials, waiting, before.seated)
        stored: dict[str, Written] = {}
        for number in range(_TURNS):
            turn = Turn(
                made, release, trials, seats, before.suppressed,
                self.log.used(push_id, made.at) if used is None else used,
                spent=number == _TURNS - 1, estimating=self._estimating,
            )  # fmt: skip
            stored |= self._kept(turn, [turn.chosen(lot) for lot in turn.lots(waiting)])
            waiting = [member for member in waiting if member not in stored]
            if not waiting:
                break
            used = None
        return stored

    def _kept(self, turn: Turn, found: Sequence[Chosen]) -> dict[str, Written]:
        """Write down what fits into the push's limits, in one commit; what then stands."""
        branches = turn.branches(found)
        most = dict(turn.release.limits(turn.made.push.push_id))
        rows: list[LoggedDecision] = []
        sample: list[LoggedVector] = []
        wanted: dict[str, Claim] = {}
        mine: dict[int, Written] = {}
        for one in found:
            made, part = one.lot.made, one.lot.part
            self._versions.note(made.versions)
            written = logged(
                made, one.lot.members, one.choices, one.situation, one.failed, branches
            )
            fresh = [each.row for each in written]
            rows += fresh
            sample += sampled(made, fresh, one.choices, self._vector_sample)
            wanted |= claimed(fresh, one.choices, part)
            mine |= {id(each.row): each for each in written}
            if part is not None:
                of_push = one.lot.release.limits(made.push.push_id)
                most |= part.named(part.limits(of_push))
        kept = self.log.keep_decisions(rows, sample, Claims(most, wanted, turn.made.at))
        return {
            member: mine[id(row)] if id(row) in mine else Written.read(row)
            for member, row in kept.items()
        }

    def _guarded(self, release: Answering, stored: Mapping[str, Written]) -> _Guarded:
        """Nothing is sent to who is suppressed now or, by this release, may not be contacted."""
        answers = {member: one.answer for member, one in stored.items()}
        own: list[str] = []
        earlier: dict[str, list[str]] = {}  # by channel: a push may have changed it meanwhile
        for member, answer in answers.items():
            if answer.send and answer.release == release.versions.release:
                own.append(member)
            elif answer.send:
                earlier.setdefault(stored[member].row.channel, []).append(member)
        found = guard.barred(self.log, release, earlier, own)
        for member, why in found.reasons.items():
            answers[member] = withheld(answers[member], why)
        return _Guarded(answers, found.degraded)

    def _outcome(
        self,
        call: Asked,
        release: Answering,
        stored: Mapping[str, Written],
        guarded: _Guarded,
    ) -> Outcome:
        if any(member not in guarded.answers for member in call.subjects):
            return UnknownPush(release.versions.release, len(release.pushes))
        mine = [stored[member] for member in call.subjects if member in stored]
        made = [(one.row.decided_at, one.row.decision_id, one.row.release) for one in mine]
        decided_at, _, newest = max(made, default=("", "", ""))
        versions = self._versions.of(newest) if newest else None
        degraded = dict.fromkeys(why for one in mine for why in one.degraded)
        return Answers(
            {member: guarded.answers[member] for member in call.subjects},
            versions or release.versions,
            tuple(degraded | dict.fromkeys(guarded.degraded)),
            decided_at,
        )


@dataclass(frozen=True, slots=True)
class _Guarded:
    answers: dict[str, Decision]
    degraded: tuple[str, ...]


def withheld(answer: Decision, reason: str) -> Decision:
    """The same decision with nothing sent, and why."""
    nothing: dict[str, Any] = {
        "send": False,
        "offer_id": None,
        "channel": None,
        "send_after": None,
        "items": [],
    }
    return answer.model_copy(update={**nothing, "reason": reason})
