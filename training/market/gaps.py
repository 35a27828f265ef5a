"""Growing demand sown into a market: some that the shop serves, some that it does not.

A *need* is a destination at a price level, a *cell* a segment of members with a need. The segments
are lifecycle × value tier as the features have them 16 weeks before the end. In the last eight
weeks more and more members of a chosen cell look at what they need. In half of the cells the shop
stopped selling it long before (``closed.py``): these are the gaps. In the other half it is for
sale. Other segments want what is closed as much as ever: growth alone and absence alone are no gap.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.contract import EVENT_TYPES, TABLES
from features.demand_segments import BY_DEFAULT, segments
from features.tables import Tables, open_tables, stored_rows
from features.workspace import Workspace
from training.market.clock import microseconds
from training.market.closed import LEVELS
from training.market.config import MarketConfig
from training.market.events import QUERIES, Events
from training.market.members import DEVICES
from training.market.truth import Gap
from training.market.world import DESTINATIONS, World, item_id

GROWING_DAYS = 56
STOOD_DAYS = 2 * GROWING_DAYS  # before the end: when members are told apart
LEAST_GROWTH, MOST_GROWTH = 1.75, 3.0
FEWEST = 60  # members who want it anyway; of fewer nothing could be told
_AGAIN, _MORE_VIEWS, _SEARCHES = 0.5, 1.2, 0.35
_VIEW, _SEARCH = EVENT_TYPES.index("view"), EVENT_TYPES.index("search")


@dataclass(frozen=True, slots=True)
class Sown:
    """The truth, and what the members of its cells do beside what they would do anyway."""

    gaps: tuple[Gap, ...]
    events: Events


def sow(config: MarketConfig, world: World, files: Mapping[str, Sequence[Path]]) -> Sown:
    """Choose the cells and let their demand grow.

    Args:
        files: the market's tables without what is sown.
    """
    rng = np.random.default_rng([config.seed, 4])
    stood, looked = _stood_and_looked(config, files)
    open_levels = [
        (place, level)
        for place in range(len(DESTINATIONS))
        for level in range(len(LEVELS))
        if (place, level) not in world.closed.levels
    ]
    served = [open_levels[row] for row in rng.permutation(len(open_levels))[: config.gaps]]
    gaps, visits = [], []
    for need in (*world.closed.levels, *served):
        gap, members = _sown_cell(world, stood, looked, need, rng)
        gaps.append(gap)
        visits.append(_visits(need, members, rng))
    return Sown(tuple(gaps), _clicks(world, pd.concat(visits, ignore_index=True), rng))


def _stood_and_looked(
    config: MarketConfig, files: Mapping[str, Sequence[Path]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The members with their segments, in order of id; and who looked at which item of late."""
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Workspace(Path(scratch))
        tables = _tables(workspace, files)
        at = config.history_end - timedelta(days=STOOD_DAYS)
        stood = segments(workspace, tables, BY_DEFAULT, at).order_by("member_id").execute()
        since = ibis.literal(config.history_end - timedelta(days=GROWING_DAYS))
        events = tables.events.filter(
            tables.events.occurred_at >= since, tables.events.item_id.notnull()
        )
        looked = events.select("member_id", "item_id").distinct().execute()
        tables.close()
    return stood, looked


def _tables(workspace: Workspace, files: Mapping[str, Sequence[Path]]) -> Tables:
    """The market's files as tables; a member is known from when the shop's record was made."""
    empty = open_tables(workspace)
    found = {
        name: stored_rows(empty.engine, workspace, name, list(files[name]))
        for name in TABLES
        if files.get(name)
    }
    found["members"] = found["members"].mutate(known_at=found["members"].updated_at)
    rest = {name: getattr(empty, name) for name in TABLES if name not in found}
    return Tables(empty.engine, **found, **rest, has_clickstream=True, has_pushes=True)


def _sown_cell(
    world: World,
    stood: pd.DataFrame,
    looked: pd.DataFrame,
    need: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[Gap, NDArray[np.int64]]:
    """A segment that grows to want ``need``, and the numbers of its members who newly do."""
    place, level = need
    items = [item_id(place, item) for item in LEVELS[level]]
    with_need = stood.member_id.isin(set(looked.member_id[looked.item_id.isin(items)]))
    segment, wanting = _drawn_segment(stood[with_need], rng)
    inside = (stood[list(BY_DEFAULT)] == segment).all(axis=1)
    growth = float(rng.uniform(LEAST_GROWTH, MOST_GROWTH))
    others = stood.member_id[inside & ~with_need].tolist()
    count = min(round((growth - 1) * wanting), len(others))
    chosen = np.sort(rng.choice(len(others), count, replace=False))
    numbers = np.array([int(others[row][1:]) for row in chosen], dtype=np.int64)
    cents = world.items.cents[place, list(LEVELS[level])]
    gap = Gap(
        segment=dict(zip(BY_DEFAULT, segment, strict=True)),
        category=DESTINATIONS[place],
        low=float(cents.min() / 100),
        high=float(cents.max() / 100),
        wanting=wanting,
        growth=1 + count / wanting,
        served=need not in world.closed.levels,
    )
    return gap, numbers


def _drawn_segment(wanting: pd.DataFrame, rng: np.random.Generator) -> tuple[list[str], int]:
    """One of the segments with enough members who want it, else the largest; and how many do."""
    counts = wanting.value_counts(list(BY_DEFAULT)).sort_index()
    names = counts.index.to_frame(index=False).astype(str).to_numpy().tolist()
    sizes = list(zip(names, counts.tolist(), strict=True))
    enough = [one for one in sizes if one[1] >= FEWEST] or [max(sizes, key=lambda one: one[1])]
    return enough[int(rng.integers(len(enough)))]


def _visits(
    need: tuple[int, int], members: NDArray[np.int64], rng: np.random.Generator
) -> pd.DataFrame:
    """Each member's visits, more and more of them towards the end: ``member``, ``place``,
    ``level``, ``before`` (days before the end)."""
    member = np.repeat(members, 1 + rng.poisson(_AGAIN, len(members)))
    before = GROWING_DAYS * (1 - np.sqrt(rng.random(len(member))))
    return pd.DataFrame({"member": member, "place": need[0], "level": need[1], "before": before})


def _clicks(world: World, visits: pd.DataFrame, rng: np.random.Generator) -> Events:
    """A search in some visits, then views of the level's items; nobody buys."""
    count = len(visits)
    searches = (rng.random(count) < _SEARCHES).astype(np.int64)
    size = searches + 1 + rng.poisson(_MORE_VIEWS, count)
    visit = np.repeat(np.arange(count), size)
    nth = np.arange(len(visit)) - np.repeat(np.cumsum(size) - size, size)
    search = nth < searches[visit]
    widths = np.array([len(level) for level in LEVELS])
    level = visits.level.to_numpy()[visit]
    first = np.array([level[0] for level in LEVELS])[level]
    item = first + (rng.random(len(visit)) * widths[level]).astype(np.int64)
    pace = rng.integers(20_000_000, 100_000_000, count)
    # A visit ends with its last event, a second before the end at the latest.
    end = microseconds(world.end - visits.before.to_numpy()) - 1_000_000
    none = np.full(len(visit), -1)
    nothing = np.zeros(len(visit), dtype=np.int64)
    events = Events(
        member=visits.member.to_numpy()[visit],
        type=np.where(search, _SEARCH, _VIEW),
        at=end[visit] - (size[visit] - 1 - nth) * pace[visit],
        place=visits.place.to_numpy()[visit],
        item=np.where(search, -1, item),
        query=np.where(search, rng.integers(0, len(QUERIES), len(visit)), -1),
        quantity=nothing,
        unit_cents=nothing,
        discount=none,
        margin=nothing,
        purchase=none,
        visit=visit,
        device=rng.integers(0, len(DEVICES), count)[visit],
    )
    return events.take(np.lexsort((events.type, events.visit, events.at)))
