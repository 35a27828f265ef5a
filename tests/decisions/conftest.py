"""A small world to decide in: hand-written members, offers and estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from decisions.catalogue import Offer, Push
from decisions.contacts import Contact, Contacts
from decisions.decide import Ask
from decisions.members import Members
from decisions.policy import Policy, Prices

SEND_AT = datetime(2026, 5, 1, 9, tzinfo=UTC)
AS_OF = datetime(2026, 5, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Names:
    """A hand-written encoding."""

    names: tuple[str, ...] = ("consent_push", "recency_days", "lifecycle", "contacts_7d")
    categories: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"lifecycle": ("active", "slipping")}
    )
    since: tuple[str, ...] = ("recency_days",)
    until: tuple[str, ...] = ()
    vocabulary: Mapping[str, str] = field(default_factory=dict)

    def code(self, name: str, value: str) -> float:
        values = self.categories[name]
        return float(values.index(value)) if value in values else float("nan")


@dataclass(frozen=True)
class Fixed:
    """Estimates given by hand: an uplift for each pair, everything else alike."""

    uplift: NDArray[np.float64]
    margin_each: float = 100.0
    redeemed: float = 0.0
    coupon_money: float = 0.0
    risk: float = 0.0
    value_each: float = 0.0
    channels: Mapping[str, tuple[float, str]] = field(default_factory=dict)

    @property
    def reliability(self) -> None:
        return None

    def channel_factor(self, channel: str) -> tuple[float, str]:
        return self.channels.get(channel, (1.0, "modelled"))

    def estimate(
        self, values: NDArray[np.float32], names: tuple[str, ...], offers: Sequence[Offer]
    ) -> FixedEstimates:
        assert len(self.uplift) in (1, len(values))  # one row stands for everybody
        return FixedEstimates(self, len(values), len(offers))


@dataclass(frozen=True)
class FixedEstimates:
    by: Fixed
    n: int
    m: int

    @property
    def p_if_not(self) -> NDArray[np.float64]:
        return np.full(self.n, 0.1)

    @property
    def p_if_sent(self) -> NDArray[np.float64]:
        return np.broadcast_to(self.by.uplift + 0.1, (self.n, self.m))

    @property
    def margin(self) -> NDArray[np.float64]:
        return np.full(self.n, self.by.margin_each)

    @property
    def revenue(self) -> NDArray[np.float64]:
        return 3 * self.margin

    @property
    def p_redeem(self) -> NDArray[np.float64]:
        return np.full((self.n, self.m), self.by.redeemed)

    @property
    def coupon(self) -> NDArray[np.float64]:
        return np.full((self.n, self.m), self.by.coupon_money)

    @property
    def spread(self) -> NDArray[np.float64]:
        return np.zeros(self.n)

    @property
    def p_unsubscribe(self) -> NDArray[np.float64]:
        return np.full(self.n, self.by.risk)

    @property
    def member_value(self) -> NDArray[np.float64]:
        return np.full(self.n, self.by.value_each)

    @property
    def evidence(self) -> tuple[str, ...]:
        return ("modelled",) * self.m


def members(*rows: tuple[float, ...]) -> Members:
    """Members m0, m1, …: consent_push, recency_days, lifecycle code, contacts_7d (else 0)."""
    values = np.array([(*row, 0.0)[:4] for row in rows], dtype=np.float32).reshape(len(rows), 4)
    ids = tuple(f"m{i}" for i in range(len(rows)))
    return Members(ids, values, np.ones(len(rows), dtype=bool), Names(), AS_OF)


def crowd(count: int) -> Members:
    """``count`` members to whom everything is allowed."""
    return members(*[(1.0, 30.0, 0.0)] * count)


def contacts(people: Members, *sent: tuple[str, float], **changes: object) -> Contacts:
    """Contacts of ``people``: who, and how many hours before ``SEND_AT``; each of its own push."""
    usual: dict[str, object] = {"offer_id": "ten", "channel": "push"}
    past = [
        Contact(
            **{  # type: ignore[arg-type]  # a test changes any part
                "member_id": member,
                "at": int(SEND_AT.timestamp() - 3_600 * hours),
                "push_id": f"past {number}",
                **usual,
                **changes,
            }
        )
        for number, (member, hours) in enumerate(sent)
    ]
    return Contacts.of(people.ids, past)


def push(**changes: object) -> Push:
    content: dict[str, object] = {
        "push_id": "spring", "channel": "push", "send_at": SEND_AT, "offer_ids": ["ten"],
    }  # fmt: skip
    return Push.from_json({**content, **changes})


def offer(offer_id: str = "ten", **changes: object) -> Offer:
    return Offer.from_json({"offer_id": offer_id, "kind": "percent_off", "value": 10, **changes})


def ask(people: Members, wanted: Push, *offers: Offer, **changes: object) -> Ask:
    parts: dict[str, object] = {
        "policy": Policy(salt="salt"), "prices": Prices(), "suppressed": frozenset(),
    }  # fmt: skip
    return Ask(push=wanted, offers=offers or (offer(),), members=people, **{**parts, **changes})  # type: ignore[arg-type]  # a test changes any part


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)
