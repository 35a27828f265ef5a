"""Members who bought: their histories as of a moment, and what they did after it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

import ibis
import numpy as np
from numpy.typing import NDArray

from features.moments import days_since, seconds, utc_day
from features.purchases import purchase_habits
from features.rolled import lines, phase, typed
from features.tables import Tables
from models.clv import Histories
from training.earnings import earnings
from training.errors import TrainingError

Numbers = NDArray[np.float64]


class NobodyBoughtError(TrainingError):
    """No purchase was known at the moment."""


@dataclass(frozen=True, eq=False)
class Buyers:
    """Members with a purchase, by id, and their histories as known at ``as_of``."""

    as_of: datetime
    member_ids: NDArray[np.str_]
    histories: Histories

    def __len__(self) -> int:
        return len(self.member_ids)

    def digest(self) -> str:
        """sha256 (hex) of the content: the same histories give the same digest on any machine."""
        sha = hashlib.sha256("\n".join(self.member_ids.tolist()).encode("utf-8", "surrogatepass"))
        for name in ("frequency", "recency", "age", "spend", "margin"):
            sha.update(getattr(self.histories, name).astype("<f8").tobytes())
        return sha.hexdigest()


@dataclass(frozen=True, eq=False)
class Bought:
    """What members did in a window, (n,): days with a purchase; spend and margin, currency."""

    purchases: Numbers
    spend: Numbers
    margin: Numbers


def buyers(tables: Tables, as_of: datetime, default_rate: float) -> Buyers:
    """Everyone who had bought, as known at ``as_of``.

    A purchase is a UTC calendar day with an order, as in the view purchases; refunds take off
    spend and margin.

    Raises:
        NobodyBoughtError: nobody had bought.
    """
    events = typed(tables.events, phase(as_of))
    habits = purchase_habits(lines(events), as_of)
    habits = habits.filter(habits.orders_life > 0)
    earned = earnings(tables, as_of, default_rate)
    margin = earned.group_by("member_id").agg(margin=earned.margin.sum())
    joined = habits.left_join(margin, "member_id")
    frame = joined.select(
        "member_id",
        frequency=joined.gaps.fill_null(0).cast("float64"),
        recency=joined.gap_sum.fill_null(0).cast("float64"),
        since=days_since(joined.last_second, as_of),
        spend=(joined.bought - joined.refunded).cast("float64"),
        margin=joined.margin.cast("float64").fill_null(0.0),
    ).order_by("member_id")
    found = frame.execute()
    if found.empty:
        raise NobodyBoughtError(f"nobody bought before {as_of:%Y-%m-%d}; ingest purchases")
    column = {name: found[name].to_numpy(dtype=np.float64) for name in found if name != "member_id"}
    age = column["recency"] + np.maximum(column.pop("since"), 0.0)
    return Buyers(as_of, found["member_id"].to_numpy(dtype=str), Histories(age=age, **column))


def bought_between(
    tables: Tables, members: NDArray[np.str_], start: datetime, end: datetime, default_rate: float
) -> Bought:
    """What each of ``members`` bought in ``[start, end)``, as known at ``end``."""
    earned = earnings(tables, end, default_rate)
    window = earned.filter(earned.occurred_at >= ibis.literal(start))
    day = utc_day(seconds(window.occurred_at))
    frame = (
        window.group_by("member_id")
        .agg(
            purchases=day.nunique(where=window.bought).cast("float64"),
            spend=window.revenue.sum().cast("float64"),
            margin=window.margin.sum().cast("float64"),
        )
        .execute()
        .set_index("member_id")
        .reindex(members)
        .fillna(0.0)
    )
    return Bought(*(frame[name].to_numpy() for name in ("purchases", "spend", "margin")))
