"""What a release knows of one member, put together for a page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from dashboard.web.language import noted
from decisions.local_time import utc_offsets
from decisions.members import Members
from experiments.saying import Says
from models.lifetime_values import LifetimeValue
from serving.contacts import contacts_since
from serving.explanation_words import why
from serving.feature_words import Spoken, phrase
from serving.guard import barred
from serving.parts import Parts
from serving.release import Release

_INTEREST, _SEEN, _BOUGHT, _CONSENT = "interest__", "seen_days__", "bought_days__", "consent_"
_MOST_AFFINITIES = 8
OTHER = noted("Others")
# The first whose pattern fits the whole name takes a feature.
_GROUPS: Mapping[str, Sequence[str]] = {
    noted("Stage and worth"): ("lifecycle", "value_tier"),
    noted("Purchases"): (
        r"(recency|average|gap|overdue|refund|biggest|orders|spend)_\w+", r"[rfm]_quintile",
    ),
    noted("Prices and coupons"): (r"(discount|coupon)_\w+", "price_level"),
    noted("On the site and in the app"): (
        r"(sessions|views|searches|carts|abandoned|view_to|last_seen)_\w+",
        r"(evening|weekend|usual)_\w+", "device",
    ),
    noted("Interests"): (
        "(interest|seen_days|bought_days)__.+", "top_category", r"(novelty|taste)_\w+",
    ),
    noted("Membership"): (
        r"(tenure|points|consent)_\w+", "tier", "gender", "region", "timezone", "age",
    ),
    noted("Messages"): (
        r"(contacts|opens|clicks)_\w+", "ignored_in_row", "last_contact_days", "unsubscribed",
    ),
}  # fmt: skip
LIFECYCLES: Mapping[str, str] = {
    "never_bought": noted("never bought"), "new": noted("new"), "active": noted("active"),
    "loyal": noted("loyal"), "slipping": noted("slipping"), "lapsed": noted("lapsed"),
}  # fmt: skip
TIERS: Mapping[str, str] = {
    "gold": noted("gold"), "silver": noted("silver"), "bronze": noted("bronze"),
    "none": noted("none"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """One feature, in words and by its name."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Affinity:
    """seen, bought: days since; None: never."""

    category: str
    interest: float
    seen: float | None
    bought: float | None


@dataclass(frozen=True, slots=True)
class Allowance:
    """One frequency cap: how many contacts count now, of how many that it allows."""

    text: str
    used: int
    most: int

    @property
    def left(self) -> int:
        return max(self.most - self.used, 0)


@dataclass(frozen=True, slots=True)
class Channel:
    """consent: what the member said; None: never. barred: why nothing may go out by it now, in
    words; empty where something may."""

    channel: str
    consent: bool | None
    barred: str


@dataclass(frozen=True, slots=True)
class Profile:
    """One member, as the release in use knows them.

    worth: money that pushes expect of being able to reach the member, lost with an unsubscription;
        None where no model tells it. lifetime: what they are expected to buy, whatever is sent;
        unsaid: why there is none, in words, else empty.
    since: contacts of the log after the release was made.
    """

    known: Mapping[str, Spoken | None]
    worth: float | None
    lifetime: LifetimeValue | None
    unsaid: str
    affinities: Sequence[Affinity]
    since: int
    allowances: Sequence[Allowance]
    channels: Sequence[Channel]
    groups: Mapping[str, Sequence[Told]]

    def number(self, name: str) -> float | None:
        """A feature that is a number; None where it is missing or there is none."""
        value = self.known.get(name)
        return value if isinstance(value, float) else None

    def word(self, name: str) -> str:
        """A feature that is a category; empty where it is missing or there is none."""
        value = self.known.get(name)
        return value if isinstance(value, str) else ""


def profile(parts: Parts, release: Release, member: str, at: datetime, says: Says) -> Profile:
    """Of a member whom the log or the release knows; of a stranger it is empty.

    Raises:
        LogUnavailable: the log cannot be read.
    """
    known = release.features_of(member)
    one = _alone(release, member)
    allowances, since = _allowances(parts, release, one, at, says)
    lifetime = release.lifetime_value_of(member)
    return Profile(
        known=known,
        worth=_worth(release, one) if known else None,
        lifetime=lifetime,
        unsaid=_unsaid(release, says) if lifetime is None else "",
        affinities=affinities(known, release.encoding.vocabulary),
        since=since,
        allowances=allowances,
        channels=_channels(parts, release, member, says),
        groups=grouped(known, says),
    )


def affinities(
    known: Mapping[str, Spoken | None], vocabulary: Mapping[str, str]
) -> Sequence[Affinity]:
    """The categories of most interest, as the data call them; those of none are left out."""
    found = []
    for category, inside in vocabulary.items():
        interest = known.get(_INTEREST + inside)
        if isinstance(interest, float) and interest > 0:
            seen, bought = known.get(_SEEN + inside), known.get(_BOUGHT + inside)
            found.append(Affinity(category, interest, _days(seen), _days(bought)))
    found.sort(key=lambda one: -one.interest)
    return found[:_MOST_AFFINITIES]


def grouped(known: Mapping[str, Spoken | None], says: Says) -> Mapping[str, Sequence[Told]]:
    """Every feature in words, by what it is about; groups without any are left out."""
    found: dict[str, list[Told]] = {title: [] for title in (*_GROUPS, OTHER)}
    for name, value in known.items():
        found[_group(name)].append(Told(name, phrase(name, value, says)))
    return {title: lines for title, lines in found.items() if lines}


def _group(name: str) -> str:
    for title, patterns in _GROUPS.items():
        if any(re.fullmatch(pattern, name) for pattern in patterns):
            return title
    return OTHER


def _days(value: Spoken | None) -> float | None:
    return value if isinstance(value, float) else None


def _alone(release: Release, member: str) -> Members:
    rows = release.snapshot.rows([member])
    values = release.snapshot.take(rows)
    return Members((member,), values, rows >= 0, release.encoding, release.snapshot.as_of)


def _worth(release: Release, one: Members) -> float | None:
    offers = tuple(release.offers.values())[:1]
    if not offers:
        return None
    value = release.estimator.estimate(one.values, one.encoding.names, offers).member_value[0]
    return float(value) if np.isfinite(value) else None


_NEVER_BOUGHT = noted(
    "Cannot say what they will buy: they had not bought by the release's moment, and the model of "
    "lifetime values knows members by their purchases."
)
_NO_VALUES = noted(
    "Cannot say what they will buy: no model of lifetime values served when the release was built. "
    "Train one by %(train)s, then build a release by %(build)s."
)


def _unsaid(release: Release, says: Says) -> str:
    if release.lifetime_values is None:
        return says(_NO_VALUES, train="pushwise train clv", build="pushwise release build")
    return says(_NEVER_BOUGHT)


def _allowances(
    parts: Parts, release: Release, one: Members, at: datetime, says: Says
) -> tuple[Sequence[Allowance], int]:
    """What each cap leaves at ``at``, and how many contacts the release does not know yet."""
    later = contacts_since(parts.log, one.ids, release)
    contacts = release.contacts.of_members(release.snapshot.rows(one.ids)).plus(later)
    moment = int(at.timestamp())
    offsets = utc_offsets(one, at, release.policy.timezone)
    counts = ~contacts.service & (contacts.at <= moment)
    found = []
    for cap in release.policy.caps:
        inside = counts & (contacts.at >= cap.since(moment, offsets)[contacts.member])
        if cap.scope == "all":
            used = int(inside.sum())
        else:
            names = (cap.name,) if cap.name else contacts.names[cap.scope]
            used = max(
                (int((inside & contacts.are(cap.scope, name)).sum()) for name in names), default=0
            )
        found.append(
            Allowance(_cap(cap.scope, cap.name, (cap.days, cap.hours), says), used, cap.most)
        )
    return found, len(later)


_CAPS = {
    "all": noted("all messages"), "channel": noted("messages by one channel"),
    "campaign": noted("messages of one campaign"), "push": noted("messages of one push"),
    "offer": noted("messages with one offer"),
}  # fmt: skip


_WINDOWS = (noted("%(what)s, %(days)s days"), noted("%(what)s, %(hours)s hours"))


def _cap(scope: str, name: str, window: tuple[int | None, float | None], says: Says) -> str:
    days, hours = window
    what = says(_CAPS[scope]) + (f" ({name})" if name else "")
    if days is not None:
        return says(_WINDOWS[0], what=what, days=days)
    return says(_WINDOWS[1], what=what, hours=f"{hours:g}")


def _channels(parts: Parts, release: Release, member: str, says: Says) -> Sequence[Channel]:
    """Every channel that a push or a consent names, and whether it may be used."""
    known = release.features_of(member)
    pushed = (channel for push in release.pushes.values() for channel in push.all_channels)
    asked = (name.removeprefix(_CONSENT) for name in known if name.startswith(_CONSENT))
    found = []
    for channel in sorted({*pushed, *asked}):
        said = known.get(_CONSENT + channel)
        code = barred(parts.log, release, {channel: [member]}).reasons.get(member, "")
        found.append(
            Channel(channel, None if said is None else said == 1.0, why(code, says) if code else "")
        )
    return found
