"""New members by cohort, and how many bought again by when, as a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis.expr.types as ir

from features.insights.buying import (
    NTH,
    Waits,
    baskets,
    first_purchases,
    joining_days,
    together,
    waits,
)
from features.insights.months import month_name, month_number
from features.insights.moved import first_purchase, ground
from features.insights.survival import FEWEST, Untold, by_day, incidence, mean
from features.moments import moment as in_utc
from features.progress import Progress, silent
from features.rolled import day_of
from features.tables import any_row
from features.workspace import Workspace

STAGE = "cohorts"
MONTHS = 12
CONVERSION_DAYS = (30, 90)
SECOND_DAYS = (30, 60, 90, 180, 365)
# Whoever buys "first" so soon after the data begin may have bought before.
OLDER_DAYS = 90
_GRID = 7  # days between the points of a curve
_STEPS = 5


def new_members(
    workspace: Workspace, as_of: datetime, progress: Progress = silent, months: int = MONTHS
) -> dict[str, Any]:
    """Cohorts of the last ``months`` months and the one that runs.

    Returns:
        data_from: the first purchase there is. fewest: members below whom nothing is told.
        by_joining: cohorts by the month in which members joined; ``{"reason", "told"}`` where no
        member says when. by_first_purchase: by the month of the first purchase. Of each cohort:
        ``month``, ``members``, ``buyers``; ``conversion`` (share with a purchase within 30 and 90
        days of joining; by joining only), ``basket`` of the first purchase, ``second`` (share with
        a second purchase within 30 to 365 days of the first), each ``{value, low, high, members}``
        or ``{reason, told}``; ``may_be_older``: the data begin so shortly before that first
        purchases may not be.
        curves: of the 2nd to 4th purchase, over all cohorts by first purchase that may not be
        older: ``purchase``, ``members``, and ``points``: ``day`` since the first purchase,
        ``value``, ``low``, ``high``.

    Raises:
        FeatureError: no purchases.
    """
    as_of = in_utc(as_of).replace(hour=0, minute=0, second=0, microsecond=0)
    with ground(workspace, progress) as (tables, rolled):
        first = first_purchase(rolled.lines)
        keep = tables.engine.keep
        bought = keep("first_purchases", first_purchases(rolled.lines, as_of))
        progress(STAGE, 1, _STEPS)
        begin = _first_month(as_of, months)
        joined = keep("joined", joining_days(tables.members, as_of))
        lately = joined.filter(joined.joined >= day_of(begin))
        since = first_purchases(rolled.lines, as_of, lately)
        both = keep("joined_bought", lately.left_join(since, "member_id").drop("member_id_right"))
        source = _Source(bought, both, any_row(joined), as_of, first, begin)
        by_first = source.by_first_purchase()
        progress(STAGE, 2, _STEPS)
        curves = source.curves()
        progress(STAGE, 3, _STEPS)
        by_joining = source.by_joining()
        progress(STAGE, _STEPS, _STEPS)
    return {
        "data_from": first.isoformat(),
        "fewest": FEWEST,
        "by_joining": by_joining,
        "by_first_purchase": by_first,
        "curves": curves,
    }


@dataclass(frozen=True, slots=True)
class _Source:
    """bought: of ``first_purchases``. joined: the same since they joined, a row for each member who
    joined in the months looked at. joining_told: whether any member says when."""

    bought: ir.Table
    joined: ir.Table
    joining_told: bool
    as_of: datetime
    data_from: datetime
    first_month: datetime

    def by_first_purchase(self) -> dict[str, Any]:
        rows = self.bought.filter(self.bought.bought_1 >= day_of(self.first_month))
        second = waits(rows, "bought_1", "bought_2", "bought_1", self.as_of)
        basket = baskets(rows, "bought_1", self.as_of)
        cohorts = [
            {
                "month": month_name(month),
                "members": found.members,
                "buyers": found.members,
                "basket": _basket(basket.get(month)),
                "second": _shares(found, SECOND_DAYS, "bought first"),
                "may_be_older": month <= self._older,
            }
            for month, found in second.items()
        ]
        return {"cohorts": cohorts}

    def by_joining(self) -> dict[str, Any]:
        if not self.joining_told:
            return asdict(
                Untold("no_joining_dates", "no member says when they joined (members.joined_at)")
            )
        rows = self.joined
        first = waits(rows, "joined", "bought_1", "joined", self.as_of)
        second = waits(rows, "bought_1", "bought_2", "joined", self.as_of)
        basket = baskets(rows, "joined", self.as_of)
        cohorts = [
            {
                "month": month_name(month),
                "members": found.members,
                "buyers": second[month].members if month in second else 0,
                "conversion": _shares(found, CONVERSION_DAYS, "joined"),
                "basket": _basket(basket.get(month)),
                "second": _shares(second.get(month), SECOND_DAYS, "bought first"),
                "may_be_older": month < month_number(self.data_from),
            }
            for month, found in first.items()
        ]
        return {"cohorts": cohorts}

    def curves(self) -> list[dict[str, Any]]:
        """Of every cohort, however long ago, that may not be older than the data."""
        begin = self.data_from + timedelta(days=OLDER_DAYS)
        rows = self.bought.filter(self.bought.bought_1 >= day_of(begin))
        curves = []
        for nth in NTH[1:]:
            found = waits(rows, "bought_1", f"bought_{nth}", "bought_1", self.as_of)
            if found:
                curves.append({"purchase": nth, **_curve(together(list(found.values())))})
        return curves

    @property
    def _older(self) -> int:
        """The last month in which somebody may only seem to buy first."""
        return month_number(self.data_from + timedelta(days=OLDER_DAYS - 1))


def _first_month(as_of: datetime, months: int) -> datetime:
    number = month_number(as_of) - months
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)


def _shares(found: Waits | None, days: Sequence[int], what: str) -> Mapping[str, Any]:
    if found is None:
        nobody = Untold("too_few_members", f"0 members {what}, wanted {FEWEST}")
        return {str(day): asdict(nobody) for day in days}
    curve = incidence(found.happened, found.ended)
    return {str(day): asdict(by_day(curve, day, found.followed, what)) for day in days}


def _basket(found: tuple[int, float, float] | None) -> Mapping[str, Any]:
    return asdict(mean(*(found or (0, 0.0, 0.0))))


def _curve(found: Waits) -> dict[str, Any]:
    """As far as enough members were watched."""
    curve = incidence(found.happened, found.ended)
    watched = found.members - found.followed.cumsum() + found.followed
    days = [day for day in range(0, len(watched), _GRID) if watched[day] >= FEWEST]
    points = [
        {
            "day": day,
            "value": float(curve.share[day]),
            "low": float(curve.low[day]),
            "high": float(curve.high[day]),
        }
        for day in days
    ]
    return {"members": found.members, "points": points}
