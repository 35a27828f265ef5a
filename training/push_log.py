"""Past pushes as data: who was decided how, with what probability, and what followed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from decisions.catalogue import Offer
from features.push_outcomes import decided_with_outcomes
from features.tables import opened
from features.workspace import Workspace
from training.catalogue import offers_as_of
from training.errors import TrainingError

if TYPE_CHECKING:
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
    push_ids: the pushes, by their number.
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
    push_ids: tuple[str, ...]

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
        rate = workspace.conventions.default_margin_rate
        frame = decided_with_outcomes(tables, as_of, most, rate).execute()
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
        push_ids=tuple(push_ids.tolist()),
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
