"""One answer per push and member: decided once, written, then given again, behind a last guard."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import uuid4

import numpy as np

from decisions.catalogue import Offer, Push
from decisions.contacts import Contacts
from decisions.pacing import CONTACTS, Terms, Use
from decisions.reasons import HOLDOUT, SUPPRESSED
from serving.contacts import contacts_since
from serving.court import Court
from serving.errors import LogUnavailable, UnknownDecision, UnknownPush
from serving.ledger import Claim
from serving.log import Claims, Log, LoggedDecision, iso
from serving.release import Choice
from serving.schemas import Decision, Estimates, Experiment, StoredDecision, Versions
from serving.vectors import LoggedVector, in_sample

SUPPRESSION_UNREADABLE = "suppression_unreadable"
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
    def court(self) -> Court | None: ...
    def limits(self, push_id: str) -> Mapping[str, int]: ...
    def terms(self, push_id: str, used: Mapping[str, Use]) -> Terms: ...
    def choose(
        self,
        push_id: str,
        members: Sequence[str],
        suppressed: frozenset[str],
        terms: Terms,
        since: Contacts | None = None,
    ) -> list[Choice]: ...
    def barred(self, channel: str, members: Sequence[str]) -> dict[str, str]: ...
    def check_rule(self, rule: str) -> None: ...


class Decider(Protocol):
    """Holds the release in use. Read ``release`` once a request: it may be swapped any moment."""

    @property
    def release(self) -> Answering: ...


@dataclass(frozen=True, slots=True)
class Answers:
    """decisions: by member. versions: of the release that the request began with."""

    decisions: Mapping[str, Decision]
    versions: Versions
    degraded: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scorer:
    """vector_sample: share of the decisions whose feature vector is kept beside them."""

    decider: Decider
    log: Log
    vector_sample: float

    def decide(
        self, push_id: str, asked: Mapping[str, Mapping[str, Any] | None], at: datetime
    ) -> Answers:
        """The answer of each member; what is returned is on disk.

        Args:
            asked: members with the context that the caller gave, which is kept in the log.

        Raises:
            UnknownPush: the release in use has no such push, and a member was not decided earlier.
            LogUnavailable: nothing could be read or written, so nothing was decided.
        """
        release = self.decider.release
        stored = self.log.decided(push_id, list(asked))
        fresh = [member for member in asked if member not in stored]
        if fresh:
            if push_id not in release.pushes:
                raise UnknownPush(release.versions.release, len(release.pushes))
            context = _Context(release.pushes[push_id], release.versions, at)
            stored |= self._decided(release, context, {one: asked[one] for one in fresh})
        return self._guarded(release, stored)

    def _decided(
        self,
        release: Answering,
        made: _Context,
        fresh: Mapping[str, Mapping[str, Any] | None],
    ) -> dict[str, LoggedDecision]:
        """Decide at the prices of the moment and keep what fits into the push's limits.

        Another scorer, or an earlier member of the same call, may take what a member was to get:
        then that member is decided again with what is left, until nothing is.
        """
        push_id, most = made.push.push_id, release.limits(made.push.push_id)
        suppressed = self.log.suppressed(list(fresh))
        since = contacts_since(self.log, list(fresh), release)
        waiting = list(fresh)
        stored: dict[str, LoggedDecision] = {}
        for turn in range(_TURNS):
            terms = release.terms(push_id, self.log.used(push_id, made.at))
            if turn == _TURNS - 1:
                terms = replace(terms, left={**terms.left, CONTACTS: 0})
            choices = release.choose(push_id, waiting, suppressed, terms, since)
            logged = [
                _logged(made, member, choice, terms, fresh[member])
                for member, choice in zip(waiting, choices, strict=True)
            ]
            sample = self._sample(logged, choices, made.versions)
            stored |= self.log.keep_decisions(logged, sample, _claims(most, logged, choices, made))
            waiting = [member for member in waiting if member not in stored]
            if not waiting:
                break
        return stored

    def look_up(self, decision_id: str) -> StoredDecision:
        """A decision as it was made. Raises ``UnknownDecision``, ``LogUnavailable``."""
        row = self.log.decision(decision_id)
        if row is None:
            raise UnknownDecision
        return StoredDecision(
            push_id=row.push_id,
            decided_at=datetime.fromisoformat(row.decided_at),
            candidates=json.loads(row.candidates),
            policy=row.policy,
            context=None if row.context is None else json.loads(row.context),
            terms=None if row.terms is None else json.loads(row.terms),
            decision=Decision.model_validate_json(row.answer),
        )

    def _sample(
        self, logged: Sequence[LoggedDecision], choices: Sequence[Choice], versions: Versions
    ) -> list[LoggedVector]:
        return [
            LoggedVector(
                decision_id=decision.decision_id,
                member_id=decision.member_id,
                release=versions.release,
                as_of=iso(versions.as_of),
                vector=choice.vector.astype(np.dtype("<f4")).tobytes(),
            )
            for decision, choice in zip(logged, choices, strict=True)
            if in_sample(decision.decision_id, self.vector_sample)
        ]

    def _guarded(self, release: Answering, stored: Mapping[str, LoggedDecision]) -> Answers:
        """Nothing is sent to who is suppressed now or, by this release, may not be contacted.

        Fails closed: when the list cannot be read, nobody is sent anything.
        """
        answers = {
            member: Decision.model_validate_json(row.answer) for member, row in stored.items()
        }
        senders = [member for member, answer in answers.items() if answer.send]
        degraded: tuple[str, ...] = ()
        try:
            barred = dict.fromkeys(self.log.suppressed(senders), SUPPRESSED) if senders else {}
        except LogUnavailable:
            barred, degraded = dict.fromkeys(senders, SUPPRESSED), (SUPPRESSION_UNREADABLE,)
        earlier: dict[str, list[str]] = {}  # by channel: a push may have changed it meanwhile
        for member in senders:
            if answers[member].release != release.versions.release:
                earlier.setdefault(stored[member].channel, []).append(member)
        for channel, members in earlier.items():
            barred = {**release.barred(channel, members), **barred}
        return Answers(
            {
                member: _withheld(answer, barred[member]) if member in barred else answer
                for member, answer in answers.items()
            },
            release.versions,
            degraded,
        )


@dataclass(frozen=True, slots=True)
class _Context:
    push: Push
    versions: Versions
    at: datetime


def _claims(
    most: Mapping[str, int],
    logged: Sequence[LoggedDecision],
    choices: Sequence[Choice],
    made: _Context,
) -> Claims:
    claims = {
        decision.decision_id: Claim(
            decision.decision_id, choice.takes, choice.planned, iso(choice.expires_at)
        )
        for decision, choice in zip(logged, choices, strict=True)
    }
    return Claims(most, claims, made.at)


def _logged(
    made: _Context,
    member: str,
    choice: Choice,
    terms: Terms,
    context: Mapping[str, Any] | None,
) -> LoggedDecision:
    arm = "holdout" if choice.reason == HOLDOUT else "policy"
    answer = Decision(
        decision_id=uuid4().hex,
        member_id=member,
        send=choice.offer_id is not None,
        offer_id=choice.offer_id,
        channel=choice.channel,
        send_after=choice.send_after,
        items=list(choice.items),
        estimates=Estimates(
            p_if_sent=choice.p_if_sent,
            p_if_not=choice.p_if_not,
            uplift=choice.uplift,
            expected_gain=choice.expected_gain,
            evidence=choice.evidence or None,
        ),
        probability=choice.probability,
        explored=choice.explored,
        experiment=Experiment(id=None, arm=arm),
        reason=choice.reason or None,
        expires_at=choice.expires_at.astimezone(UTC),
        release=made.versions.release,
    )
    return LoggedDecision(
        decision_id=answer.decision_id,
        push_id=made.push.push_id,
        channel=choice.channel or made.push.channel,
        member_id=member,
        offer_id=choice.offer_id,
        probability=choice.probability,
        decided_at=iso(made.at),
        candidates=json.dumps(made.push.offer_ids),
        arm=arm,
        policy=made.versions.policy,
        release=made.versions.release,
        context=None if context is None else json.dumps(context),
        answer=answer.model_dump_json(),
        terms=json.dumps({**terms.to_json(), "planned": dict(choice.planned)}),
    )


def _withheld(answer: Decision, reason: str) -> Decision:
    nothing: dict[str, Any] = {
        "send": False,
        "offer_id": None,
        "channel": None,
        "send_after": None,
        "items": [],
    }
    return answer.model_copy(update={**nothing, "reason": reason})
