"""Contacts and offers once more, slowly and plainly."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from tests.features.oracle.knowledge import Features, Known, Row, exact, share

REACTIONS = ("opened", "clicked", "redeemed", "converted")


def reactions(known: Known) -> Mapping[str, set[str]]:
    """The types of the known outcomes that speak of each known decision, by its id.

    An outcome names its decision, else member and push: then it speaks of every decision of that
    member in that push.
    """
    told: dict[str, set[str]] = {row["decision_id"]: set() for row in known.decisions}
    for decision in known.decisions:
        for outcome in known.outcomes:
            if outcome.get("decision_id") is not None:
                meant = outcome["decision_id"] == decision["decision_id"]
            else:
                meant = (outcome.get("member_id"), outcome.get("push_id")) == (
                    decision["member_id"],
                    decision["push_id"],
                )
            if meant:
                told[decision["decision_id"]].add(outcome["type"])
    return told


def contacts_of(known: Known) -> list[Row]:
    """The known decisions that chose an offer, unless they failed."""
    told = reactions(known)
    return [
        row
        for row in known.decisions
        if row.get("offer_id") is not None and "failed" not in told[row["decision_id"]]
    ]


def contacts(known: Known) -> dict[str, Features]:
    """``features.contacts.contacts``."""
    told = reactions(known)
    everyone = contacts_of(known)
    answer: dict[str, Features] = {}
    for member in known.roster:
        own = [row for row in everyone if row["member_id"] == member]
        month = [row for row in own if known.within(row["decided_at"], 30)]
        answered = [
            row["decided_at"] for row in own if told[row["decision_id"]].intersection(REACTIONS)
        ]
        since = [row for row in own if not answered or row["decided_at"] > max(answered)]
        counts = {
            "contacts_1d": sum(known.within(row["decided_at"], 1) for row in own),
            "contacts_7d": sum(known.within(row["decided_at"], 7) for row in own),
            "contacts_30d": len(month),
            "opens_30d": sum("opened" in told[row["decision_id"]] for row in month),
            "clicks_30d": sum("clicked" in told[row["decision_id"]] for row in month),
            "ignored_in_row": len(since),
            "unsubscribed": int(_unsubscribed(known, member, told)),
        }
        last = max((row["decided_at"] for row in own), default=None)
        answer[member] = {
            **{name: Fraction(count) for name, count in counts.items()},
            "last_contact_days": known.days_since(last),
        }
    return answer


def _unsubscribed(known: Known, member: str, told: Mapping[str, set[str]]) -> bool:
    """Whether an outcome says so: one that names the member, or one of a decision of theirs."""
    for outcome in known.outcomes:
        if outcome["type"] == "unsubscribed" and outcome.get("member_id") == member:
            return True
    return any(
        "unsubscribed" in told[row["decision_id"]]
        for row in known.decisions
        if row["member_id"] == member
    )


def offers(known: Known) -> dict[str, Features]:
    """``features.offers.offers``."""
    told = reactions(known)
    answer: dict[str, Features] = {}
    for offer_id, offer in known.offers.items():
        made = [row for row in contacts_of(known) if row["offer_id"] == offer_id]
        outcomes = [told[row["decision_id"]] for row in made]
        ends = known.days_since(offer.get("valid_to"))

        def rate(kind: str, outcomes: list[set[str]] = outcomes) -> Fraction | None:
            return share(sum(kind in one for one in outcomes), len(outcomes))

        answer[offer_id] = {
            "kind": offer["kind"],
            **{name: _given(offer, name) for name in ("value", "min_spend", "redemption_cost")},
            "contact_cost": _given(offer, "contact_cost"),
            "stock": _given(offer, "stock"),
            "valid_days": None if ends is None else -ends,
            "contacts_30d": Fraction(sum(known.within(row["decided_at"], 30) for row in made)),
            "contacts_life": Fraction(len(made)),
            "open_rate": rate("opened"),
            "click_rate": rate("clicked"),
            "redemption_rate": rate("redeemed"),
            "conversion_rate": rate("converted"),
        }
    return answer


def _given(row: Row, name: str) -> Fraction | None:
    return None if row.get(name) is None else exact(row[name])
