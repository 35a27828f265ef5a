"""Who may be contacted at all, with what and now, and the reason for everything that is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from decisions.caps import duplicates, over_caps
from decisions.catalogue import Offer, Option, Push
from decisions.draws import uniforms
from decisions.local_time import utc_offsets
from decisions.members import Members
from decisions.reasons import (
    CODE,
    DUPLICATE,
    FREQUENCY_CAP,
    NO_CONSENT,
    NOT_APPLICABLE,
    NOT_ELIGIBLE,
    NOT_SUITABLE,
    NOT_VALID,
    OTHER_CHANNEL,
    OUT_OF_STOCK,
    QUIET_HOURS,
    SUPPRESSED,
    UNKNOWN_MEMBER,
    of_member,
)
from decisions.rules import RuleError, matches, parse
from decisions.send_time import SendTimes, send_times

if TYPE_CHECKING:
    from decisions.decide import Ask
    from decisions.policy import Policy

# A channel maps to the consent it needs; one that is not listed needs the consent of its name.
_CONSENT = {"push": "consent_push", "app_push": "consent_push", "email": "consent_email"}

Bar = Callable[[NDArray[np.bool_], str], None]


@dataclass(frozen=True, slots=True)
class Eligibility:
    """What each of n members may get of m options.

    code: (n, m) why a pair is not allowed, ``decisions.reasons.CODE``; 0 where it is.
    reason: (n,) the same of a member to whom nothing is allowed; 0 where something is.
    held: (n,) members kept out so that the effect can be measured, drawn among those to whom
        something is allowed.
    times: when each would be sent something.
    """

    code: NDArray[np.uint8]
    reason: NDArray[np.uint8]
    held: NDArray[np.bool_]
    times: SendTimes

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """(n, m) pairs that nothing bars."""
        return np.asarray(self.code == 0)


def eligibility(ask: Ask) -> Eligibility:
    """The first reason that bars each pair, in the order of ``decisions.reasons``.

    *Eligible*: known, not suppressed, consent to the channel, the offer valid at the send time,
    sent by that channel and in stock, rules of push and offer. *Applicable*: no duplicate, below
    the frequency caps, an hour that is not quiet, rules. *Suitable*: rules. A service message is
    held to no cap, and alone to being no duplicate.

    The holdout is drawn among those who would otherwise be reached, so that the two sides compare.

    Raises:
        RuleError: a rule that does not parse or names an unknown feature.
    """
    options, members = ask.options, ask.members
    code = np.zeros((len(members), len(options)), dtype=np.uint8)

    def bar(mask: NDArray[np.bool_], why: str) -> None:
        if not mask.any():  # as most are
            return
        barred = np.broadcast_to(mask if mask.ndim == 2 else mask[:, None], code.shape)
        code[barred & (code == 0)] = CODE[why]

    _eligible(ask, options, bar)
    times = _applicable(ask, options, bar)
    _rules(ask, options, "suitability", NOT_SUITABLE, bar)
    reason = of_member(code)
    return Eligibility(code, reason, held_out(ask, reason == 0), times)


def _eligible(ask: Ask, options: tuple[Option, ...], bar: Bar) -> None:
    members, push = ask.members, ask.push
    for channel in push.all_channels:
        mine = np.array([option.channel == channel for option in options], dtype=bool)
        found = never(channel, members, ask.policy, ask.suppressed)
        for why in (UNKNOWN_MEMBER, SUPPRESSED, NO_CONSENT):
            bar((found == CODE[why])[:, None] & mine, why)
    offers = [option.offer for option in options]
    for why, fits in (
        (NOT_VALID, [valid_at(offer, push.send_at) for offer in offers]),
        (OTHER_CHANNEL, [carries(option) for option in options]),
        (OUT_OF_STOCK, [offer.stock != 0 for offer in offers]),
    ):
        if not all(fits):
            bar(np.tile(~np.array(fits, dtype=bool), (len(members), 1)), why)
    _rules(ask, options, "eligibility", NOT_ELIGIBLE, bar)


def _applicable(ask: Ask, options: tuple[Option, ...], bar: Bar) -> SendTimes:
    members, push, policy = ask.members, ask.push, ask.policy
    offsets = utc_offsets(members, push.send_at, policy.timezone)
    if push.service:
        hours = policy.duplicate_hours
        bar(duplicates(hours, ask.contacts, push, options, len(members)), DUPLICATE)
    else:
        bar(over_caps(policy.caps, ask.contacts, push, options, offsets), FREQUENCY_CAP)
    times = send_times(push, policy, members, offsets, ask.hours)
    bar(~times.open, QUIET_HOURS)
    _rules(ask, options, "applicability", NOT_APPLICABLE, bar)
    return times


def never(
    channel: str, members: Members, policy: Policy, suppressed: frozenset[str]
) -> NDArray[np.uint8]:
    """(n,) why a member may not be contacted by ``channel`` by any push; 0 for one who may.

    Of somebody without features nobody knows a consent.
    """
    unsubscribed = members.column("unsubscribed")
    gone = np.zeros(len(members), dtype=bool) if unsubscribed is None else unsubscribed == 1
    if suppressed:
        gone |= np.array([member in suppressed for member in members.ids], dtype=bool)
    code = np.where(_consenting(channel, members, policy), 0, CODE[NO_CONSENT]).astype(np.uint8)
    code[gone] = CODE[SUPPRESSED]
    code[~members.known & (not policy.consent_when_missing)] = CODE[UNKNOWN_MEMBER]
    return code


def _consenting(channel: str, members: Members, policy: Policy) -> NDArray[np.bool_]:
    column = members.column(_CONSENT.get(channel, f"consent_{channel}"))
    if column is None:
        return np.full(len(members), policy.consent_when_missing)
    return np.where(np.isnan(column), policy.consent_when_missing, column == 1)


def held_out(ask: Ask, reached: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) members of ``reached`` on the side that gets nothing: of all pushes, or of this one."""
    policy, push, members = ask.policy, ask.push, ask.members
    held = np.zeros(len(members), dtype=bool)
    for share, purpose, subject in (
        (policy.global_holdout, "global holdout", ""),
        (push.holdout, "holdout", push.push_id),
    ):
        if share > 0:
            rows = np.flatnonzero(reached & ~held)
            held[rows] = uniforms(policy.salt, purpose, subject, members.named(rows)) < share
    return held


def _rules(ask: Ask, options: tuple[Option, ...], kind: str, why: str, bar: Bar) -> None:
    """Bar by the push's and each offer's rule of one kind."""
    push_rule = getattr(ask.push, kind)
    if push_rule:
        whose = f"{kind} of push {ask.push.push_id!r}"
        bar(~satisfies(push_rule, ask.members, whose), why)
    for offer in ask.offers:
        rule = getattr(offer, kind)
        if rule:
            fits = satisfies(rule, ask.members, f"{kind} of offer {offer.offer_id!r}")
            mine = np.array([option.offer is offer for option in options], dtype=bool)
            bar(~fits[:, None] & mine, why)


def satisfies(rule: str, members: Members, whose: str) -> NDArray[np.bool_]:
    """(n,) whom ``rule`` picks. Raises ``RuleError`` that names ``whose`` rule it is."""
    try:
        return matches(parse(rule), members.values, members.encoding, members.as_of)
    except RuleError as error:
        raise RuleError(f"{whose}: {error}") from error


def carries(option: Option) -> bool:
    """Whether the offer may go out by the option's channel."""
    return not option.offer.channels or option.channel in option.offer.channels


def valid_at(offer: Offer, moment: datetime) -> bool:
    """Whether ``moment`` lies in [valid_from, valid_to)."""
    begun = offer.valid_from is None or offer.valid_from <= moment
    return begun and (offer.valid_to is None or moment < offer.valid_to)


def expires_at(offer: Offer, push: Push) -> datetime:
    """When a decision for ``offer`` stops being good: the offer's end, else the push's window."""
    window_end = push.send_at + timedelta(days=push.attribution_days)
    return window_end if offer.valid_to is None else min(offer.valid_to, window_end)
