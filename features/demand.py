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

from features.demand_cells import findings
from features.demand_findings import DemandReport, Finding
from features.demand_measured import STAGE, STEPS, Measured, history_too_short, measured
from features.demand_segments import BY_DEFAULT
from features.demand_wants import SERVED_DAYS, Windows
from features.errors import FeatureError
from features.moments import moment
from features.progress import Progress, silent
from features.tables import opened
from features.workspace import Workspace

if TYPE_CHECKING:
    import pyarrow as pa

WINDOW_DAYS = 56
LONGEST_DAYS = 366
TOP = 20
SAMPLE = 5
_NOTHING_BEFORE = (
    "no member known at the start of the windows wanted anything in the earlier one: there is "
    "nothing to compare with"
)
_BY_BUYING = (
    "there are purchases alone, and segments by what was bought before: who had not bought can "
    "only buy more, so that a need counts as growing where it outgrows its segment's others too"
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
        reason = history_too_short(tables, windows)
        if reason:
            return _nothing(question, windows, reason)
        found = measured(workspace, tables, windows, question.segments, progress)
        if not found.cells.before.sum():
            return _nothing(question, windows, _NOTHING_BEFORE)
        answer = _answer(found, question, windows)
        progress(STAGE, STEPS, STEPS)
        return answer


def _answer(measured: Measured, question: DemandQuestion, windows: Windows) -> Demand:
    unmet = measured.unmet_cannot_say
    by_buying = measured.purchases_alone and bool({*question.segments} & {*BY_DEFAULT})
    told = findings(measured.cells, measured.shelves, not unmet, told_by_buying=by_buying)
    shown = told.findings[: question.top]
    members = _members(measured, shown, len(question.segments))
    report = DemandReport(
        windows.as_of, windows.start, windows.split, windows.days, question.segments,
        cannot_say="",
        unmet_cannot_say=unmet,
        shop_growth=told.shop_growth,
        mean_unmet=None if unmet else told.mean_unmet,
        tested=told.tested,
        growing=told.growing,
        newcomers=measured.newcomers,
        found=len(told.findings),
        findings=tuple(one.with_sample(_sample(members, one.rank)) for one in shown),
        notes=(*measured.notes, *((_BY_BUYING,) if by_buying else ())),
    )  # fmt: skip
    return Demand(report, members)


def _members(measured: Measured, shown: Sequence[Finding], count: int) -> pa.Table:
    keys = [f"segment_{number}" for number in range(count)]
    schema = ibis.schema(
        {"rank": "int64", **dict.fromkeys(keys, "string"), "category": "string", "band": "int64"}
    )
    asked = ibis.memtable(
        [(one.rank, *one.segment.values(), one.need.category, one.need.band) for one in shown],
        schema=schema,
    )
    placed = measured.placed
    joined = placed.filter(placed.now == 1).join(asked, [*keys, "category", "band"])
    missed = joined.no_item + joined.no_stock > 0
    unmet = (
        (joined.judged == 1).ifelse(missed, None)
        if not measured.unmet_cannot_say
        else ibis.null("boolean")
    )
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
