"""The member views of ``benchmarks.shop`` in pandas, as a notebook would have them."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from features.tables import CLICK_TYPES
from features.vocabulary import Vocabulary
from features.workspace import Workspace

_COLUMNS = [
    "event_id", "member_id", "type", "occurred_at", "known_at", "item_id", "category", "quantity",
    "unit_price", "discount", "order_id", "session_id", "device",
]  # fmt: skip
_WEIGHTS = {"view": 1, "search": 1, "wishlist": 2, "add_to_cart": 3, "purchase": 5}
_WINDOWS = (7, 30, 90, 365)
_DAY = 86_400
# Nothing there is 0 of these, and missing of the others.
_COUNTED = re.compile(
    r"(sessions|views|searches|carts|abandoned_(carts|value)|orders|spend|interest)_"
)


def build(workspace: Workspace, as_of: datetime, vocabulary: Vocabulary, out: Path) -> None:
    """Write every view of members as of ``as_of`` to ``out``, a Parquet file each."""
    out.mkdir(parents=True, exist_ok=True)
    now, moment = int(as_of.timestamp()), pd.Timestamp(as_of)
    members = pd.read_parquet(workspace.tables / "members").set_index("member_id")
    items = pd.read_parquet(workspace.tables / "items").set_index("item_id")
    events = pd.read_parquet(workspace.tables / "events", columns=_COLUMNS)
    events = events[(events["occurred_at"] < moment) & (events["known_at"] < moment)]
    for name in ("unit_price", "discount"):
        events[name] = events[name].astype(float)
    events["second"] = events["occurred_at"].astype("int64") // 1_000_000
    events["age"] = (now - 1 - events["second"]) // _DAY
    roster = pd.Index(events["member_id"].unique()).union(members.index)
    habits = _habits(events, now)
    views = {
        "clickstream": _clickstream(events, members, items, now),
        "affinity": _affinity(events, items, vocabulary, now),
        "purchases": _purchases(habits, now),
        "price": _price(habits),
        "lifecycle": _lifecycle(habits.reindex(roster), now),
        "membership": _membership(members, as_of),
    }
    for name, view in views.items():
        whole = view.reindex(roster).rename_axis("member_id")
        counts = [column for column in map(str, view.columns) if _COUNTED.match(column)]
        whole[counts] = whole[counts].fillna(0.0)
        whole.to_parquet(out / f"{name}.parquet")


def _clickstream(
    events: pd.DataFrame, members: pd.DataFrame, items: pd.DataFrame, now: int
) -> pd.DataFrame:
    all_clicks = events[events["type"].isin(CLICK_TYPES)]
    clicks = all_clicks[all_clicks["age"] < 90]
    flags = pd.DataFrame(
        {
            "member_id": clicks["member_id"],
            "session_id": clicks["session_id"],
            "device": clicks["device"],
            "first": clicks["second"],
            "clicks": 1,
            "sessions_7d": clicks["age"] < 7,
            "sessions_30d": clicks["age"] < 30,
            "views_7d": (clicks["type"] == "view") & (clicks["age"] < 7),
            "views_30d": (clicks["type"] == "view") & (clicks["age"] < 30),
            "views_90d": clicks["type"] == "view",
            "searches_30d": (clicks["type"] == "search") & (clicks["age"] < 30),
            "carts_30d": (clicks["type"] == "add_to_cart") & (clicks["age"] < 30),
        }
    )
    how = dict.fromkeys(flags.columns[4:], "sum")
    how |= {"first": "min", "sessions_7d": "max", "sessions_30d": "max"}
    sessions = flags.groupby(["member_id", "session_id", "device"]).agg(how).reset_index()
    sessions["local"] = _local(sessions, members)
    sessions["hour"] = sessions["local"] % _DAY // 3600
    sessions["evening"] = sessions["hour"] >= 18
    sessions["weekend"] = (sessions["local"] // _DAY % 7).isin((2, 3))
    by_member = sessions.groupby("member_id")
    view = by_member[list(flags.columns[5:])].sum().astype(float)
    view["evening_share_90d"] = by_member["evening"].mean()
    view["weekend_share_90d"] = by_member["weekend"].mean()
    hours = sessions.groupby(["member_id", "hour"]).size().reset_index(name="times")
    view["usual_hour"] = _most(hours, "times", "hour")
    devices = sessions.groupby(["member_id", "device"])["clicks"].sum().reset_index()
    view["device"] = _most(devices, "clicks", "device")
    last = all_clicks.groupby("member_id")["second"].max()
    return pd.concat(
        [view, _carts(events, items, now), ((now - last) / _DAY).rename("last_seen_days")], axis=1
    )


def _local(sessions: pd.DataFrame, members: pd.DataFrame) -> pd.Series[int]:
    zones = sessions["member_id"].map(members["timezone"]).fillna("UTC")
    moments = pd.to_datetime(sessions["first"], unit="s", utc=True)
    local = pd.Series(0, index=sessions.index)
    for zone, rows in moments.groupby(zones):
        naive = rows.dt.tz_convert(zone).dt.tz_localize(None)
        local[rows.index] = naive.astype("int64") // 1_000_000_000
    return local


def _most(counts: pd.DataFrame, count: str, value: str) -> pd.Series[float]:
    ordered = counts.sort_values([count, value], ascending=[False, True])
    first = ordered.drop_duplicates("member_id")
    return first.set_index("member_id")[value]


def _carts(events: pd.DataFrame, items: pd.DataFrame, now: int) -> pd.DataFrame:
    kinds = ("view", "add_to_cart", "remove_from_cart", "purchase")
    recent = events[(events["age"] < 90) & events["item_id"].notna() & events["type"].isin(kinds)]
    kind, second = recent["type"], recent["second"]
    added = (kind == "add_to_cart") & (recent["age"] < 30)
    parts = pd.DataFrame(
        {
            "member_id": recent["member_id"],
            "item_id": recent["item_id"],
            "viewed": second.where(kind == "view"),
            "bought": second.where(kind == "purchase"),
            "added": second.where(added),
            "gone": second.where(kind.isin(("purchase", "remove_from_cart"))),
            "worth": (recent["quantity"].fillna(1) * recent["unit_price"]).where(added),
        }
    )
    how = {"viewed": "min", "bought": "max", "added": "max", "gone": "max", "worth": "max"}
    pairs = parts.groupby(["member_id", "item_id"]).agg(how).reset_index()
    left = pairs["added"].notna() & ~(pairs["gone"] >= pairs["added"])
    price = pairs["worth"].fillna(pairs["item_id"].map(items["price"].astype(float))).fillna(0)
    by_member = pd.DataFrame(
        {
            "member_id": pairs["member_id"],
            "abandoned_carts_30d": left,
            "abandoned_value_30d": price.where(left),
            "abandoned_at": pairs["added"].where(left),
            "seen": pairs["viewed"].notna(),
            "taken": pairs["bought"] >= pairs["viewed"],
        }
    ).groupby("member_id")
    view = by_member[["abandoned_carts_30d", "abandoned_value_30d"]].sum().astype(float)
    view["abandoned_age_days"] = (now - by_member["abandoned_at"].max()) / _DAY
    view["view_to_buy_90d"] = by_member["taken"].sum() / by_member["seen"].sum()
    return view


def _affinity(
    events: pd.DataFrame, items: pd.DataFrame, vocabulary: Vocabulary, now: int
) -> pd.DataFrame:
    cared = events[events["type"].isin(list(_WEIGHTS))].copy()
    cared["category"] = cared["category"].fillna(cared["item_id"].map(items["category"]))
    cared = cared[cared["category"].notna()]
    bought = cared["type"] == "purchase"
    paid = cared["unit_price"].where(bought & (cared["age"] < 365))
    parts = pd.DataFrame(
        {
            "member_id": cared["member_id"],
            "category": cared["category"],
            "interest": cared["type"].map(_WEIGHTS) * 0.5 ** (cared["age"] / 30),
            "seen_days": ((now - cared["second"]) / _DAY).where(~bought),
            "bought_days": ((now - cared["second"]) / _DAY).where(bought),
            "first": cared["age"],
            "last": cared["age"],
            "priced": paid.notna(),
            "paid": paid,
        }
    )
    how = {
        "interest": "sum", "seen_days": "min", "bought_days": "min", "first": "max", "last": "min",
        "priced": "sum", "paid": "sum",
    }  # fmt: skip
    pairs = parts.groupby(["member_id", "category"]).agg(how).reset_index()
    means = pairs.groupby("category")[["paid", "priced"]].sum()
    pairs["usual"] = pairs["category"].map(means["paid"] / means["priced"]) * pairs["priced"]
    names = dict(zip(vocabulary.categories, vocabulary.features, strict=True))
    known = pairs[pairs["category"].isin(names)]
    wide = known.pivot(
        index="member_id", columns="category", values=["interest", "seen_days", "bought_days"]
    )
    wide.columns = pd.Index(
        [f"{column[0]}__{names[column[1]]}" for column in wide.columns.tolist()]
    )
    by_member = pairs.assign(touched=pairs["last"] < 90, new=pairs["first"] < 90).groupby(
        "member_id"
    )
    sums = by_member[["touched", "new", "paid", "usual"]].sum()
    wide["novelty_90d"] = sums["new"] / sums["touched"]
    wide["price_level"] = sums["paid"] / sums["usual"]
    top = _most(pairs, "interest", "category")
    wide["top_category"] = top.where(top.isin(names), "other")
    return wide


def _habits(events: pd.DataFrame, now: int) -> pd.DataFrame:
    lines = events[events["type"].isin(("purchase", "refund"))].copy()
    buys = lines["type"] == "purchase"
    lines["order"] = lines["order_id"].fillna(lines["event_id"])
    gross = (lines["quantity"].fillna(1) * lines["unit_price"].fillna(0)).abs()
    net = (gross - lines["discount"].fillna(0)).where(buys, -gross)
    reduced = buys & (lines["discount"] > 0)
    parts = pd.DataFrame(
        {
            "member_id": lines["member_id"],
            "order": lines["order"],
            "second": lines["second"].where(buys),
            "last": lines["second"].where(buys),
            "bought": net.where(buys, 0.0),
            "gross": gross.where(buys, 0.0),
            "discounted": gross.where(reduced, 0.0),
            "discount": lines["discount"].where(reduced, 0.0),
            "refunded": (-net).where(~buys, 0.0),
            **{f"net_{days}": net.where(lines["age"] < days, 0.0) for days in _WINDOWS},
        }
    )
    how = dict.fromkeys(parts.columns[4:], "sum") | {"second": "min", "last": "max"}
    orders = parts.groupby(["member_id", "order"]).agg(how).reset_index()
    for days in _WINDOWS:
        orders[f"orders_{days}"] = orders["second"] >= now - days * _DAY
    orders["orders_life"] = orders["second"].notna()
    orders["biggest"] = orders["bought"].where(orders["orders_life"])
    by_member = orders.groupby("member_id")
    summed = [name for name in orders.columns if name.startswith(("net_", "orders_"))]
    habits = by_member[[*summed, "bought", "gross", "discounted", "discount", "refunded"]].sum()
    habits["biggest"] = by_member["biggest"].max()
    habits["first"], habits["last"] = by_member["second"].min(), by_member["last"].max()
    dates = orders[orders["orders_life"]][["member_id", "second"]]
    dates = dates.assign(date=dates["second"] // _DAY, recent=dates["second"] >= now - 365 * _DAY)
    dates = dates.groupby(["member_id", "date"])["recent"].max().reset_index()
    dates["gap"] = dates.groupby("member_id")["date"].diff()
    habits["buying_days_365d"] = dates.groupby("member_id")["recent"].sum()
    habits["gaps"] = dates.groupby("member_id")["gap"].count()
    habits["gap_mean_days"] = dates.groupby("member_id")["gap"].mean()
    habits["gap_sd_days"] = dates.groupby("member_id")["gap"].std()
    return habits


def _purchases(habits: pd.DataFrame, now: int) -> pd.DataFrame:
    view = habits[["gap_mean_days", "gap_sd_days", "orders_life"]].copy()
    view["recency_days"] = (now - habits["last"]) / _DAY
    for days in _WINDOWS:
        view[f"orders_{days}d"] = habits[f"orders_{days}"]
        view[f"spend_{days}d"] = habits[f"net_{days}"]
    view["spend_life"] = habits["bought"] - habits["refunded"]
    view["average_order"] = habits["bought"] / habits["orders_life"].where(view["orders_life"] > 0)
    view["overdue_ratio"] = view["recency_days"] / habits["gap_mean_days"]
    bought = habits["bought"].where(habits["orders_life"] > 0)
    view["refund_share"] = habits["refunded"] / bought
    view["biggest_order_share"] = habits["biggest"] / bought
    buyers = habits[habits["orders_life"] > 0]
    columns = {"r": buyers["last"], "f": buyers["orders_365"], "m": buyers["net_365"]}
    for letter, column in columns.items():
        below, upto = column.rank(method="min") - 1, column.rank(method="max")
        middle = (below + upto) / 2 / len(column)
        view[f"{letter}_quintile"] = np.minimum(np.floor(middle * 5), 4) + 1
    return view


def _price(habits: pd.DataFrame) -> pd.DataFrame:
    gross = habits["gross"].where(habits["gross"] > 0)
    depth = (habits["discount"] / habits["discounted"]).fillna(0).where(gross.notna())
    return pd.DataFrame({"discount_share": habits["discounted"] / gross, "discount_depth": depth})


def _lifecycle(habits: pd.DataFrame, now: int) -> pd.DataFrame:
    gaps, mean = habits["gaps"].fillna(0), habits["gap_mean_days"]
    usual = np.log(mean.median())
    expected = np.exp((np.log(mean.fillna(1)) * gaps + usual) / (gaps + 1)).clip(lower=7)
    lateness = ((now - habits["last"]) / _DAY / expected).round(9)
    stages = [
        (habits["orders_life"].fillna(0) == 0, "never_bought"),
        (habits["first"] >= now - 30 * _DAY, "new"),
        (lateness > 3, "lapsed"),
        (lateness > 1.5, "slipping"),
        (habits["buying_days_365d"] >= 4, "loyal"),
    ]
    stage = np.select([held for held, _ in stages], [name for _, name in stages], "active")
    buyers = habits[habits["orders_365"] > 0].rename_axis("member_id").reset_index()
    best = buyers.sort_values(["net_365", "last", "member_id"], ascending=[False, False, True])
    share = pd.Series(np.arange(len(best)) / len(best), index=best["member_id"])
    tier = pd.Series(
        np.select([share < 0.1, share < 0.4], ["gold", "silver"], "bronze"), index=share.index
    )
    view = pd.DataFrame({"lifecycle": stage}, index=habits.index)
    view["value_tier"] = tier.reindex(habits.index).fillna("none")
    return view


def _membership(members: pd.DataFrame, as_of: datetime) -> pd.DataFrame:
    view = members[["tier", "points_balance", "timezone"]].copy()
    view["tenure_days"] = (pd.Timestamp(as_of) - members["joined_at"]).dt.total_seconds() / _DAY
    view["age"] = as_of.year - members["birth_year"]
    view["consent_push"] = members["consent_push"].astype(float)
    return view
