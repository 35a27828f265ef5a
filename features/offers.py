"""Offer features: what an offer gives, what it costs, and how members took it so far."""

from __future__ import annotations

from datetime import datetime

import ibis.expr.types as ir

from features.contacts import reached
from features.moments import days_since, seconds, within

RATES = {
    "open_rate": "opened",
    "click_rate": "clicked",
    "redemption_rate": "redeemed",
    "conversion_rate": "converted",
}


def offers(offers: ir.Table, sent: ir.Table, outcomes: ir.Table, as_of: datetime) -> ir.Table:
    """Terms and past response of each offer, as known at ``as_of``.

    Contacts are those of the view contacts: decisions for the offer that are not known to have
    failed. Rates are shares of the offer's contacts, life.

    Args:
        offers: the newest version of each offer known at ``as_of``.
        sent: of ``contacts.sent_decisions``.
        outcomes: of ``contacts.attributed_outcomes``.

    Returns:
        One row per offer.
        kind: as given, such as ``percent_off``.
        value: percent, money or points, as the kind has it.
        min_spend: the least spend that it holds for, currency.
        redemption_cost, contact_cost: what a redemption, a contact costs, currency.
        stock: how many there are; missing = unlimited.
        valid_days: days until it ends; below 0 = it has ended; missing = no end.
        contacts_30d, contacts_life: contacts in the window; 0 = none.
        open_rate, click_rate, redemption_rate, conversion_rate: share of its contacts known to be
            opened, clicked, redeemed, converted; missing = never sent.
    """
    contacted = reached(sent, outcomes, as_of)
    response = contacted.group_by("offer_id").agg(
        contacts_30d=within(contacted.decided_at, as_of, 30).sum(),
        contacts_life=contacted.count(),
        **{type_: contacted[type_].sum() for type_ in RATES.values()},
    )
    joined = offers.left_join(response, "offer_id")
    return joined.select(
        "offer_id",
        "kind",
        value=joined.value,
        **{name: joined[name].cast("float64") for name in _MONEY},
        stock=joined.stock.cast("float64"),
        valid_days=-days_since(seconds(joined.valid_to), as_of),
        contacts_30d=joined.contacts_30d.fill_null(0).cast("float64"),
        contacts_life=joined.contacts_life.fill_null(0).cast("float64"),
        **{
            name: joined[type_].cast("float64") / joined.contacts_life.cast("float64")
            for name, type_ in RATES.items()
        },
    )


_MONEY = ("min_spend", "redemption_cost", "contact_cost")
