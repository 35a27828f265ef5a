"""What the shop of a live market sends: a first week at random, then one push a week."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from decisions.catalogue import Push
from training.market.config import MarketConfig
from training.market.live import NOT_ASKED, Live
from training.market.pushes import draw_choice
from training.market.world import Sending, sending_of

WEEK = timedelta(days=7)
# By week; after the last one it begins anew. The first ones are those of the first week, too.
_PLACES = (
    "hualien", "kyoto", "okinawa", "seoul", "bali", "tokyo", "jeju", "kenting", "taipei",
    "hokkaido", "taitung", "tainan", "bangkok", "alishan",
)  # fmt: skip
# The first is the campaign's default: what the hand-written rule sends.
_OFFERS = ("percent-5", "percent-10", "points", "content")
_AT_FIRST = 5


def sent_at(config: MarketConfig, week: int) -> datetime:
    """When the push of ``week`` goes out; week 0 begins where the history ends."""
    return config.history_end + week * WEEK


def place_of(week: int) -> str:
    """The destination of a week's push, 1 being the first."""
    return _PLACES[(week - 1) % len(_PLACES)]


def weekly_push(config: MarketConfig, week: int, audience: int | None) -> Push:
    """The push of ``week``, 1 or more, whose outcomes count until the next one goes out.

    Args:
        audience: most members it may reach.
    """
    return _push(config, week, f"week-{week:02d}-{place_of(week)}", place_of(week), audience)


def first_pushes(config: MarketConfig) -> tuple[Push, ...]:
    """The pushes of week 0: each goes to other members."""
    return tuple(_push(config, 0, f"start-{place}", place, None) for place in _PLACES[:_AT_FIRST])


def at_random(
    live: Live, pushes: tuple[Push, ...], seed: int
) -> list[tuple[Sending, NDArray[np.int64]]]:
    """``pushes`` with a draw for everybody: each member is in one of them, and gets one of its
    offers or none, with the probabilities that ``write.decision_columns`` writes down."""
    rng = np.random.default_rng([seed, 20])
    mine = rng.integers(0, len(pushes), len(live.members))
    decided = []
    for number, push in enumerate(pushes):
        sending = sending_of(live.world, push)
        drawn = draw_choice(sending, len(live.members), rng)
        decided.append((sending, np.where((mine == number) & live.reachable, drawn, NOT_ASKED)))
    return decided


def _push(config: MarketConfig, week: int, push_id: str, place: str, audience: int | None) -> Push:
    return Push(
        push_id,
        channel="push",
        send_at=sent_at(config, week),
        offer_ids=tuple(f"{place}-{offer}" for offer in _OFFERS),
        campaign_id=place,
        attribution_days=WEEK / timedelta(days=1),
        max_audience=audience,
    )
