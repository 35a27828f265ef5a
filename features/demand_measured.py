"""Demand counted: what members want, who of them goes without, and what the catalogue holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import ibis
import ibis.expr.types as ir

from features.demand_cells import Cells, Shelves, cells_of
from features.demand_segments import segments
from features.demand_supply import earnings, judged, sold_out, supply, tells_supply
from features.demand_wants import (
    BUYING,
    WANTING,
    Windows,
    assortment,
    band_edges,
    by_need,
    looks,
    priced_items,
    ranges,
    wanted,
)
from features.moments import newest, seen_at
from features.progress import Progress
from features.tables import Tables, any_row
from features.workspace import Workspace

STAGE, STEPS = "demand", 4
_ALWAYS_FOR_SALE = (
    "no item was ever delisted or sold out: every item counts as for sale, and members go unserved "
    "only at prices that no item has"
)
_EARNS_NOTHING = (
    "no need earns anything as far as amounts, prices and margin rates tell, so that none can be "
    "ranked and nothing is found"
)


@dataclass(frozen=True, eq=False)
class Measured:
    """What there is to judge.

    placed: of ``demand_supply.judged``, with ``segment_0``, … of each member who had a segment.
    newcomers: members with a need who had none.
    purchases_alone: nothing tells what was wanted but what was bought.
    unmet_cannot_say: why nobody can tell who goes without; empty = it can be told.
    notes: what limits the answer.
    """

    placed: ir.Table
    cells: Cells
    shelves: Shelves
    newcomers: int
    purchases_alone: bool
    unmet_cannot_say: str
    notes: tuple[str, ...]


def measured(
    workspace: Workspace,
    tables: Tables,
    windows: Windows,
    names: tuple[str, ...],
    progress: Progress,
) -> Measured:
    """Count the demand of both windows by the segments ``names``, as of their start.

    Raises:
        SegmentError: members cannot be told apart by ``names``.
    """
    keep = tables.engine.keep
    known = newest(tables.items, "item_id", windows.as_of)
    kinds, left_out = _recorded(tables, windows)
    rows = keep("demand_wanted", wanted(tables, known, windows, kinds))
    progress(STAGE, 1, STEPS)
    looked = keep("demand_looks", looks(rows, windows))
    edges = keep("demand_edges", band_edges(looked))
    items = keep("demand_items", priced_items(known, rows))
    gone = keep("demand_sold_out", sold_out(tables, windows.as_of))
    on_sale = keep("demand_supply", supply(items, gone, edges, windows))
    needs = keep("demand_needs", judged(by_need(looked, edges), rows, on_sale, windows))
    progress(STAGE, 2, STEPS)
    stood = segments(workspace, tables, names, windows.start)
    # By number: an attribute may have any name.
    numbered = {f"segment_{number}": stood[name] for number, name in enumerate(names)}
    stood = stood.select("member_id", **numbered)
    placed = keep("demand_placed", needs.join(stood, "member_id"))
    progress(STAGE, 3, STEPS)
    rate = workspace.conventions.default_margin_rate
    last = on_sale.filter(on_sale.day == windows.days - 1)
    earned = earnings(tables, items, edges, windows.as_of, rate)
    newcomers = needs.anti_join(stood, "member_id").member_id.nunique()
    cells = cells_of(placed, names)
    shelves = Shelves.of(
        ranges(looked, edges), assortment(rows, edges, windows), last, earned, rate
    )
    purchases_alone = not any_row(rows.filter(~rows.bought))
    unmet_cannot_say, notes = _limits(purchases_alone, items, gone)
    notes = (*left_out, *notes)
    if not any(shelves.margin(need) > 0 for need in cells.needs):
        notes = (*notes, _EARNS_NOTHING)
    return Measured(
        placed, cells, shelves, int(newcomers.execute()), purchases_alone, unmet_cannot_say, notes
    )


def history_too_short(tables: Tables, windows: Windows) -> str:
    """Why the events allow no comparison; empty where they do.

    Searches, views and carts that begin within the windows would look like growth, however long
    purchases are known.
    """
    began = _beginnings(tables, windows)
    clicks = [first for kind, first in began.items() if kind != BUYING]
    first = min(clicks or began.values(), default=None)
    if first is None:
        return f"nothing was searched, viewed, carted or bought before {windows.as_of:%Y-%m-%d}"
    if first > windows.start:
        what = "searches, views and carts" if clicks else "purchases"
        return (
            f"{what} begin on {first:%Y-%m-%d}, wanted some from {windows.start:%Y-%m-%d} or "
            f"before: two windows of {windows.days} days; take shorter ones"
        )
    return ""


def _beginnings(tables: Tables, windows: Windows) -> dict[str, datetime]:
    """The first time of each type of event by which members want something."""
    events = tables.events
    wanting = events.filter(
        events["type"].isin(WANTING), seen_at(events) < ibis.literal(windows.as_of)
    )
    found = wanting.group_by("type").agg(first=wanting.occurred_at.min()).to_pyarrow().to_pydict()
    return dict(zip(found["type"], found["first"], strict=True))


def _recorded(tables: Tables, windows: Windows) -> tuple[list[str], tuple[str, ...]]:
    """The types of events that both windows may hold, and notes on the others: what a shop begins
    to record in between is no growth. Purchases count always, since they tell who was served."""
    late = {
        kind: first
        for kind, first in sorted(_beginnings(tables, windows).items())
        if kind != BUYING and first > windows.start
    }
    notes = tuple(
        f"events of type {kind} begin on {first:%Y-%m-%d}, within the windows, and are left out"
        for kind, first in late.items()
    )
    return [kind for kind in WANTING if kind not in late], notes


def _limits(purchases_alone: bool, items: ir.Table, gone: ir.Table) -> tuple[str, tuple[str, ...]]:
    """Why unmet members cannot be told (empty: they can), and what else limits the answer."""
    found = tells_supply(items, gone).to_pyarrow().to_pylist()[0]
    if purchases_alone:
        return "there are purchases alone: what was wanted and not bought leaves no trace", ()
    if not found["items"]:
        return "no item with a category is known, so that nobody can tell what is for sale", ()
    return "", () if found["ends"] else (_ALWAYS_FOR_SALE,)
