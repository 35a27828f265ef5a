"""What became of the sends of an experiment: what is told of its decisions, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
from ibis import _

from features.exposures import Counting, known_rows
from features.moments import newest, only
from features.tables import MONEY, NO_MONEY, Tables

if TYPE_CHECKING:
    import ibis.expr.types as ir

_SENT = ("sent", "delivered")
_TOLD = ("delivered", "opened", "clicked", "failed", "redeemed")


def decided(tables: Tables, exposed: ir.Table, counting: Counting) -> ir.Table:
    """The experiment's decisions inside each member's window, with what is told of each.

    An outcome names its decision, or member and push: then it speaks of the member's first
    decision in that push. It counts from its decision's moment to the end of the member's window.

    Returns:
        One row per decision: ``member_id``, ``push_id``, ``offer_id``; ``opening``, whether it is
        the member's first, or of that moment;
        ``sold``, ``revenue``, ``margin``: number and money of its conversions;
        ``sent``, ``delivered``, ``opened``, ``clicked``, ``failed``, ``redeemed``: whether that is
        told of it (what was delivered was sent); ``coupon``: money that coupons took off.
    """
    inside = exposed.select("member_id", "first", "until")
    made = known_rows(tables.decisions, counting, "decided_at").filter(
        _.experiment == counting.experiment_id
    )
    made = made.select("decision_id", "member_id", "push_id", "offer_id", "decided_at")
    made = made.join(inside, "member_id").filter(_.decided_at < _.until)
    told = _told(tables, made, counting)
    joined = made.left_join(told, "decision_id")
    counts = ("sold", "sent", *_TOLD)
    return joined.select(
        "member_id",
        "push_id",
        "offer_id",
        opening=joined.decided_at == joined["first"],
        **{name: joined[name].fill_null(0) for name in counts},
        **{name: joined[name].fill_null(NO_MONEY) for name in ("revenue", "margin", "coupon")},
    )


def _told(tables: Tables, made: ir.Table, counting: Counting) -> ir.Table:
    heard = known_rows(tables.outcomes, counting, "occurred_at").select(
        "type", "occurred_at", "value", "margin",
        named="decision_id", of_member="member_id", of_push="push_id",
    )  # fmt: skip
    columns = ("decision_id", "decided_at", "until", "type", "occurred_at", "value", "margin")
    by_id = heard.filter(_.named.notnull())
    by_pair = heard.filter(_.named.isnull())
    spoken_of = made.semi_join(
        by_pair, (made.member_id == by_pair.of_member) & (made.push_id == by_pair.of_push)
    )
    # Of several decisions of one moment it is the same one every time.
    earliest = ibis.struct({"at": spoken_of.decided_at, "id": spoken_of.decision_id})
    first = spoken_of.group_by("member_id", "push_id").agg(
        decision_id=spoken_of.decision_id.argmin(earliest),
        decided_at=spoken_of.decided_at.min(),
        until=spoken_of.until.min(),
    )
    found = ibis.union(
        by_id.join(made, by_id.named == made.decision_id).select(*columns),
        by_pair.join(
            first, (by_pair.of_member == first.member_id) & (by_pair.of_push == first.push_id)
        ).select(*columns),
    )
    found = found.filter(_.occurred_at >= _.decided_at, _.occurred_at < _.until)
    kind = found["type"]
    converted, redeemed = kind == "converted", kind == "redeemed"
    value = found.value.fill_null(NO_MONEY)
    share = (value.cast("float64") * counting.margin_rate).cast(MONEY)
    money = {
        "revenue": (value, converted),
        "margin": (ibis.coalesce(found.margin, share), converted),
        "coupon": (value, redeemed),
    }
    return found.group_by("decision_id").agg(
        sold=converted.cast("int64").sum(),
        sent=kind.isin(_SENT).cast("int64").max(),
        **{name: (kind == name).cast("int64").max() for name in _TOLD},
        **{name: only(one, where).sum().cast(MONEY) for name, (one, where) in money.items()},
    )


def by_member(tables: Tables, told: ir.Table, counting: Counting) -> ir.Table:
    """What the experiment's decisions came to, by member.

    A decision that chose an offer is a send unless it failed, or its push tells what was sent and
    not that this was; it reached the member likewise, where its push tells what was delivered. An
    opened message was sent and delivered, whatever else is told.

    A member's conversions have one source, so that no sale counts twice: what pushes report, where
    the push of the first decision reports any, else purchases. What an arm does later, or to whom
    a later push goes, cannot change the source.

    Args:
        told: of ``decided``.

    Returns:
        ``member_id``; ``sends``; ``reached``, ``opened``, ``clicked``: 0 or 1; ``redeemed``;
        ``cost``, of the contacts and of what was redeemed, beside the coupons; ``coupon``;
        ``reported``, whether reported conversions count and not purchases, 0 or 1; ``sold``,
        ``revenue``, ``margin`` of them, null where purchases count.
    """
    of_push = told.group_by("push_id").agg(
        reports=_.sold.max() > 0,
        tells_sent=_.sent.max() > 0,
        tells_delivered=_.delivered.max() > 0,
    )
    costs = newest(tables.offers, "offer_id", counting.as_of).select(
        "offer_id", "contact_cost", "redemption_cost"
    )
    told = told.join(of_push, "push_id").left_join(costs, "offer_id")
    chosen = told.offer_id.notnull() & (told.failed == 0)
    reacted = told.opened + told.clicked + told.redeemed
    sent = chosen & ((told.sent + reacted > 0) | ~told.tells_sent)
    reached = sent & ((told.delivered + reacted > 0) | ~told.tells_delivered)
    paid = {"contact_cost": sent, "redemption_cost": chosen & (told.redeemed > 0)}
    cost = sum(
        ((told[name].fill_null(NO_MONEY) * where.cast("int64")) for name, where in paid.items()),
        NO_MONEY,
    )
    found = told.group_by("member_id").agg(
        sends=sent.cast("int64").sum(),
        reached=reached.cast("int64").max(),
        opened=told.opened.max(),
        clicked=told.clicked.max(),
        redeemed=told.redeemed.sum(),
        cost=cost.sum().cast(MONEY),
        coupon=told.coupon.sum().cast(MONEY),
        reported=(told.opening & told.reports).cast("int64").max(),
        sold=told.sold.sum(),
        revenue=told.revenue.sum(),
        margin=told.margin.sum(),
    )
    reported = found.reported == 1
    return found.mutate(
        sold=only(found.sold, reported),
        **{name: only(found[name].cast(MONEY), reported) for name in ("revenue", "margin")},
    )
