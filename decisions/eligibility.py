"""Who may be contacted at all, with what, and the reason for everyone who may not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from decisions.catalogue import Offer, Push
from decisions.draws import uniforms
from decisions.members import Members
from decisions.policy import Policy
from decisions.rules import RuleError, matches, parse

UNKNOWN_MEMBER = "unknown_member_fallback"
NO_CONSENT = "no_consent"
SUPPRESSED = "suppressed"
FREQUENCY_CAP = "frequency_cap"
NOT_ELIGIBLE = "not_eligible"
HOLDOUT = "holdout"
EXPLORED = "explored"
NO_POSITIVE_GAIN = "no_positive_gain"
BUDGET_SPENT = "budget_spent"

# A channel maps to the consent it needs; one that is not listed needs the consent of its name.
_CONSENT = {"push": "consent_push", "app_push": "consent_push", "email": "consent_email"}


@dataclass(frozen=True, slots=True)
class Eligibility:
    """What each of n members may get of m offers.

    allowed: (n, m) pairs that nothing bars. reason: (n,) why no pair is allowed, else empty.
    held: (n,) members kept out so that the effect can be measured, drawn among those to whom
    something is allowed.
    """

    allowed: NDArray[np.bool_]
    reason: NDArray[np.str_]
    held: NDArray[np.bool_]


def eligibility(
    push: Push,
    offers: Sequence[Offer],
    members: Members,
    policy: Policy,
    suppressed: frozenset[str],
) -> Eligibility:
    """The mask of allowed pairs; each barred member with the first reason that bars them.

    The order is: unknown, suppressed, consent, contact caps, the push's rule, then the offers
    (validity at the send time, channel, stock, rule). The holdout is drawn among those who would
    otherwise be reached, so that the two sides compare.

    Raises:
        RuleError: a rule that does not parse or names an unknown feature.
    """
    reason = np.full(len(members), "", dtype="<U24")

    def bar(mask: NDArray[np.bool_], why: str) -> None:
        reason[mask & (reason == "")] = why

    bar(~members.known, UNKNOWN_MEMBER)
    bar(np.array([member in suppressed for member in members.ids], dtype=bool), SUPPRESSED)
    bar(_unsubscribed(members), SUPPRESSED)
    bar(~_consents(push.channel, members, policy), NO_CONSENT)
    bar(_over_cap(members, policy), FREQUENCY_CAP)
    bar(~_satisfies(push.eligibility, members, f"push {push.push_id!r}"), NOT_ELIGIBLE)
    allowed = np.stack([_sendable(offer, push, members) for offer in offers], axis=1)
    bar(~np.asarray(allowed.any(axis=1)), NOT_ELIGIBLE)
    held = uniforms(policy.salt, "holdout", push.push_id, members.ids) < push.holdout
    return Eligibility(allowed & (reason == "")[:, None], reason, held & (reason == ""))


def _unsubscribed(members: Members) -> NDArray[np.bool_]:
    column = members.column("unsubscribed")
    return np.zeros(len(members), dtype=bool) if column is None else column == 1


def _consents(channel: str, members: Members, policy: Policy) -> NDArray[np.bool_]:
    column = members.column(_CONSENT.get(channel, f"consent_{channel}"))
    if column is None:
        return np.full(len(members), policy.consent_when_missing)
    return np.where(np.isnan(column), policy.consent_when_missing, column == 1)


def _over_cap(members: Members, policy: Policy) -> NDArray[np.bool_]:
    over = np.zeros(len(members), dtype=bool)
    for feature, cap in policy.contact_caps.items():
        column = members.column(feature)
        if column is not None:  # a workspace without pushes has contacted nobody
            over |= column >= cap
    return over


def _satisfies(rule: str, members: Members, whose: str) -> NDArray[np.bool_]:
    if not rule:
        return np.ones(len(members), dtype=bool)
    try:
        return matches(parse(rule), members.values, members.encoding, members.as_of)
    except RuleError as error:
        raise RuleError(f"eligibility of {whose}: {error}") from error


def _sendable(offer: Offer, push: Push, members: Members) -> NDArray[np.bool_]:
    if (
        not valid_at(offer, push.send_at)
        or (offer.channels and push.channel not in offer.channels)
        or offer.stock == 0
    ):
        return np.zeros(len(members), dtype=bool)
    return _satisfies(offer.eligibility, members, f"offer {offer.offer_id!r}")


def valid_at(offer: Offer, moment: datetime) -> bool:
    """Whether ``moment`` lies in [valid_from, valid_to)."""
    begun = offer.valid_from is None or offer.valid_from <= moment
    return begun and (offer.valid_to is None or moment < offer.valid_to)


def expires_at(offer: Offer, push: Push) -> datetime:
    """When a decision for ``offer`` stops being good: the offer's end, else the push's window."""
    window_end = push.send_at + timedelta(days=push.attribution_days)
    return window_end if offer.valid_to is None else min(offer.valid_to, window_end)
