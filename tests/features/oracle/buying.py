"""Purchases, price and lifecycle once more, slowly and plainly."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction

from tests.features.oracle.contacts import contacts_of, reactions
from tests.features.oracle.knowledge import Features, Known, Row, exact, money, share, worth

WINDOWS = (7, 30, 90, 365)
_EQUAL = Fraction(1, 10**9)  # two lateness this near are equal: logarithms are never exact


@dataclass(frozen=True)
class Order:
    """The purchase lines of a member with one order id, or one line without.

    at: the moment of its first line. amount: gross − discount.
    """

    at: datetime
    amount: Fraction


@dataclass(frozen=True)
class Buyer:
    """What a member bought, took back, and when."""

    bought: list[Row]
    refunds: list[Row]
    orders: list[Order]

    @property
    def last(self) -> datetime | None:
        return max((line["occurred_at"] for line in self.bought), default=None)

    @property
    def last_second(self) -> datetime:
        assert self.last is not None
        return self.last.replace(microsecond=0)

    @property
    def paid(self) -> Fraction:
        return sum((order.amount for order in self.orders), Fraction(0))

    @property
    def buying_days(self) -> list[date]:
        return sorted({order.at.astimezone(UTC).date() for order in self.orders})

    @property
    def gaps(self) -> list[int]:
        return [(later - day).days for day, later in itertools.pairwise(self.buying_days)]

    @property
    def mean_gap(self) -> Fraction | None:
        return share(sum(self.gaps), len(self.gaps))

    def orders_within(self, known: Known, days: int) -> list[Order]:
        return [order for order in self.orders if known.within(order.at, days)]

    def spend(self, since: datetime) -> Fraction:
        """Amounts less refunds, each at its own moment."""
        total = Fraction(0)
        for line in self.bought:
            total += amount(line) if line["occurred_at"] >= since else 0
        for line in self.refunds:
            total -= worth(line) if line["occurred_at"] >= since else 0
        return total


def amount(line: Row) -> Fraction:
    return worth(line) - money(exact(line.get("discount")))


def buyers(known: Known) -> dict[str, Buyer]:
    """The buyer in every member of the roster."""
    return {member: _buyer(known.of(member)) for member in known.roster}


def _buyer(events: list[Row]) -> Buyer:
    bought = [event for event in events if event["type"] == "purchase"]
    refunds = [event for event in events if event["type"] == "refund"]
    of_order: dict[str, list[Row]] = defaultdict(list)
    for line in bought:
        of_order[line.get("order_id") or line["event_id"]].append(line)
    orders = [
        Order(min(line["occurred_at"] for line in lines), sum(map(amount, lines), Fraction(0)))
        for lines in of_order.values()
    ]
    return Buyer(bought, refunds, orders)


def purchases(known: Known) -> dict[str, Features]:
    """``features.purchases.purchases``."""
    everyone = buyers(known)
    answer: dict[str, Features] = {}
    for member, buyer in everyone.items():
        recency = known.days_since(buyer.last)
        counts = {f"orders_{days}d": len(buyer.orders_within(known, days)) for days in WINDOWS}
        spend = {
            f"spend_{days}d": buyer.spend(known.as_of - timedelta(days=days)) for days in WINDOWS
        }
        mean = buyer.mean_gap
        several = len(buyer.gaps) > 1
        biggest = max((order.amount for order in buyer.orders), default=Fraction(0))
        refunded = sum(map(worth, buyer.refunds), Fraction(0))
        answer[member] = {
            "recency_days": recency,
            **{name: Fraction(count) for name, count in counts.items()},
            "orders_life": Fraction(len(buyer.orders)),
            **spend,
            "spend_life": buyer.spend(datetime.min.replace(tzinfo=UTC)),
            "average_order": share(buyer.paid, len(buyer.orders)),
            "gap_mean_days": mean,
            "gap_sd_days": statistics.stdev(map(float, buyer.gaps)) if several else None,
            "overdue_ratio": None if mean is None or recency is None else recency / mean,
            "refund_share": share(refunded, buyer.paid),
            "biggest_order_share": share(biggest, buyer.paid),
            **_quintiles(known, buyer, everyone),
        }
    return answer


def _quintiles(known: Known, one: Buyer, everyone: dict[str, Buyer]) -> Features:
    year = known.as_of - timedelta(days=365)
    among = [buyer for buyer in everyone.values() if buyer.orders]
    if not one.orders:
        return dict.fromkeys(("r_quintile", "f_quintile", "m_quintile"))
    last = [buyer.last_second for buyer in among]
    orders = [len(buyer.orders_within(known, 365)) for buyer in among]
    spend = [buyer.spend(year) for buyer in among]
    place = among.index(one)
    return {
        "r_quintile": _quintile(last[place], last),
        "f_quintile": _quintile(orders[place], orders),
        "m_quintile": _quintile(spend[place], spend),
    }


def _quintile(
    one: object, among: list[object] | list[datetime] | list[int] | list[Fraction]
) -> Fraction:
    """1 to 5 of five equal parts: the part in which the middle of all that equal ``one`` lies."""
    below = sum(other < one for other in among)  # type: ignore[operator]
    equal = sum(other == one for other in among)
    middle = Fraction(2 * below + equal, 2 * len(among))
    return Fraction(min(int(middle * 5), 4) + 1)


def price(known: Known) -> dict[str, Features]:
    """``features.price.price``."""
    told = reactions(known)
    answer: dict[str, Features] = {}
    for member, buyer in buyers(known).items():
        reduced = [line for line in buyer.bought if exact(line.get("discount")) > 0]
        gross = sum(map(worth, buyer.bought), Fraction(0))
        reduced_gross = sum(map(worth, reduced), Fraction(0))
        discount = sum((money(exact(line["discount"])) for line in reduced), Fraction(0))
        coupons = [
            told[contact["decision_id"]]
            for contact in contacts_of(known)
            if contact["member_id"] == member
            and known.offers.get(contact["offer_id"], {"kind": "unknown"})["kind"] != "content"
        ]
        depth = share(discount, reduced_gross) or Fraction(0)
        answer[member] = {
            "discount_share": share(reduced_gross, gross),
            "discount_depth": depth if gross else None,
            "coupon_redemption": share(sum("redeemed" in of for of in coupons), len(coupons)),
        }
    return answer


def lifecycle(known: Known, worth: Mapping[str, float] | None = None) -> dict[str, Features]:
    """``features.lifecycle.lifecycle``. ``worth``: what members are expected to spend."""
    everyone = buyers(known)
    means = [buyer.mean_gap for buyer in everyone.values() if buyer.mean_gap is not None]
    usual = statistics.median(means) if means else Fraction(90)
    tiers = _tiers(known, everyone, worth or {})
    return {
        member: {"lifecycle": _stage(known, buyer, usual), "value_tier": tiers[member]}
        for member, buyer in everyone.items()
    }


def _stage(known: Known, buyer: Buyer, usual: Fraction) -> str:
    if not buyer.orders:
        return "never_bought"
    if known.within(min(order.at for order in buyer.orders), 30):
        return "new"
    recency = known.days_since(buyer.last)
    assert recency is not None
    lateness = recency / max(_expected_gap(buyer, usual), Fraction(7))
    if lateness > 3 + _EQUAL:
        return "lapsed"
    if lateness > Fraction(3, 2) + _EQUAL:
        return "slipping"
    lately = {order.at.astimezone(UTC).date() for order in buyer.orders_within(known, 365)}
    return "loyal" if len(lately) >= 4 else "active"


def _expected_gap(buyer: Buyer, usual: Fraction) -> Fraction:
    """The (n + 1)th root of (own mean gap to the nth power × the usual gap)."""
    n = len(buyer.gaps)
    product = (buyer.mean_gap or Fraction(1)) ** n * usual
    with localcontext() as context:
        context.prec = 40
        number = Decimal(product.numerator) / Decimal(product.denominator)
        return Fraction((number.ln() / (n + 1)).exp())


def _tiers(known: Known, everyone: dict[str, Buyer], worth: Mapping[str, float]) -> dict[str, str]:
    year = known.as_of - timedelta(days=365)
    among = {name: buyer for name, buyer in everyone.items() if buyer.orders_within(known, 365)}
    best_first = sorted(among)

    def best(name: str) -> tuple[float, Fraction, datetime]:
        expected = round(math.log(worth[name]), 9) if worth.get(name) else -math.inf
        return expected, among[name].spend(year), among[name].last_second

    best_first.sort(key=best, reverse=True)
    tiers = dict.fromkeys(everyone, "none")
    for better, name in enumerate(best_first):
        ahead = Fraction(better, len(best_first))
        tiers[name] = (
            "gold" if ahead < Fraction(1, 10) else "silver" if ahead < Fraction(2, 5) else "bronze"
        )
    return tiers
