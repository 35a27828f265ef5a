"""A decision made again from what it was made from: the same bits, or what differs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from decisions.contacts import Contacts
from decisions.pacing import Terms
from decisions.policy import Prices
from decisions.variant import AS_IS
from serving.archive import Archive
from serving.choice import Choice
from serving.errors import NotReplayable, UnknownDecision
from serving.guard import Barring, barred
from serving.inputs import Inputs
from serving.log import Log, LoggedDecision
from serving.making import Made, Subject, answer_of
from serving.release import Release
from serving.schemas import Decision
from serving.scorer import Decider, withheld
from serving.situation import Situation


@dataclass(frozen=True, slots=True)
class Remade:
    """What a decision was made from, read back.

    release: that made it. situation: of the moment, for this member alone.
    """

    row: LoggedDecision
    release: Release
    inputs: Inputs
    situation: Situation

    def choice(self) -> Choice:
        """The choice, made again."""
        (choice,) = self.release.choose(self.row.push_id, [self.row.member_id], self.situation)
        return choice

    def decision(self, choice: Choice) -> Decision:
        """The answer that ``choice`` would have been written as."""
        row, push = self.row, self.release.pushes[self.row.push_id]
        at = datetime.fromisoformat(row.decided_at)
        made = Made(push, self.release.versions, at, {row.member_id: Subject()}, ())
        answer = answer_of(made, row.member_id, choice, self.inputs.branch)
        return answer.model_copy(update={"decision_id": row.decision_id})


@dataclass(frozen=True, slots=True)
class Replay:
    """equal: the answer came out as it was written, byte by byte. differs: the fields that did not.
    withheld: why nothing is shown as sent although something was: the member is not to be contacted
    by now."""

    decision_id: str
    equal: bool
    differs: tuple[str, ...]
    stored: Decision
    recomputed: Decision
    release: str
    withheld: str | None


def remade(log: Log, archive: Archive, decider: Decider, decision_id: str) -> Remade:
    """What ``decision_id`` was made from.

    Raises:
        UnknownDecision: it is not in the log, or its member was erased.
        NotReplayable: an older scorer made it, which did not write down what from.
        ReleaseGone: the release that made it cannot be had.
        LogUnavailable: the log cannot be read.
    """
    row = log.decision(decision_id)
    if row is None:
        raise UnknownDecision
    if row.terms is None or row.inputs is None:
        raise NotReplayable
    return read_back(row, archive.get(row.release, decider.release))


def read_back(row: LoggedDecision, release: Release) -> Remade:
    """What ``row`` was made from, by its ``release``. Of a row with terms and inputs only."""
    inputs = Inputs.from_json(row.inputs or "", row.member_id)
    return Remade(row, release, inputs, _situation(row, json.loads(row.terms or ""), inputs))


def replay(log: Log, decider: Decider, made: Remade) -> Replay:
    """Make the decision again and compare; the guard comes last."""
    row = made.row
    choice = made.choice()
    stored, recomputed = Decision.model_validate_json(row.answer), made.decision(choice)
    differs = tuple(sorted(_differing(json.loads(row.answer), recomputed.model_dump(mode="json"))))
    if json.loads(row.terms or "{}").get("planned") != dict(choice.planned):
        differs += ("terms.planned",)
    reason = reason_withheld(log, decider.release, row) if stored.send or recomputed.send else None
    if reason is not None:
        stored, recomputed = (
            withheld(one, reason) if one.send else one for one in (stored, recomputed)
        )
    return Replay(row.decision_id, not differs, differs, stored, recomputed, row.release, reason)


def reason_withheld(log: Log, in_use: Barring, row: LoggedDecision) -> str | None:
    """Why the member must not be contacted by now. Fails closed."""
    return barred(log, in_use, {row.channel: [row.member_id]}).reasons.get(row.member_id)


def _situation(row: LoggedDecision, terms: Mapping[str, Any], inputs: Inputs) -> Situation:
    member = row.member_id
    return Situation(
        terms=Terms(Prices.from_json(terms["prices"]), terms["left"]),
        suppressed=frozenset([member]) if inputs.suppressed else frozenset(),
        since=Contacts.of([member], inputs.since) if inputs.since else None,
        fresh={member: inputs.fresh} if inputs.fresh else {},
        basis=inputs.estimator,
        variant=AS_IS if inputs.branch is None else inputs.branch.variant,
    )


def _differing(stored: Mapping[str, Any], made: Mapping[str, Any]) -> Iterator[str]:
    """Fields whose values are not the same, those of inner objects with a dot."""
    for name in stored.keys() | made.keys():
        one, other = stored.get(name), made.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from (f"{name}.{inner}" for inner in _differing(one, other))
        elif one != other:
            yield name
