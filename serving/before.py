"""What the log knows of some members of a push before they are decided: one look for all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from decisions.contacts import Contact
from decisions.pacing import Use
from serving import ledger, log
from serving.contacts import Knowing, sent_since
from serving.log import Log, LoggedDecision, iso


@dataclass(frozen=True, slots=True)
class Before:
    """decided: by member, who has an answer. Of the others: who is suppressed, and what each was
    sent since the release was made, oldest first. used: of the push's limits; None where expired
    reservations have to be given back first (``Log.used``)."""

    decided: Mapping[str, LoggedDecision]
    suppressed: frozenset[str]
    contacts: Sequence[Contact]
    used: Mapping[str, Use] | None


def look(
    where: Log, push_id: str, members: Sequence[str], release: Knowing, at: datetime
) -> Before:
    """Raises ``LogUnavailable``."""
    with where.reading() as connection:
        decided = log.decided_by(connection, push_id, members)
        fresh = [member for member in members if member not in decided]
        if not fresh:
            return Before(decided, frozenset(), (), {})
        due = ledger.due(connection, push_id, iso(at))
        return Before(
            decided,
            log.suppressed_of(connection, fresh),
            sent_since(connection, fresh, release),
            None if due else ledger.used(connection, push_id),
        )
