"""A member's timeline in words, and from one page of it to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboard.web.errors import NotFound
from dashboard.web.language import noted
from dashboard.web.visit import Visit
from serving.explanation_words import of_entry
from serving.timeline import CHOSEN, SKIPPED, Timeline

AT_ONCE = 20
_SEPARATOR = "|"  # in no moment and no kind; an id may hold it, and stands last
# Each state's mark and words: what was decided, then what came of it.
SIGNS = {
    CHOSEN: ("good", noted("chosen")), SKIPPED: ("wait", noted("skipped")),
    "suppressed": ("bad", noted("suppressed")), "unsubscribed": ("bad", noted("unsubscribed")),
    "complained": ("bad", noted("complained")), "failed": ("bad", noted("failed")),
    "sent": ("good", noted("sent")), "delivered": ("good", noted("delivered")),
    "opened": ("good", noted("opened")), "clicked": ("good", noted("clicked")),
    "redeemed": ("good", noted("redeemed")), "converted": ("good", noted("converted")),
}  # fmt: skip
EVENTS = {
    "view": noted("looked at items"), "search": noted("searched"),
    "add_to_cart": noted("put into the cart"), "remove_from_cart": noted("took out of the cart"),
    "wishlist": noted("wished for"), "purchase": noted("bought"), "refund": noted("returned"),
    "app_open": noted("opened the app"), "rating": noted("rated"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One entry. kind: of its mark. decision_id: of the decision that it is, to be explained."""

    at: str
    kind: str
    sign: str
    text: str
    decision_id: str
    value: float | None


def lines(found: Timeline, visit: Visit) -> Sequence[Line]:
    """The entries of a page, newest first, in the reader's language."""
    said = []
    for one in found.entries:
        kind, sign = SIGNS.get(one.kind, ("wait", one.kind))
        decision = one.decision_id if one.kind in (CHOSEN, SKIPPED) else None
        value = None if one.value is None else float(one.value)
        text = of_entry(one, visit.words)
        said.append(Line(one.at, kind, visit.words(sign), text, decision or "", value))
    return said


def events(found: Timeline, visit: Visit) -> Mapping[str, int]:
    """How many of each type of event the log holds, by its words."""
    return {visit.words(EVENTS.get(kind, kind)): many for kind, many in found.events.items()}


def following(found: Timeline, visit: Visit) -> str:
    """Where the next page begins, as an address may say it; empty on the last page.

    An event's id is its sender's, and may name the member: so it is told like one.
    """
    if found.following is None:
        return ""
    return visit.handle(_SEPARATOR.join(found.following))


def place(token: str, visit: Visit) -> tuple[str, str, str] | None:
    """The place that ``following`` told; None where none is named.

    Raises:
        NotFound: it is of another session, or none.
    """
    if not token:
        return None
    found = (visit.session.member(token) or "").split(_SEPARATOR, 2)
    if len(found) != 3:
        raise NotFound("this page of the timeline was another session's; begin at its newest entry")
    at, kind, entry_id = found
    return at, kind, entry_id
