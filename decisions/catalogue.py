"""What can be sent and how: offers and pushes, as decisions read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Self

from decisions.records import CatalogueError, read, written

MOST_DAYS = 3_650  # ten years: a window beyond them is a slip
MOST_HOURS = 168  # a message that may go out a week later is another push


@dataclass(frozen=True, slots=True)
class Offer:
    """Something a push can carry. Money is in the workspace's currency.

    value: percent for ``percent_off``, money for ``amount_off``, points for ``points``.
    categories, item_ids: the scope; both empty means everything sold.
    redemption_cost: per redemption, what the purchase's margin does not show (a gift, points).
    contact_cost: per message sent.
    channels: empty means any.
    stock: how many may be given; None means no limit.
    eligibility, applicability, suitability: rules over feature names; empty means everybody. Who
        may have it at all; for whom it makes sense now; for whom it is right.
    """

    offer_id: str
    kind: str
    value: float = 0.0
    min_spend: float = 0.0
    categories: tuple[str, ...] = ()
    item_ids: tuple[str, ...] = ()
    redemption_cost: float = 0.0
    contact_cost: float = 0.0
    channels: tuple[str, ...] = ()
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    stock: int | None = None
    eligibility: str = ""
    applicability: str = ""
    suitability: str = ""

    def __post_init__(self) -> None:
        for name in ("value", "min_spend", "redemption_cost", "contact_cost"):
            if not getattr(self, name) >= 0:
                raise CatalogueError(
                    f"{name} of offer {self.offer_id!r} is {getattr(self, name)}, wanted 0 or more"
                )
        for name in ("valid_from", "valid_to"):
            moment = getattr(self, name)
            if moment is not None and moment.tzinfo is None:
                raise CatalogueError(f"{name} of offer {self.offer_id!r} has no offset; add one")
        if self.kind == "percent_off" and self.value > 100:
            raise CatalogueError(f"offer {self.offer_id!r} takes {self.value} percent off")

    def to_json(self) -> dict[str, Any]:
        return written(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Missing and null fields take their defaults. Raises ``CatalogueError`` on others."""
        return read(cls, content)


@dataclass(frozen=True, slots=True)
class Option:
    """What a member can be sent: an offer by a channel."""

    offer: Offer
    channel: str


@dataclass(frozen=True, slots=True)
class PushLimits:
    """What a push has to keep beside its budget and size.

    per_member: most options one member gets.
    offer_caps, offer_floors: most and least contacts with an offer, by offer id.
    channel_caps, channel_floors: the same by channel.
    segment_caps, segment_floors: most and least members contacted of those whom a rule picks, by
        the rule: ``{'value_tier == "gold"': 2000}``.
    """

    per_member: int = 1
    offer_caps: Mapping[str, float] = field(default_factory=dict)
    offer_floors: Mapping[str, float] = field(default_factory=dict)
    channel_caps: Mapping[str, float] = field(default_factory=dict)
    channel_floors: Mapping[str, float] = field(default_factory=dict)
    segment_caps: Mapping[str, float] = field(default_factory=dict)
    segment_floors: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.per_member < 1:
            raise CatalogueError(f"per_member is {self.per_member}, wanted 1 or more")
        for name in (one.name for one in fields(self)[1:]):
            for key, limit in getattr(self, name).items():
                if not limit >= 0:
                    raise CatalogueError(f"{name} of {key!r} is {limit}, wanted 0 or more")

    def to_json(self) -> dict[str, Any]:
        return written(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Missing and null fields take their defaults. Raises ``CatalogueError`` on others."""
        return read(cls, content)


@dataclass(frozen=True, slots=True)
class Push:
    """One planned send.

    channel, channels: by which it may go out; ``channels`` are more of them.
    send_within_hours: how long after ``send_at`` a message may still go out; each member then gets
        it at an hour of their own. 0 sends to all at once.
    objective: ``margin`` or ``revenue`` (money) or ``conversions`` (a count).
    attribution_days: purchases this long after the send count as its outcome; at most 3,650.
    budget: most that contacts, coupons and redemptions may cost; None means no limit.
    min_audience, max_audience: members contacted.
    min_return: least gain per unit of cost, over everything that is sent.
    holdout: share of eligible members kept out so that the effect can be measured.
    exploration: share of choices drawn at random among the allowed options and no send.
    exploration_floor: the part of such a draw that is alike for all options; the rest prefers
        those that promise more. 1 draws all alike.
    exploration_budget: most that drawn choices may cost; None: as the share has it.
    safe_default: the offer that goes out where neither a model nor averages can tell anything; one
        of ``offer_ids``. Empty: then nothing is sent.
    service: a message that members need (a receipt, a changed flight): no frequency cap holds for
        it, but nobody gets it twice.
    eligibility, applicability, suitability: rules, as an offer has them, for all its offers.
    """

    push_id: str
    channel: str
    send_at: datetime
    offer_ids: tuple[str, ...]
    campaign_id: str = ""
    channels: tuple[str, ...] = ()
    send_within_hours: float = 0.0
    objective: str = "margin"
    attribution_days: float = 14.0
    budget: float | None = None
    max_audience: int | None = None
    min_audience: int | None = None
    min_return: float = 0.0
    holdout: float = 0.0
    exploration: float = 0.0
    exploration_floor: float = 0.5
    exploration_budget: float | None = None
    safe_default: str = ""
    service: bool = False
    eligibility: str = ""
    applicability: str = ""
    suitability: str = ""
    limits: PushLimits = field(default_factory=PushLimits)

    def __post_init__(self) -> None:
        if not self.offer_ids:
            raise CatalogueError(f"push {self.push_id!r} has no offers; list them in offer_ids")
        if self.send_at.tzinfo is None:
            raise CatalogueError(f"send_at of push {self.push_id!r} has no offset; add one")
        if self.objective not in ("margin", "revenue", "conversions"):
            raise CatalogueError(
                f"objective of push {self.push_id!r} is {self.objective!r}, "
                "wanted margin, revenue or conversions"
            )
        for name in ("holdout", "exploration", "exploration_floor"):
            if not 0 <= getattr(self, name) <= 1:
                raise CatalogueError(
                    f"{name} of push {self.push_id!r} is {getattr(self, name)}, wanted 0 to 1"
                )
        for name, most in (("attribution_days", MOST_DAYS), ("send_within_hours", MOST_HOURS)):
            if not 0 <= getattr(self, name) <= most:
                raise CatalogueError(
                    f"{name} of push {self.push_id!r} is {getattr(self, name)}, "
                    f"wanted 0 to {most:,}"
                )
        for name in ("budget", "max_audience", "min_audience", "min_return", "exploration_budget"):
            limit = getattr(self, name)
            if limit is not None and not limit >= 0:
                raise CatalogueError(
                    f"{name} of push {self.push_id!r} is {limit}, wanted 0 or more"
                )
        if self.safe_default and self.safe_default not in self.offer_ids:
            raise CatalogueError(
                f"safe_default of push {self.push_id!r} is {self.safe_default!r}, "
                f"wanted one of its offers: {', '.join(self.offer_ids)}"
            )
        self._check_limits()

    def _check_limits(self) -> None:
        known = {"offer": self.offer_ids, "channel": self.all_channels}
        for kind, names in known.items():
            for bound in ("caps", "floors"):
                for name in getattr(self.limits, f"{kind}_{bound}"):
                    if name not in names:
                        raise CatalogueError(
                            f"{kind}_{bound} of push {self.push_id!r} names {name!r}, "
                            f"which is not among its {kind}s: {', '.join(names)}"
                        )

    @property
    def all_channels(self) -> tuple[str, ...]:
        """Every channel it may go out by, the first one named first."""
        return tuple(dict.fromkeys((self.channel, *self.channels)))

    @property
    def send_until(self) -> datetime:
        """The last moment at which a message may go out."""
        return self.send_at + timedelta(hours=self.send_within_hours)

    def to_json(self) -> dict[str, Any]:
        return written(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Missing and null fields take their defaults. Raises ``CatalogueError`` on others."""
        return read(cls, content)


def offer_cap(push: Push, offer: Offer) -> float:
    """Most contacts with ``offer`` in ``push``: its stock or the push's cap, whichever is less."""
    stock = math.inf if offer.stock is None else offer.stock
    return min(stock, push.limits.offer_caps.get(offer.offer_id, math.inf))
