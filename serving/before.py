"""What the log knows of some members of a push before they are decided: one look for all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from decisions.contacts import Contact
from decisions.pacing import Use
from serving import ledger, log
from serving.contacts import Knowing, sent_since
from serving.log import Log, LoggedDecision
from serving.moments import iso
from serving.seated import Seated, seated
from serving.trials import Trial


@dataclass(frozen=True, slots=True)
class Before:
    """decided: by member, who has an answer. erased: who is not decided, nor written down.

    Of the others: who is suppressed, and what each was sent since the release was made, oldest
    first. used: of the push's limits; None where expired reservations have to be given back first
    (``Log.used``). seated: by experiment, who was in it before.
    """

    decided: Mapping[str, LoggedDecision]
    erased: frozenset[str]
    suppressed: frozenset[str]
    contacts: Sequence[Contact]
    used: Mapping[str, Use] | None
    seated: Mapping[str, Seated] = field(default_factory=dict)


def look(
    where: Log,
    push_id: str,
    members: Sequence[str],
    release: Knowing,
    at: datetime,
    trials: Sequence[Trial] = (),
) -> Before:
    """Raises ``LogUnavailable``.

    Args:
        trials: the experiments that decide the push; contacts are those since the oldest of their
            releases was made.
    """
    with where.reading() as connection:
        erased = where.forgotten.among(connection, members)
        decided = log.decided_by(connection, push_id, members)
        fresh = [one for one in members if one not in decided and one not in erased]
        if not fresh:
            return Before(decided, erased, frozenset(), (), {})
        due = ledger.due(connection, push_id, iso(at))
        return Before(
            decided,
            erased,
            log.suppressed_of(connection, fresh),
            sent_since(
                connection, fresh, release, min((one.oldest for one in trials), default=None)
            ),
            None if due else ledger.used(connection, push_id),
            {
                one.experiment_id: seated(connection, one.experiment_id, fresh)
                for one in trials
                if one.remembers
            },
        )
