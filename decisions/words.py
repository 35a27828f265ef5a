"""What each constraint of a push is worth, in words."""

from __future__ import annotations

from collections.abc import Iterator

from decisions.catalogue import Push
from decisions.policy import Prices

_STEP = 100


def in_words(push: Push, prices: Prices) -> tuple[str, ...]:
    """One sentence for each constraint that binds; the dearest things first named by kind.

    A price holds for small changes: the frontier shows what larger ones bring.
    """
    unit = " conversions" if push.objective == "conversions" else ""
    return tuple(_sentences(push, prices, unit))


def _sentences(push: Push, prices: Prices, unit: str) -> Iterator[str]:
    if prices.budget > 0:
        yield f"{_STEP} more budget earns {_amount(prices.budget)}{unit}"
    if prices.min_return > 0:
        yield (
            f"a required return of {push.min_return:g} costs {_amount(prices.min_return)}{unit} "
            f"for each {_STEP} of gain that it asks for"
        )
    yield from _count(prices.audience, "members in the audience", "min_audience", unit)
    for kind, known in (
        ("contacts with offer", prices.offers),
        ("contacts by", prices.channels),
        ("members where", prices.segments),
    ):
        for name, price in sorted(known.items(), key=lambda one: -abs(one[1])):
            yield from _count(price, f"{kind} {name}", "its floor", unit)


def _count(price: float, what: str, floor: str, unit: str) -> Iterator[str]:
    if price > 0:
        yield f"{_STEP} more {what} earn {_amount(price)}{unit}"
    elif price < 0:
        yield f"{floor} costs: {_STEP} fewer {what} earn {_amount(-price)}{unit}"


def _amount(price: float) -> str:
    amount = _STEP * price
    return f"{amount:,.0f}" if amount >= 10 else f"{amount:.3g}"
