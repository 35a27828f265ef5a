"""A market that goes on week by week, with choices that somebody else makes.

What members would do without any push is drawn beforehand, up to the horizon, and told as time
goes by; a push changes what has not been told yet. So nothing that is known at a moment depends on
what is decided later, and whatever is decided meets the same members in the same mood.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError
from training.market import write
from training.market.browsing import Visits
from training.market.clock import microseconds, shopping_days
from training.market.config import MarketConfig
from training.market.events import Events, clickstream
from training.market.make import before_pushes, push_truth
from training.market.members import Members, draw_members
from training.market.pushes import History, Round, follow, moment, reachable
from training.market.truth import PushTruth
from training.market.world import Sending, World, make_world

MOST = 100_000  # members: all are held at once
NOT_ASKED = -2
_MEMBERS, _BEFORE, _ANSWERS, _TOLD = range(10, 14)  # streams of random numbers


@dataclass(frozen=True, eq=False)
class Live:
    """A market at a moment; sending a push and telling what happened give the next one.

    world: its ``end`` is the horizon: nothing is known beyond.
    told: shopping days up to which events were told.
    refunds: that will be told later, of purchases told already.
    part: number of the next file of events.
    """

    config: MarketConfig
    world: World
    members: Members
    history: History
    told: float
    refunds: Events
    part: int = 0

    @property
    def reachable(self) -> NDArray[np.bool_]:
        """(n,) who may be sent a push: consents and has not unsubscribed."""
        return reachable(self.members, self.history)

    @property
    def member_ids(self) -> list[str]:
        """Ids of all members, in the order of every array."""
        ids: list[str] = write.member_ids(0, np.arange(len(self.members))).to_pylist()
        return ids

    def truth(self, sending: Sending) -> PushTruth:
        """What ``sending`` would truly do now. For evaluation only."""
        ahead = moment(self.world, self.members, self.history, sending)
        known = (self.world, self.members, self.history)
        return push_truth(known, sending, ahead, ahead.seen, self.config.effects_off)


def open_live(config: MarketConfig, horizon: timedelta) -> Live:
    """The market of ``config`` with a year behind it in which nothing was ever pushed.

    Args:
        horizon: how long it can go on after ``config.history_end``.

    Raises:
        TrainingError: more members than one block can hold, or a market with gaps.
    """
    if config.members > MOST:
        raise TrainingError(
            f"a live market of {config.members:,} members is out of reach; take at most {MOST:,}"
        )
    if config.gaps:
        raise TrainingError(f"a live market of {config.gaps} gaps is out of reach; wanted 0")
    shop = replace(make_world(config), past=())
    members = draw_members(shop, 0, config.members, _rng(config, _MEMBERS))
    world = replace(shop, end=shopping_days(config.history_end + horizon))
    history = before_pushes(world, members, _rng(config, _BEFORE))
    nothing = Events(*(np.zeros(0, dtype=np.int64) for _ in Events.__slots__))
    return Live(config, world, members, history, shop.start, nothing)


def catalogue(live: Live, folder: Path) -> Mapping[str, tuple[Path, ...]]:
    """Write items, offers and members as contract tables; returns table to files."""
    known = replace(live.world, end=shopping_days(live.config.history_end))
    columns = {
        "items": write.item_columns(live.world),
        "offers": write.catalogue_columns("offers", live.world.offers),
        "members": write.member_columns(known, live.members),
    }
    return {
        name: (write.write_table(folder, name, 0, table)[0],) for name, table in columns.items()
    }


def send(
    live: Live, decided: Sequence[tuple[Sending, NDArray[np.int64]]]
) -> tuple[Live, tuple[Round, ...]]:
    """Send pushes and let happen what they change.

    Args:
        decided: each push with an entry per member: the column of its offer, -1 for no send,
            ``NOT_ASKED`` where no decision was taken. Whoever cannot be reached gets nothing.

    Raises:
        TrainingError: a push lies in what was told already, or its window ends after the horizon.
    """
    rounds, history = [], live.history
    for number, (sending, choice) in enumerate(decided):
        _check_time(live, sending)
        allowed = reachable(live.members, history)
        given = sending, np.where((choice >= 0) & ~allowed, -1, choice)
        rng = _rng(live.config, _ANSWERS, live.part, number)
        history, done = follow(
            live.world, live.members, history, given, rng, live.config.effects_off
        )
        rounds.append(done)
    return replace(live, history=history), tuple(rounds)


def _check_time(live: Live, sending: Sending) -> None:
    ends = sending.day + sending.push.attribution_days
    if sending.day < live.told or ends > live.world.end + 1e-6:
        raise TrainingError(
            f"push {sending.push.push_id} is sent on day {sending.day:.2f} and ends on {ends:.2f}; "
            f"this market can be sent something from {live.told:.2f} to {live.world.end:.2f}"
        )


def tell(live: Live, until: float) -> tuple[Live, Events]:
    """The events after ``live.told`` up to ``until`` (shopping days), in order of time."""
    shown = _between(live.history.visits, live.told, until)
    rng = _rng(live.config, _TOLD, live.part)
    fresh = clickstream(live.world, live.members, shown, live.history.purchases, rng)
    begun, ended = microseconds(np.array([live.told, until])).tolist()
    # A visit that began before the last telling is told as if it began with this one.
    fresh = replace(fresh, at=np.maximum(fresh.at, begun))
    every = Events(
        *(
            np.concatenate([getattr(live.refunds, name), getattr(fresh, name)])
            for name in Events.__slots__
        )
    )
    every = every.take(np.argsort(every.at, kind="stable"))
    now, later = every.at <= ended, every.at > ended
    after = replace(live, told=until, refunds=every.take(np.flatnonzero(later)), part=live.part + 1)
    return after, every.take(np.flatnonzero(now))


def write_events(live: Live, events: Events, folder: Path) -> Path:
    """Write what ``tell`` gave, ``live`` being the market that it gave with it."""
    part = live.part - 1
    columns = write.event_columns(live.world, 0, part, events)
    # An order keeps its id in its refund, which may be told in a later part.
    columns = {**columns, "order_id": write.order_ids(0, events.purchase)}
    return write.write_table(folder, "events", part, columns)[0]


def write_outcomes(rounds: Sequence[Round], part: int, folder: Path) -> Path:
    """Write what became of pushes; each row names its member and push, whoever decided it."""
    columns = {
        name: column
        for name, column in write.outcome_columns(0, part, rounds).items()
        if name != "decision_id"
    }
    return write.write_table(folder, "outcomes", part, columns)[0]


def _between(visits: Visits, after: float, until: float) -> Visits:
    rows = np.flatnonzero((visits.day > after) & (visits.day <= until))
    return Visits(*(getattr(visits, name)[rows] for name in Visits.__slots__))


def _rng(config: MarketConfig, *stream: int) -> np.random.Generator:
    return np.random.default_rng([config.seed, *stream])
