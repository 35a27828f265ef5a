"""Past pushes as data: who was decided how, with what probability, and what followed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import ibis
import numpy as np
from ibis import _
from numpy.typing import NDArray

from decisions.catalogue import Offer
from features.moments import newest
from features.tables import MONEY, Tables, opened
from features.workspace import Workspace
from training.catalogue import offers_as_of
from training.errors import TrainingError

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

NO_SEND = -1


@dataclass(frozen=True, slots=True)
class PushLog:
    """Decisions of past pushes whose window of attribution has closed; n rows.

    offers: every offer that was a candidate, in order of id.
    rows: (n) ``row_id``, ``member_id``, ``as_of`` (when the member was decided), for features;
        and ``until``, the end of the window in which outcomes count.
    push: (n,) number of the push. offer: (n,) position in ``offers``, -1 for no send.
    probability: (n,) of the choice that was made; NaN where nobody knows it: see ``push_log``.
    candidates: (pushes, offers) what could be chosen in each push.
    converted, redeemed: (n,) whether it happened inside the window.
    in_scope: (n,) converted, and bought something inside the window that any of the push's
        candidates is about, sent or not. False where purchases are not known.
    margin, revenue: (n,) money of the conversions, after coupons. coupon: (n,) money of coupons.
    unsubscribed: (n,) whether the member unsubscribed inside the window.
    channel: (n,) what the decision's push goes through.
    """

    offers: tuple[Offer, ...]
    rows: pd.DataFrame
    push: NDArray[np.int64]
    offer: NDArray[np.int64]
    probability: NDArray[np.float64]
    candidates: NDArray[np.bool_]
    converted: NDArray[np.bool_]
    redeemed: NDArray[np.bool_]
    margin: NDArray[np.float64]
    revenue: NDArray[np.float64]
    coupon: NDArray[np.float64]
    in_scope: NDArray[np.bool_]
    unsubscribed: NDArray[np.bool_]
    channel: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, kept: NDArray[np.bool_] | NDArray[np.int64]) -> PushLog:
        """The decisions ``kept``: (n,) which ones, or row numbers, each as often as it is named.

        Pushes and offers keep their numbers.
        """
        return replace(
            self,
            rows=self.rows.iloc[kept].reset_index(drop=True),
            push=self.push[kept],
            offer=self.offer[kept],
            probability=self.probability[kept],
            converted=self.converted[kept],
            redeemed=self.redeemed[kept],
            in_scope=self.in_scope[kept],
            margin=self.margin[kept],
            revenue=self.revenue[kept],
            coupon=self.coupon[kept],
            unsubscribed=self.unsubscribed[kept],
            channel=self.channel[kept],
        )

    @property
    def drawn(self) -> bool:
        """Whether the decisions were made by chance, with probabilities that are known."""
        return not np.isnan(self.probability).any()


def push_log(
    workspace: Workspace, as_of: datetime, *, most: int = 400_000, observational: bool = False
) -> PushLog:
    """Read the log as known at ``as_of``.

    Of a push in which every decision has probability 1, or any has 0, nobody knows how members
    were chosen: a rule or a hand chose them. Such a log tells what a send changes only as far as
    the features tell who was chosen.

    A decision's conversion is an outcome ``converted`` inside the push's window; where a push
    reports none at all, a purchase of anything inside the window, refunds taken off.

    Args:
        most: decisions to keep; of a longer log whole members are drawn, the same every time.
        observational: where no push was drawn by chance, take the log all the same, its
            probabilities unknown (NaN). Has no effect where one was.

    Raises:
        TrainingError: no push with a closed window, none that was decided at random, or nobody left
            out.
    """
    with opened(workspace) as tables:
        frame = _decided(tables, as_of, most, workspace.conventions.default_margin_rate).execute()
        offers = offers_as_of(tables, as_of)
    if frame.empty:
        raise TrainingError(
            f"no decisions of pushes whose attribution window closed before {as_of:%Y-%m-%d}; "
            "ingest decisions, pushes and outcomes of past pushes first"
        )
    frame = _learnable(frame, observational).sort_values(
        ["push_id", "member_id", "decision_id"], ignore_index=True
    )
    used = sorted({one for listed in frame["push_offers"] for one in listed} | _named(frame))
    missing = [name for name in used if name not in offers]
    if missing:
        raise TrainingError(
            f"offer {missing[0]!r} was a candidate of a past push but is not in the offers table "
            f"({len(missing)} such); ingest it into offers"
        )
    return _as_log(frame, tuple(offers[name] for name in used))


def _named(frame: pd.DataFrame) -> set[str]:
    return set(frame["offer_id"].dropna())


def _as_log(frame: pd.DataFrame, offers: tuple[Offer, ...]) -> PushLog:
    position: Mapping[str, int] = {offer.offer_id: j for j, offer in enumerate(offers)}
    push_ids, push = np.unique(frame["push_id"].to_numpy(dtype=str), return_inverse=True)
    first = frame.drop_duplicates("push_id").set_index("push_id")["push_offers"]
    candidates = np.zeros((len(push_ids), len(offers)), dtype=bool)
    for number, push_id in enumerate(push_ids):
        candidates[number, [position[one] for one in first[push_id]]] = True
    rows = frame[["member_id", "decided_at", "until"]].rename(columns={"decided_at": "as_of"})
    rows.insert(0, "row_id", np.arange(len(frame)))
    chosen = frame["offer_id"].map(position).fillna(NO_SEND)
    return PushLog(
        offers=offers,
        rows=rows,
        push=push.astype(np.int64),
        offer=np.asarray(chosen, dtype=np.int64),
        probability=frame["probability"].to_numpy(dtype=np.float64),
        candidates=candidates,
        converted=frame["converted"].to_numpy(dtype=bool),
        redeemed=frame["redeemed"].to_numpy(dtype=bool),
        in_scope=_in_scope(frame, offers, candidates[push]),
        margin=frame["margin"].to_numpy(dtype=np.float64),
        revenue=frame["revenue"].to_numpy(dtype=np.float64),
        coupon=frame["coupon"].to_numpy(dtype=np.float64),
        unsubscribed=frame["unsubscribed"].to_numpy(dtype=bool),
        channel=frame["channel"].to_numpy(dtype=np.str_),
    )


def _in_scope(
    frame: pd.DataFrame, offers: Sequence[Offer], candidates: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """(n,) conversions of which a purchase is in the scope of the push's candidates, (n, m)."""
    found = np.zeros(len(frame), dtype=bool)
    everything = np.array([not offer.categories and not offer.item_ids for offer in offers])
    columns = (frame["converted"], frame["bought_categories"], frame["bought_items"])
    for row, (converted, *bought) in enumerate(zip(*columns, strict=True)):
        if not converted:
            continue
        # No purchase at all is NaN here, and one of nothing that has a category is None.
        categories, items = (set(one) if isinstance(one, Iterable) else set() for one in bought)
        mine = np.flatnonzero(candidates[row]).tolist()
        found[row] = (bool(categories or items) and everything[mine].any()) or any(
            not categories.isdisjoint(offers[j].categories)
            or not items.isdisjoint(offers[j].item_ids)
            for j in mine
        )
    return found


def _learnable(frame: pd.DataFrame, observational: bool) -> pd.DataFrame:
    """The decisions that tell what a send changes, with NaN for probabilities nobody knows.

    Those that chance had a part in: a decision with probability 1, as of a member who might not be
    contacted at all, was no choice. If there are none and it is asked for, all.

    Raises:
        TrainingError: there is none, or all of them went the same way.
    """
    impossible = (frame["probability"] <= 0).groupby(frame["push_id"]).transform("any")
    drawn = frame[(frame["probability"] < 1) & ~impossible]
    if drawn.empty or (impossible.any() and not observational):
        if not observational:
            raise TrainingError(
                f"all of the {len(frame)} past decisions were made with probability 1 (or some "
                "with 0): that is no experiment; send a push with a holdout and some exploration "
                "to learn what pushes change, or train with --observational to have the "
                "probabilities estimated, and every estimate marked so"
            )
        drawn = frame.assign(probability=np.nan)
    unsent = drawn["offer_id"].isna()
    if unsent.all() or not unsent.any():
        side = "sent nothing" if unsent.all() else "sent something"
        raise TrainingError(
            f"every one of the {len(drawn)} past decisions {side}: without members left out "
            "there is nothing to compare with; log no-send decisions with their probability"
        )
    return drawn


def _decided(tables: Tables, as_of: datetime, most: int, margin_rate: float) -> ir.Table:
    """One row per decision with its outcomes inside the window."""
    pushes = tables.pushes.select(
        "push_id",
        "channel",
        push_offers="offer_ids",
        window=(_.attribution_days.fill_null(14.0) * 86_400).cast("int64"),
    )
    decided = tables.decisions.join(pushes, "push_id").select(
        "decision_id", "push_id", "member_id", "offer_id", "probability", "decided_at",
        "push_offers", "channel", "window",
    )  # fmt: skip
    window_end = decided.decided_at + decided.window.as_interval("s")
    closed = decided.mutate(window_end=window_end).filter(_.window_end <= ibis.literal(as_of))
    share = closed.count().execute() / most
    if share > 1:
        closed = closed.filter(closed.member_id.hash().abs() % 10_000 < int(10_000 / share))
    reported = _reported(tables, closed, as_of, margin_rate)
    bought = _bought(tables, closed, as_of, margin_rate)
    with_outcomes = closed.left_join(reported, "decision_id").left_join(bought, "decision_id")
    reports = with_outcomes.told.fill_null(0).max().over(group_by="push_id") > 0
    return with_outcomes.select(
        "decision_id", "push_id", "member_id", "offer_id", "probability", "decided_at",
        "push_offers", "channel",
        until=_.window_end,
        converted=ibis.ifelse(reports, _.told.fill_null(0) > 0, _.orders.fill_null(0) > 0),
        redeemed=_.used.fill_null(0) > 0,
        unsubscribed=_.left.fill_null(0) > 0,
        revenue=ibis.ifelse(reports, _.told_revenue, _.bought_revenue).fill_null(0.0),
        margin=ibis.ifelse(reports, _.told_margin, _.bought_margin).fill_null(0.0),
        coupon=_.used_money.fill_null(0.0),
        bought_categories=_.bought_categories,
        bought_items=_.bought_items,
    )  # fmt: skip


def _reported(tables: Tables, decided: ir.Table, as_of: datetime, margin_rate: float) -> ir.Table:
    """Outcomes that campaign engines reported, added up by decision.

    A conversion reported without its margin has the workspace's default share of its value.
    """
    outcomes = tables.outcomes.filter(_.known_at < ibis.literal(as_of)).select(
        "type", "occurred_at", "value", "margin",
        named="decision_id", of_member="member_id", of_push="push_id",
    )  # fmt: skip
    by_id = outcomes.filter(_.named.notnull())
    by_pair = outcomes.filter(_.named.isnull())
    of = decided.select("decision_id", "member_id", "push_id", "decided_at", "window_end")
    joined = ibis.union(
        by_id.join(of, by_id.named == of.decision_id),
        by_pair.join(of, (by_pair.of_member == of.member_id) & (by_pair.of_push == of.push_id)),
    )
    inside = joined.filter(_.occurred_at >= _.decided_at, _.occurred_at < _.window_end)
    converted, redeemed = inside["type"] == "converted", inside["type"] == "redeemed"
    left = inside["type"] == "unsubscribed"
    share = (inside.value.cast("float64") * margin_rate).cast(MONEY)
    margin = ibis.coalesce(inside.margin, share)
    return inside.group_by("decision_id").agg(
        told=converted.sum(),
        told_revenue=inside.value.sum(where=converted).cast("float64"),
        told_margin=margin.sum(where=converted).cast("float64"),
        used=redeemed.sum(),
        left=left.sum(),
        used_money=inside.value.sum(where=redeemed).cast("float64"),
    )


def _bought(tables: Tables, decided: ir.Table, as_of: datetime, margin_rate: float) -> ir.Table:
    """Purchases of the decided members inside the window, refunds taken off, by decision."""
    rate = newest(tables.items, "item_id", as_of).select(
        "item_id", "margin_rate", item_category="category"
    )
    lines = tables.events.filter(
        _["type"].isin(["purchase", "refund"]), _.known_at < ibis.literal(as_of)
    ).left_join(rate, "item_id")
    bought = lines["type"] == "purchase"
    amount = lines.quantity.fill_null(1.0).abs() * lines.unit_price.cast("float64").fill_null(0.0)
    revenue = (amount - lines.discount.cast("float64").fill_null(0.0)) * ibis.ifelse(bought, 1, -1)
    own = lines.margin.cast("float64")
    lines = lines.select(
        "member_id",
        "occurred_at",
        "item_id",
        category=ibis.coalesce(lines.category, lines.item_category),
        order=bought.cast("int64"),
        revenue=revenue.cast(MONEY),
        margin=ibis.coalesce(
            ibis.ifelse(bought, own, -own.abs()), revenue * lines.margin_rate.fill_null(margin_rate)
        ).cast(MONEY),
    )
    of = decided.select("decision_id", "member_id", "decided_at", "window_end")
    inside = lines.join(of, "member_id").filter(
        _.occurred_at >= _.decided_at, _.occurred_at < _.window_end
    )
    return inside.group_by("decision_id").agg(
        orders=_.order.sum(),
        bought_revenue=_.revenue.sum().cast("float64"),
        bought_margin=_.margin.sum().cast("float64"),
        bought_categories=_.category.collect(where=_.order == 1, distinct=True),
        bought_items=_.item_id.collect(where=_.order == 1, distinct=True),
    )
