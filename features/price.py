"""Price features: whether a member waits for a discount, and how deep it had to be."""

from __future__ import annotations

from datetime import datetime

import ibis
import ibis.expr.types as ir

from features.contacts import reached

NO_COUPON = "content"  # the kind of an offer that there is nothing to redeem of


def price(
    roster: ir.Table,
    habits: ir.Table,
    sent: ir.Table,
    outcomes: ir.Table,
    offers: ir.Table,
    as_of: datetime,
) -> ir.Table:
    """How much each member of ``roster`` buys for the price, as known at ``as_of``.

    A line's gross value is what it cost before its discount. A coupon is a contact (see the view
    contacts) whose offer is not of kind ``content``, as the newest version of the offer known by
    then has it; an offer of which none is known counts as a coupon.

    Args:
        habits: of ``purchases.purchase_habits`` at the same ``as_of``.
        sent: of ``contacts.sent_decisions``.
        outcomes: of ``contacts.attributed_outcomes``.
        offers: the newest version of each offer known at ``as_of``.

    Returns:
        One row per member.
        discount_share: gross value bought on lines with a discount / gross value bought, life;
            missing without a purchase of gross value above 0.
        discount_depth: Σ discount / Σ gross value over the lines bought with a discount, life; 0 =
            always paid the full price; missing without a purchase of gross value above 0.
        coupon_redemption: of the member's coupons, life, the share known to be redeemed; missing =
            never sent a coupon.
    """
    joined = roster.left_join(habits, "member_id").drop("member_id_right")
    used = _coupons(reached(sent, outcomes, as_of), offers)
    joined = joined.left_join(used, "member_id").drop("member_id_right")
    gross = joined.gross.cast("float64").nullif(0.0)
    reduced = joined.discounted.cast("float64")
    depth = joined.discount.cast("float64") / reduced.nullif(0.0)
    return joined.select(
        "member_id",
        discount_share=reduced / gross,
        discount_depth=gross.notnull().ifelse(depth.fill_null(0.0), None),
        coupon_redemption=joined.redeemed.cast("float64") / joined.coupons.cast("float64"),
    )


def _coupons(contacted: ir.Table, offers: ir.Table) -> ir.Table:
    """Per member: coupons they were sent, and those of them known to be redeemed."""
    plain = offers.filter(offers.kind == NO_COUPON).select("offer_id")
    coupons = contacted.anti_join(plain, "offer_id")
    return coupons.group_by("member_id").agg(coupons=ibis._.count(), redeemed=ibis._.redeemed.sum())
