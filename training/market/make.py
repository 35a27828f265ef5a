"""Make a synthetic market: a travel shop with a year behind it and one push ahead."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.progress import Progress, silent
from training.errors import TrainingError
from training.market import truth, write
from training.market.browsing import (
    PURCHASE,
    WARM_UP_DAYS,
    Visits,
    draw_intents,
    draw_visits,
)
from training.market.buying import Purchases, draw_purchases
from training.market.clock import MICROSECONDS_A_DAY, microseconds
from training.market.config import Market, MarketConfig
from training.market.events import Events, browsed, clickstream
from training.market.members import Members, draw_members
from training.market.pushes import History, Round, moment, reachable, send
from training.market.response import Moment, response
from training.market.valuation import worth
from training.market.world import Sending, World, make_world

BLOCK = 10_000  # members made at a time: what bounds the memory
RULE_DAYS = 30
_TASTE_SHARED = 0.5  # of Members.match


@dataclass(frozen=True, slots=True)
class Block:
    """Some members with everything that happened to them."""

    members: Members
    history: History
    rounds: tuple[Round, ...]
    events: Events
    ahead: Moment  # when the push to be planned is sent


def make_market(folder: Path, config: MarketConfig, progress: Progress = silent) -> Market:
    """Write the market of ``config`` into ``folder``: tables of the contract, and the truth.

    Members are made in blocks, so that memory does not grow with their number.

    Raises:
        TrainingError: ``folder`` is there and not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise TrainingError(f"{folder} is not empty; give a market a folder of its own")
    world = make_world(config)
    tables: dict[str, list[Path]] = defaultdict(list)
    rows: dict[str, int] = defaultdict(int)

    def add(name: str, part: int, columns: write.Columns) -> None:
        path, count = write.write_table(folder, name, part, columns)
        tables[name].append(path)
        rows[name] += count

    add("items", 0, write.item_columns(world))
    add("offers", 0, write.catalogue_columns("offers", world.offers))
    pushes = [sending.push for sending in (*world.past, world.planned)]
    add("pushes", 0, write.catalogue_columns("pushes", pushes))
    for part, first in enumerate(range(0, config.members, BLOCK)):
        block = make_block(world, config, first)
        add("members", part, write.member_columns(world, block.members))
        add("events", part, write.event_columns(world, first, part, block.events))
        add("decisions", part, write.decision_columns(first, block.rounds))
        add("outcomes", part, write.outcome_columns(first, part, block.rounds))
        truth.save_part(folder, part, block_truth(world, config, block))
        progress("market", min(first + BLOCK, config.members), config.members)
    if config.gaps:
        from training.market.gaps import sow  # brings the engine of features along

        sown = sow(config, world, tables)
        part = len(tables["events"])
        add("events", part, write.event_columns(world, 0, part, sown.events))
        truth.save_gaps(folder, sown.gaps)
    paths = {name: tuple(files) for name, files in tables.items()}
    return Market(folder, config, paths, dict(rows), world.planned.push.push_id)


def make_block(world: World, config: MarketConfig, first: int) -> Block:
    """The members from number ``first`` on. A block depends on the seed and ``first`` only."""
    rng = np.random.default_rng([config.seed, 2, first])
    members = draw_members(world, first, min(BLOCK, config.members - first), rng)
    history = before_pushes(world, members, rng)
    rounds = []
    for sending in world.past:
        history, done = send(world, members, history, sending, rng, config.effects_off)
        rounds.append(done)
    events = clickstream(world, members, history.visits, history.purchases, rng)
    ahead = moment(world, members, history, world.planned)
    return Block(members, history, tuple(rounds), events, ahead)


def before_pushes(world: World, members: Members, rng: np.random.Generator) -> History:
    """What would happen to ``members`` all year if no push was ever sent."""
    intents = draw_intents(world, members, (world.start - WARM_UP_DAYS, world.end), rng)
    purchases = draw_purchases(world, members, intents, (world.start, world.end), rng)
    visits = draw_visits(world, members, intents, rng).plus(_purchase_visits(purchases))
    return History(intents, visits, purchases, (), np.zeros(len(members), dtype=np.bool_))


def block_truth(world: World, config: MarketConfig, block: Block) -> truth.PushTruth:
    """What the push to be planned would truly do for the members of ``block``."""
    members, planned = block.members, world.planned
    sent_at = int(microseconds(np.array([planned.day]))[0])
    lately = (sent_at - RULE_DAYS * MICROSECONDS_A_DAY, sent_at)
    seen = browsed(block.events, len(members), planned.place, lately)
    known = (world, members, block.history)
    return push_truth(known, planned, block.ahead, seen, config.effects_off)


def push_truth(
    known: tuple[World, Members, History],
    sending: Sending,
    ahead: Moment,
    seen: NDArray[np.bool_],
    effects_off: bool,
) -> truth.PushTruth:
    """What ``sending`` would truly do for the members, in the state ``ahead``.

    Args:
        known: the shop, its members and what happened to them up to now.
        seen: (n,) who browsed the push's place lately.
    """
    world, members, history = known
    effect = response(world, members, sending, ahead, effects_off)
    value = worth(world, members, sending, ahead, effect)
    return truth.PushTruth(
        push_id=sending.push.push_id,
        offer_ids=sending.push.offer_ids,
        member_ids=_ids(members),
        p_if_not=value.p_if_not,
        p_if_sent=value.p_if_sent,
        expected_gain=value.gain,
        expected_cost=value.cost,
        kind=value.kind,
        reachable=reachable(members, history),
        browsed_recently=seen,
        shares_taste=members.match[:, sending.place] >= _TASTE_SHARED,
    )


def _ids(members: Members) -> NDArray[np.str_]:
    ids = write.member_ids(members.first, np.arange(len(members)))
    return np.array(ids.to_pylist(), dtype=np.str_)


def _purchase_visits(purchases: Purchases) -> Visits:
    count = len(purchases.member)
    return Visits(
        purchases.member,
        purchases.place,
        purchases.day,
        np.full(count, PURCHASE, dtype=np.int8),
        np.arange(count),
    )
