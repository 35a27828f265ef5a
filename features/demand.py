"""Growing demand that the catalogue does not serve: by segment, category and price band.

Members show what they want by searching, viewing, carting and buying. Two windows of equal length
are compared: which needs of which segments grow beyond the shop's own growth, and whose members
found nothing for sale at their price and did not buy. ``docs/demand.md`` tells how to read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir

from features.demand_cells import Shelves, cells_of, findings
from features.demand_findings import DemandReport, Finding
from features.demand_segments import BY_DEFAULT, segments
from features.demand_supply import earnings, judged, sold_out, supply, tells_supply
from features.demand_wants import (
    SERVED_DAYS,
    WANTING,
    Windows,
    band_edges,
    by_need,
    looks,
    priced_items,
    ranges,
    wanted,
)
from features.errors import FeatureError
from features.moments import moment, newest, seen_at
from features.progress import Progress, silent
from features.tables import Tables, opened
from features.workspace import Workspace

if TYPE_CHECKING:
    import pyarrow as pa

WINDOW_DAYS = 56
LONGEST_DAYS = 366
TOP = 20
SAMPLE = 5
_STAGE, _STEPS = "demand", 5
_ALWAYS_FOR_SALE = (
    "no item was ever delisted or sold out: every item counts as for sale, and members go unserved "
    "only at prices that no item has"
)


class DemandError(FeatureError):
    """A question about demand that cannot be asked so."""


@dataclass(frozen=True, slots=True)
class DemandQuestion:
    """What is asked.

    window_days: length of each of the two windows; whole weeks weigh every weekday alike.
    segments: what members are told apart by, see ``demand_segments.segments``.
    top: most findings to tell.
    """

    as_of: datetime
    window_days: int = WINDOW_DAYS
    segments: tuple[str, ...] = BY_DEFAULT
    top: int = TOP

    def __post_init__(self) -> None:
        if not SERVED_DAYS < self.window_days <= LONGEST_DAYS:
            raise DemandError(
                f"windows of {self.window_days} days, wanted {SERVED_DAYS + 1} to {LONGEST_DAYS}: "
                f"members have {SERVED_DAYS} days to buy what they want"
            )
        if self.top < 1:
            raise DemandError(f"the {self.top} best findings are asked for, wanted 1 or more")


@dataclass(frozen=True, slots=True)
class Demand:
    """The answer, and whom it is about.

    members: who wants what the findings tell: ``rank`` of the finding, ``member_id``,
    ``last_wanted_at`` and ``unmet`` (true, false, or null where it cannot be told), by rank, those
    who go without first.
    """

    report: DemandReport
    members: pa.Table


def demand(workspace: Workspace, question: DemandQuestion, progress: Progress = silent) -> Demand:
    """Which needs grow, of whom, and what would serve them, as known at ``question.as_of``.

    A finding is a cell (segment × category × price band) with 50 members or more whose growth is
    significant at 5 % by Benjamini and Hochberg over all such cells, and whose score is above 0.
    The score is ``max(0, lower bound of the growth) × members now × max(0, unmet share − mean) ×
    margin``; where unmet members cannot be told, without its share.

    Raises:
        SegmentError: members cannot be told apart by ``question.segments``.
        FeatureError: ``as_of`` has no offset.
    """
    windows = Windows(moment(question.as_of), question.window_days)
    with opened(workspace) as tables:
        reason = _cannot_say(tables, windows)
        if reason:
            return _nothing(question, windows, reason)
        return _answer(workspace, tables, question, windows, progress)


def _answer(
    workspace: Workspace,
    tables: Tables,
    question: DemandQuestion,
    windows: Windows,
    progress: Progress,
) -> Demand:
    keep = tables.engine.keep
    known = newest(tables.items, "item_id", windows.as_of)
    rows = keep("demand_wanted", wanted(tables, known, windows))
    progress(_STAGE, 1, _STEPS)
    looked = keep("demand_looks", looks(rows, windows))
    edges = keep("demand_edges", band_edges(looked))
    items = keep("demand_items", priced_items(known, rows))
    gone = keep("demand_sold_out", sold_out(tables, windows.as_of))
    on_sale = keep("demand_supply", supply(items, gone, edges, windows))
    needs = keep("demand_needs", judged(by_need(looked, edges), rows, on_sale, windows))
    progress(_STAGE, 2, _STEPS)
    stood = segments(workspace, tables, question.segments, windows.start)
    stood = stood.select("member_id", **_numbered(stood, question.segments))
    placed = keep("demand_placed", needs.join(stood, "member_id"))
    progress(_STAGE, 3, _STEPS)
    cells = cells_of(placed, question.segments)
    if not cells.before.sum():
        return _nothing(
            question, windows, "no member known at the start of the windows wanted anything in the "
            "earlier one: there is nothing to compare with",
        )  # fmt: skip
    last = on_sale.filter(on_sale.day == windows.days - 1)
    rate = workspace.conventions.default_margin_rate
    shelves = Shelves.of(
        ranges(looked, edges), last, earnings(tables, items, edges, windows.as_of, rate), rate
    )
    progress(_STAGE, 4, _STEPS)
    unmet, notes = _limits(tables, items, gone)
    told = findings(cells, shelves, not unmet)
    shown = told.findings[: question.top]
    members = _members(placed, shown, len(question.segments), told=not unmet)
    newcomers = needs.anti_join(stood, "member_id").member_id.nunique().execute()
    progress(_STAGE, 5, _STEPS)
    report = DemandReport(
        windows.as_of, windows.start, windows.split, windows.days, question.segments,
        cannot_say="",
        unmet_cannot_say=unmet,
        shop_growth=told.shop_growth,
        mean_unmet=None if unmet else told.mean_unmet,
        tested=told.tested,
        growing=told.growing,
        newcomers=int(newcomers),
        found=len(told.findings),
        findings=tuple(one.with_sample(_sample(members, one.rank)) for one in shown),
        notes=notes,
    )  # fmt: skip
    return Demand(report, members)


def _cannot_say(tables: Tables, windows: Windows) -> str:
    """Why the events allow no answer; empty where they do."""
    events = tables.events
    wanting = events.filter(
        events["type"].isin(WANTING), seen_at(events) < ibis.literal(windows.as_of)
    )
    first: datetime | None = wanting.occurred_at.min().to_pyarrow().as_py()
    if first is None:
        return f"nothing was searched, viewed, carted or bought before {windows.as_of:%Y-%m-%d}"
    if first > windows.start:
        return (
            f"events begin on {first:%Y-%m-%d}, wanted some from {windows.start:%Y-%m-%d} or "
            f"before: two windows of {windows.days} days; take shorter ones"
        )
    return ""


def _limits(tables: Tables, items: ir.Table, gone: ir.Table) -> tuple[str, tuple[str, ...]]:
    """Why unmet members cannot be told (empty: they can), and what else limits the answer."""
    found = tells_supply(items, gone).to_pyarrow().to_pylist()[0]
    if not tables.has_clickstream:
        return "there are purchases alone: what was wanted and not bought leaves no trace", ()
    if not found["items"]:
        return "no item with a category is known, so that nobody can tell what is for sale", ()
    if not found["ends"]:
        return "", (_ALWAYS_FOR_SALE,)
    return "", ()


def _numbered(stood: ir.Table, names: Sequence[str]) -> dict[str, ir.Column]:
    """Segments by number: an attribute may have any name."""
    return {f"segment_{number}": stood[name] for number, name in enumerate(names)}


def _members(placed: ir.Table, shown: Sequence[Finding], count: int, *, told: bool) -> pa.Table:
    keys = [f"segment_{number}" for number in range(count)]
    schema = ibis.schema(
        {"rank": "int64", **dict.fromkeys(keys, "string"), "category": "string", "band": "int64"}
    )
    asked = ibis.memtable(
        [(one.rank, *one.segment.values(), one.need.category, one.need.band) for one in shown],
        schema=schema,
    )
    joined = placed.filter(placed.now == 1).join(asked, [*keys, "category", "band"])
    missed = joined.no_item + joined.no_stock > 0
    unmet = (joined.judged == 1).ifelse(missed, None) if told else ibis.null("boolean")
    rows = joined.select("rank", "member_id", last_wanted_at="last", unmet=unmet)
    order = [ibis.asc("rank"), ibis.desc(rows.unmet.fill_null(False)), ibis.asc("member_id")]
    return rows.order_by(order).to_pyarrow()


def _sample(members: pa.Table, rank: int) -> tuple[str, ...]:
    ranks, ids = members["rank"].to_pylist(), members["member_id"].to_pylist()
    mine = [member for member, of in zip(ids, ranks, strict=True) if of == rank]
    return tuple(mine[:SAMPLE])


def _nothing(question: DemandQuestion, windows: Windows, reason: str) -> Demand:
    import pyarrow as pa

    report = DemandReport(
        windows.as_of, windows.start, windows.split, windows.days, question.segments, reason
    )
    schema = pa.schema(
        [
            ("rank", pa.int64()),
            ("member_id", pa.string()),
            ("last_wanted_at", pa.timestamp("us", tz="UTC")),
            ("unmet", pa.bool_()),
        ]
    )
    return Demand(report, schema.empty_table())
