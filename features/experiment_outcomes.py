"""What came of the members of an experiment: each outcome once, and only after exposure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import ibis

from features.experiment_sales import GONE, bought, gone
from features.experiment_sends import by_member, decided
from features.exposures import Counting, length
from features.moments import only
from features.tables import MONEY, NO_MONEY, Tables

if TYPE_CHECKING:
    import ibis.expr.types as ir

Keep = Callable[[str, "ir.Table"], "ir.Table"]


def members_outcomes(tables: Tables, exposed: ir.Table, counting: Counting, keep: Keep) -> ir.Table:
    """What came of each member of the experiment.

    A member's conversions are the reported ones where the push of the first decision reports any,
    else the orders inside the window of which refunds leave something.

    Args:
        exposed: of ``exposures``.
        keep: stores a table under a name and gives it back.

    Returns:
        The columns of ``exposed`` and ``complete``, whether the window had passed; and, per
        member, 0 where nothing happened: ``gain`` (margin less cost), ``margin``, ``revenue``,
        ``converted``, ``conversions``, ``cost``, ``coupon``, ``sends``, ``reached``, ``opened``,
        ``clicked``, ``redeemed``, ``unsubscribed``, ``complained``, ``judged`` (the deciding
        metric within the cap); ``reported``, whether conversions are the reported ones, and
        ``sold``, how many of these; ``before_margin``, ``before_revenue``, ``before_converted``,
        ``before_judged``. Money is exact.
    """
    told = keep("experiment_decided", decided(tables, exposed, counting))
    pushed = keep("experiment_pushed", by_member(tables, told, counting))
    windows = exposed.select("member_id", "first", "until").left_join(
        pushed.select("member_id", "reported"), "member_id"
    )
    windows = windows.select(
        "member_id", "first", "until",
        bought_from=only(windows["first"], windows.reported == 0),
        since=windows["first"] - length(counting.before_days),
    )  # fmt: skip
    # Computed once a member, not once a line: moments in a time zone are slow to reckon with.
    sold = bought(tables, keep("experiment_windows", windows), counting)
    sold = sold.rename(bought_revenue="revenue", bought_margin="margin")
    left = gone(tables, exposed.select("member_id", "first", "until"), counting)
    joined = exposed
    for part in (pushed, sold, left):
        joined = joined.left_join(part, "member_id").drop("member_id_right")
    whole = {
        name: joined[name].fill_null(0).cast("int64")
        for name in ("sends", "reached", "opened", "clicked", "redeemed", "sold", "reported", *GONE)
    }
    money = {
        name: joined[name].fill_null(NO_MONEY)
        for name in ("cost", "coupon", "before_revenue", "before_margin")
    }
    revenue, margin = (
        (joined[name].fill_null(NO_MONEY) + joined[f"bought_{name}"].fill_null(NO_MONEY)).cast(
            MONEY
        )
        for name in ("revenue", "margin")
    )
    conversions = whole["sold"] + joined.orders.fill_null(0)
    found = joined.select(
        *exposed.columns,
        complete=joined.until <= ibis.literal(counting.as_of),
        gain=(margin - money["cost"]).cast(MONEY),
        margin=margin,
        revenue=revenue,
        converted=(conversions > 0).cast("int64"),
        conversions=conversions.cast("int64"),
        before_converted=(joined.before_orders.fill_null(0) > 0).cast("int64"),
        **whole,
        **money,
    )
    return found.mutate(
        judged=_capped(found[counting.metric], counting.cap),
        before_judged=_capped(found[counting.covariate], counting.cap),
    )


def _capped(column: ir.NumericColumn, cap: float | None) -> ir.NumericValue:
    if cap is None:
        return column
    most = ibis.literal(str(cap)).cast(MONEY)
    return ibis.least(ibis.greatest(column, -most), most).cast(MONEY)
