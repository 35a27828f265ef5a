"""Features of a member and an offer together: computed for the pairs asked, never stored.

Members times offers are too many to keep. At serving time ``models.pairs`` makes the same
quantities out of the member's own features.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir

from features import rolled
from features.affinity import category_interest
from features.contacts import attributed_outcomes, reached, sent_decisions
from features.errors import FeatureError
from features.moments import days_since, moment, newest, seconds
from features.tables import Tables, opened
from features.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

FEATURES = (
    "scope_interest", "scope_seen_days", "scope_bought_days", "offered_before", "offered_days",
)  # fmt: skip
_ASKED = ("row_id", "member_id", "offer_id", "as_of")
# Interest comes in whole billionths; added as such, its sum does not depend on the order of rows.
_UNIT = 1_000_000_000


def pairs(
    asked: ir.Table, interest: ir.Table, scopes: ir.Table, contacted: ir.Table, as_of: datetime
) -> ir.Table:
    """What is between a member and an offer, as known at ``as_of``.

    The scope of an offer is its categories and the categories of its items, see ``offer_scopes``.

    Args:
        asked: ``row_id`` (unique), ``member_id``, ``offer_id``; pairs may repeat.
        interest: of ``affinity.category_interest`` at the same ``as_of``.
        scopes: of ``offer_scopes``.
        contacted: of ``contacts.reached``.

    Returns:
        One row per row of ``asked``, with its ``row_id``.
        scope_interest: Σ over the categories of the offer's scope of the member's decayed interest
            (``interest__<c>`` of the view affinity, of all categories); 0 = none; missing = no
            version of the offer is known.
        scope_seen_days: days since the last view, search, wishlist or cart event in the scope.
        scope_bought_days: days since the last purchase in it. Both missing = never.
        offered_before: contacts of the member with this offer, life; 0 = none.
        offered_days: days since the last of them; missing = none.
    """
    known_offers = scopes.select("offer_id").distinct().mutate(known=True)
    joined = asked.select("row_id", "member_id", "offer_id")
    for part, key in (
        (_touched(joined, interest, scopes), "row_id"),
        (_offered(contacted), ("member_id", "offer_id")),
        (known_offers, "offer_id"),
    ):
        joined = joined.left_join(part, key)
        joined = joined.drop(*(name for name in joined.columns if name.endswith("_right")))
    met = joined.interest.fill_null(0).cast("float64") / _UNIT
    return joined.select(
        "row_id",
        scope_interest=joined.known.fill_null(False).ifelse(met, None),
        scope_seen_days=days_since(joined.seen, as_of),
        scope_bought_days=days_since(joined.bought, as_of),
        offered_before=joined.times.fill_null(0).cast("float64"),
        offered_days=days_since(seconds(joined.last_offered), as_of),
    )


def offer_scopes(offers: ir.Table, items: ir.Table) -> ir.Table:
    """The categories that each offer is about.

    Args:
        offers, items: the newest version of each, known at a moment.

    Returns:
        One row per offer and category: those it names, and those of the items it names. One row
        with a null category, for everything sold, where it names neither; with an empty one, for
        nothing, where it names items only and the category of none of them is known.
    """
    # Of a missing list, engines say no length or a length of -1: neither is above 0.
    bound = (offers.categories.length() > 0).fill_null(False)
    bound |= (offers.item_ids.length() > 0).fill_null(False)
    anything = offers.filter(~bound).select("offer_id", category=ibis.null("string"))
    nothing = offers.filter(bound).select("offer_id", category=ibis.literal(""))
    named = offers.select("offer_id", category=offers.categories.unnest())
    listed = offers.select("offer_id", item_id=offers.item_ids.unnest())
    of_items = listed.join(items.select("item_id", "category"), "item_id")
    of_items = of_items.filter(of_items.category.notnull()).select("offer_id", "category")
    return ibis.union(anything, nothing, named, of_items).distinct()


def _touched(asked: ir.Table, interest: ir.Table, scopes: ir.Table) -> ir.Table:
    """Per row asked: the member's interest in the offer's scope, and when they last met it."""
    scoped = asked.join(scopes, "offer_id")
    of_member = interest.select(
        of_member="member_id",
        of_category="category",
        units=(interest.interest * _UNIT).round().cast("int64"),
        seen="seen",
        bought="bought",
    )
    inside = scoped.category.isnull() | (scoped.category == of_member.of_category)
    met = scoped.join(of_member, [scoped.member_id == of_member.of_member, inside])
    return met.group_by("row_id").agg(
        interest=met.units.sum(), seen=met.seen.max(), bought=met.bought.max()
    )


def _offered(contacted: ir.Table) -> ir.Table:
    return contacted.group_by("member_id", "offer_id").agg(
        times=contacted.count(), last_offered=contacted.decided_at.max()
    )


def pair_frame(workspace: Workspace, rows: pd.DataFrame) -> pd.DataFrame:
    """The pair features of each member and offer asked, each row as of its own moment.

    Nothing needs to be built. Each distinct ``as_of`` is a pass over the events: round the moments
    of a long log down to days before asking.

    Args:
        rows: columns ``row_id`` (unique), ``member_id``, ``offer_id`` and ``as_of`` (times with an
            offset).

    Returns:
        The columns of ``rows`` and ``FEATURES``, float64, NaN for missing; one row per row asked,
        in the order asked, with the index of ``rows``.

    Raises:
        FeatureError: a column is missing, ``row_id`` is not unique, or a time has no offset.
    """
    import pandas as pd

    moments = _checked(rows)
    parts = []
    with opened(workspace) as tables:
        for as_of in sorted(moments.unique()):
            asked = rows.loc[(moments == as_of).to_numpy(), list(_ASKED[:3])]
            at = moment(as_of.to_pydatetime())
            parts.append(
                pairs_of(tables, ibis.memtable(asked.reset_index(drop=True)), at).execute()
            )
    found = pd.concat(parts).set_index("row_id").loc[rows["row_id"], list(FEATURES)]
    frame: pd.DataFrame = pd.concat([rows, found.astype("float64").set_axis(rows.index)], axis=1)
    return frame


def _checked(rows: pd.DataFrame) -> pd.Series[pd.Timestamp]:
    """The moments asked for, in UTC."""
    import pandas as pd

    for column in _ASKED:
        if column not in rows.columns:
            raise FeatureError(f"rows have no column {column!r}; found: {', '.join(rows.columns)}")
        if rows[column].isna().any():
            raise FeatureError(f"{column} is missing in a row; wanted a value in every row")
    if rows["row_id"].duplicated().any():
        raise FeatureError("row_id is not unique; number the rows")
    if not len(rows):
        raise FeatureError("no rows were asked for")
    moments = pd.to_datetime(rows["as_of"])
    if moments.dt.tz is None:
        raise FeatureError("as_of has no offset; give times in UTC")
    return moments.dt.tz_convert("UTC")


def pairs_of(tables: Tables, asked: ir.Table, as_of: datetime) -> ir.Table:
    """``pairs`` from the contract tables of a workspace, all ``asked`` as of one moment."""
    items = newest(tables.items, "item_id", as_of)
    touched = rolled.interest(rolled.typed(tables.events, rolled.phase(as_of)))
    outcomes = attributed_outcomes(tables.outcomes, tables.decisions)
    return pairs(
        asked,
        category_interest(touched, items, as_of),
        offer_scopes(newest(tables.offers, "offer_id", as_of), items),
        reached(sent_decisions(tables.decisions), outcomes, as_of),
        as_of,
    )
