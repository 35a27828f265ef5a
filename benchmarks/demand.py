"""``python -m benchmarks.demand [--quick]``: are sown gaps found among the first that are told?

Twenty synthetic markets, in each eight gaps: a need that the shop stopped serving and one segment
wants more and more. As many needs grow and are served; what is closed, every other segment wants as
much as ever. The reference ranks the same cells by growth × share unmet, plainly: no members are
added to small cells, and there is no bound, least size or money. Bands of one gap count once.

Then what is told in vain, where nothing grew: of all findings, of those in the same markets without
what was sown (there a closed need may still grow, with its season or by a push), and of markets
without gaps.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np

from benchmarks.figure import Figure
from features.demand import DemandQuestion, demand
from features.demand_cells import Cells
from features.demand_measured import measured
from features.demand_segments import BY_DEFAULT
from features.demand_wants import Windows
from features.ingest.load import ingest
from features.progress import silent
from features.tables import opened
from features.workspace import Workspace, open_workspace
from training.market import truth
from training.market.clock import shopping_days
from training.market.config import MarketConfig
from training.market.make import make_market
from training.market.world import DESTINATIONS, make_world

GAPS, WINDOW_DAYS = 8, 56
SEEDS, QUICK_SEEDS, MEMBERS = range(20), range(1), 20_000
GOAL = 6
_EVERY = 1_000
Told = tuple[dict[str, str], str, float, float]  # segment, category, lowest and highest price


@dataclass(frozen=True, slots=True)
class Found:
    """Of one market. ours, ratio: gaps among the first eight. told: findings in all; idle: those
    whose need does not grow in truth. quiet, quiet_idle: the same without what was sown."""

    ours: int
    ratio: int
    told: int
    idle: int
    quiet: int
    quiet_idle: int


def measure(config: MarketConfig) -> Found:
    with tempfile.TemporaryDirectory() as scratch:
        market = make_market(Path(scratch) / "market", config, silent)
        gaps = [gap for gap in truth.load_gaps(market.folder) if not gap.served]
        workspace = open_workspace(Path(scratch) / "workspace")
        *events, sown = market.tables["events"]
        for name in ("members", "items", "offers"):
            ingest(workspace, name, list(market.tables[name]))
        ingest(workspace, "events", events)
        without = _told(workspace, config)
        ingest(workspace, "events", [sown])
        told, growing = _told(workspace, config), _truly_growing(config)
        return Found(
            ours=hits(told[:GAPS], gaps),
            ratio=hits(_by_ratio(workspace, config), gaps),
            told=len(told),
            idle=sum(not _sown(one, gaps) and one[1] not in growing for one in told),
            quiet=len(without),
            quiet_idle=sum(one[1] not in growing for one in without),
        )


def hits(told: Sequence[Told], gaps: Sequence[truth.Gap]) -> int:
    """How many of ``gaps`` are told."""
    return sum(any(_is(one, gap) for one in told) for gap in gaps)


def _sown(one: Told, gaps: Sequence[truth.Gap]) -> bool:
    return any(_is(one, gap) for gap in gaps)


def _is(one: Told, gap: truth.Gap) -> bool:
    segment, category, low, high = one
    meets = low <= gap.high and high >= gap.low
    return segment == gap.segment and category == gap.category and meets


def _told(workspace: Workspace, config: MarketConfig) -> list[Told]:
    found = demand(workspace, DemandQuestion(config.history_end, WINDOW_DAYS, top=_EVERY)).report
    if found.cannot_say or found.unmet_cannot_say:
        raise ValueError(f"a market says nothing: {found.cannot_say or found.unmet_cannot_say}")
    return [
        (dict(one.segment), one.need.category, one.need.low or 0.0, one.need.high or 0.0)
        for one in found.findings
    ]


def _by_ratio(workspace: Workspace, config: MarketConfig) -> list[Told]:
    """The first eight by growth × share unmet."""
    windows = Windows(config.history_end, WINDOW_DAYS)
    with opened(workspace) as tables:
        found = measured(workspace, tables, windows, BY_DEFAULT, silent)
    cells: Cells = found.cells
    growth = cells.now / np.maximum(cells.before, 1)
    unmet = cells.unmet / np.maximum(cells.counts["judged"], 1)
    first = np.argsort(-growth * unmet, kind="stable")[:GAPS]
    told = []
    for cell in first:
        low, high, _ = found.shelves.wanted.get(cells.needs[cell], (0.0, 0.0, 0.0))
        told.append((dict(cells.segments[cell]), cells.needs[cell][0], low, high))
    return told


def _truly_growing(config: MarketConfig) -> set[str]:
    """Categories that grow without any sowing: their season grows faster than that of all, or a
    push went out for them in the later window."""
    world = make_world(config)
    start, split, end = (
        shopping_days(config.history_end - timedelta(days=WINDOW_DAYS * back)) for back in (2, 1, 0)
    )
    places = range(len(DESTINATIONS))
    seasons = world.destinations

    def mean(first: float, last: float, place: int) -> float:
        days = np.linspace(first, last, 200)
        return float(seasons.season(days, np.full(len(days), place)).mean())

    before = np.array([mean(start, split, place) for place in places])
    now = np.array([mean(split, end, place) for place in places])
    shop = (seasons.popularity @ now) / (seasons.popularity @ before)
    seasonal = {DESTINATIONS[place] for place in places if now[place] / before[place] > shop}
    return seasonal | {DESTINATIONS[one.place] for one in world.past if one.day >= split}


def figures(quick: bool) -> Iterator[Figure]:
    """By seed the gaps among the first eight, then the means and what is told in vain."""
    seeds = QUICK_SEEDS if quick else SEEDS
    found = []
    for seed in seeds:
        one = measure(MarketConfig(MEMBERS, seed, gaps=GAPS))
        found.append(one)
        yield _gaps(f"demand_gaps_in_first_{GAPS}_seed_{seed}", one.ours, one.ratio)
    ours, ratio = (float(np.mean([getattr(one, n) for one in found])) for n in ("ours", "ratio"))
    yield _gaps(f"demand_gaps_in_first_{GAPS}_mean", ours, ratio)
    yield _share("demand_told_in_vain", [one.idle for one in found], [one.told for one in found])
    yield _share(
        "demand_told_in_vain_where_nothing_was_sown",
        [one.quiet_idle for one in found],
        [one.quiet for one in found],
    )
    plain = [_plain(MarketConfig(MEMBERS, seed)) for seed in seeds]
    yield Figure(
        "demand_told_without_gaps", float(sum(plain)), float(len(plain)), "findings",
        sum(plain) / len(plain), "none", not sum(plain),
    )  # fmt: skip


def _plain(config: MarketConfig) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        market = make_market(Path(scratch) / "market", config, silent)
        workspace = open_workspace(Path(scratch) / "workspace")
        for name in ("members", "items", "offers", "events"):
            ingest(workspace, name, list(market.tables[name]))
        return len(_told(workspace, config))


def _gaps(name: str, ours: float, ratio: float) -> Figure:
    return Figure(
        name, ours, ratio, f"gaps of {GAPS}", ours / max(ratio, 1.0), f"at least {GOAL}",
        ours >= GOAL,
    )  # fmt: skip


def _share(name: str, idle: Sequence[int], told: Sequence[int]) -> Figure:
    """Findings in vain beside all findings."""
    share = sum(idle) / max(sum(told), 1)
    return Figure(
        name, float(sum(idle)), float(sum(told)), "findings", share, "at most 0.05", share <= 0.05
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed")
    for figure in figures(parser.parse_args().quick):
        print(figure.line(), flush=True)


if __name__ == "__main__":
    main()
