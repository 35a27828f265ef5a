"""What can be sent and how: offers and pushes, as decisions read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from datetime import datetime
from typing import Any, Self

from decisions.errors import DecisionError

MOST_DAYS = 3_650  # ten years: a window beyond them is a slip


class CatalogueError(DecisionError):
    """An offer or a push that does not make sense."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Something a push can carry. Money is in the workspace's currency.

    value: percent for ``percent_off``, money for ``amount_off``, points for ``points``.
    categories, item_ids: the scope; both empty means everything sold.
    redemption_cost: per redemption, what the purchase's margin does not show (a gift, points).
    contact_cost: per message sent.
    channels: empty means any.
    stock: how many may be given; None means no limit.
    eligibility: a rule over feature names; empty means everybody.
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
        return _to_json(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Missing and null fields take their defaults. Raises ``CatalogueError`` on others."""
        return cls(**_fields(cls, content))


@dataclass(frozen=True, slots=True)
class Push:
    """One planned send.

    objective: ``margin`` or ``revenue`` (money) or ``conversions`` (a count).
    attribution_days: purchases this long after the send count as its outcome; at most 3,650.
    budget: most that contacts, coupons and redemptions may cost; None means no limit.
    min_return: least gain per unit of cost of a contact.
    holdout: share of eligible members kept out so that the effect can be measured.
    exploration: share of choices made at random among the eligible offers and no send.
    """

    push_id: str
    channel: str
    send_at: datetime
    offer_ids: tuple[str, ...]
    campaign_id: str = ""
    objective: str = "margin"
    attribution_days: float = 14.0
    budget: float | None = None
    max_audience: int | None = None
    min_audience: int | None = None
    min_return: float = 0.0
    holdout: float = 0.0
    exploration: float = 0.0
    eligibility: str = ""

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
        for name in ("holdout", "exploration"):
            if not 0 <= getattr(self, name) <= 1:
                raise CatalogueError(
                    f"{name} of push {self.push_id!r} is {getattr(self, name)}, wanted 0 to 1"
                )
        if not 0 <= self.attribution_days <= MOST_DAYS:
            raise CatalogueError(
                f"attribution_days of push {self.push_id!r} is {self.attribution_days}, "
                f"wanted 0 to {MOST_DAYS:,}"
            )
        for name in ("budget", "max_audience", "min_audience", "min_return"):
            limit = getattr(self, name)
            if limit is not None and not limit >= 0:
                raise CatalogueError(
                    f"{name} of push {self.push_id!r} is {limit}, wanted 0 or more"
                )

    def to_json(self) -> dict[str, Any]:
        return _to_json(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Missing and null fields take their defaults. Raises ``CatalogueError`` on others."""
        return cls(**_fields(cls, content))


_TIMES = {"valid_from", "valid_to", "send_at"}
_LISTS = {"categories", "item_ids", "channels", "offer_ids"}
_NUMBERS = {
    "value", "min_spend", "redemption_cost", "contact_cost", "attribution_days", "budget",
    "min_return", "holdout", "exploration",
}  # fmt: skip
_COUNTS = {"stock", "max_audience", "min_audience"}


def _to_json(record: Offer | Push) -> dict[str, Any]:
    content = asdict(record)
    for name, value in content.items():
        if isinstance(value, datetime):
            content[name] = value.isoformat()
        elif isinstance(value, tuple):
            content[name] = list(value)
    return content


def _fields(cls: type[Offer] | type[Push], content: Mapping[str, Any]) -> dict[str, Any]:
    known = {field.name for field in fields(cls)}
    required = [f.name for f in fields(cls) if f.default is MISSING]
    missing = [name for name in required if content.get(name) is None]
    if missing:
        raise CatalogueError(f"{cls.__name__.lower()} needs {missing[0]!r}")
    unknown = sorted(set(content) - known)
    if unknown:
        raise CatalogueError(
            f"{cls.__name__.lower()} has no field {unknown[0]!r}; known: {', '.join(sorted(known))}"
        )
    try:
        return {name: _typed(name, value) for name, value in content.items() if value is not None}
    except (ValueError, TypeError) as error:
        raise CatalogueError(f"{cls.__name__.lower()} does not read: {error}") from error


def _typed(name: str, value: Any) -> Any:
    if name in _TIMES:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        if not isinstance(moment, datetime):
            raise TypeError(f"{name} is {moment}, wanted a time such as 2026-05-01T09:30:00+08:00")
        return moment
    if name in _LISTS:
        if isinstance(value, str):
            raise TypeError(f"{name} is text, wanted a list")
        return tuple(str(part) for part in value)
    if name in _NUMBERS:
        return float(value)
    if name in _COUNTS:
        return int(value)
    return str(value)
