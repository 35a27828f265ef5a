"""Cells of segment, category and price band, tested and turned into findings."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis.expr.types as ir
import numpy as np
from numpy.typing import NDArray

from features.demand_findings import Evidence, Finding, Growth, Need, Remedy
from features.demand_score import (
    FEWEST_MEMBERS,
    SIGNIFICANT,
    Array,
    adjusted,
    growth,
    mean_share,
    pulled_share,
    score,
)
from features.demand_wants import ANY_PRICE

COUNTS = ("members", "before", "now", "judged", "bought", "no_item", "no_stock", "not_bought")
Key = tuple[str, int]  # category and band


@dataclass(frozen=True, eq=False)
class Cells:
    """One entry a cell, in the order of its segment, category and band.

    segments: name to value, as told. counts: (n,) members, by the names of ``COUNTS``.
    """

    segments: Sequence[Mapping[str, str]]
    needs: Sequence[Key]
    counts: Mapping[str, Array]

    @property
    def segment(self) -> NDArray[np.int64]:
        """(n,) The number of the segment of each."""
        numbers: dict[tuple[str, ...], int] = {}
        values = (tuple(one.values()) for one in self.segments)
        return np.array([numbers.setdefault(one, len(numbers)) for one in values], dtype=np.int64)

    @property
    def before(self) -> Array:
        return self.counts["before"]

    @property
    def now(self) -> Array:
        return self.counts["now"]

    @property
    def unmet(self) -> Array:
        return self.counts["no_item"] + self.counts["no_stock"]


def cells_of(placed: ir.Table, names: Sequence[str]) -> Cells:
    """Count the members of each cell.

    Args:
        placed: of ``demand_supply.judged``, with ``segment_0``, … for the values of ``names``.
    """
    keys = [*(f"segment_{number}" for number in range(len(names))), "category", "band"]
    counted = placed.group_by(keys).agg(
        members=placed.member_id.count(),
        **{name: placed[name].sum() for name in COUNTS if name != "members"},
    )
    rows = counted.order_by(keys).to_pyarrow().to_pydict()
    values = zip(*(rows[key] for key in keys[:-2]), strict=True)
    return Cells(
        [dict(zip(names, value, strict=True)) for value in values],
        list(zip(rows["category"], rows["band"], strict=True)),
        {name: np.array(rows[name], dtype=np.float64) for name in COUNTS},
    )


@dataclass(frozen=True, slots=True)
class Shelves:
    """What is known of needs, whoever has them.

    wanted: lowest, highest and mean price looked at. for_sale: items, items in stock, cheapest,
    dearest of the last day. assortment: items wanted before, now, and before but not now.
    order_margin: margin of an order, where some were bought; under ``ANY_PRICE`` of the whole
    category, and there "" is all categories together.
    margin_rates: margin over revenue by category, "" of all.
    """

    wanted: Mapping[Key, tuple[float, float, float]]
    for_sale: Mapping[Key, tuple[int, int, float | None, float | None]]
    assortment: Mapping[Key, tuple[int, int, int]]
    order_margin: Mapping[Key, float]
    margin_rates: Mapping[str, float]

    @classmethod
    def of(
        cls,
        prices: ir.Table,
        items: ir.Table,
        last: ir.Table,
        earned: ir.Table,
        default_margin_rate: float,
    ) -> Shelves:
        """Args: ``demand_wants.ranges`` and ``.assortment``, the last day of
        ``demand_supply.supply``, and ``demand_supply.earnings``."""
        money: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
        margins: dict[Key, float] = {}
        for row in _rows(earned):
            for name in (row["category"], ""):
                for place, what in enumerate(("margin", "revenue", "orders")):
                    money[name][place] += row[what]
            if row["band"] is not None and row["orders"]:
                margins[row["category"], row["band"]] = row["margin"] / row["orders"]
        margins |= {
            (name, ANY_PRICE): margin / orders for name, (margin, _, orders) in money.items()
        }
        rates = {name: margin / gained for name, (margin, gained, _) in money.items() if gained > 0}
        return cls(
            {_key(row): (row["low"], row["high"], row["middle"]) for row in _rows(prices)},
            {
                _key(row): (row["listed"], row["in_stock"], row["cheapest"], row["dearest"])
                for row in _rows(last)
            },
            {
                _key(row): (row["items_before"], row["items_now"], row["items_gone"])
                for row in _rows(items)
            },
            margins,
            {"": default_margin_rate, **rates},
        )

    def margin(self, need: Key) -> float:
        """Of one order: what those of the last year earned; where nothing was bought at that price,
        the category's margin rate × the mean price looked at; without a price, what an order of
        any category earned. 0 where nothing tells."""
        if need in self.order_margin:
            return self.order_margin[need]
        rate = self.margin_rates.get(need[0], self.margin_rates[""])
        if need in self.wanted:
            return rate * self.wanted[need][2]
        return self.order_margin.get(("", ANY_PRICE), 0.0)

    def nearest(self, need: Key) -> tuple[int, tuple[int, int, float | None, float | None]] | None:
        """The nearest other band of the category with an item in stock; the cheaper of two."""
        category, band = need
        near = [
            (abs(other - band), other)
            for (of, other), (_, stock, _, _) in self.for_sale.items()
            if of == category and other not in (ANY_PRICE, band) and stock
        ]
        return (min(near)[1], self.for_sale[category, min(near)[1]]) if near else None


@dataclass(frozen=True, slots=True)
class Told:
    """findings: best first."""

    shop_growth: float
    mean_unmet: float
    tested: int
    growing: int
    findings: Sequence[Finding]


def findings(
    cells: Cells, shelves: Shelves, unmet_told: bool, *, told_by_buying: bool = False
) -> Told:
    """Test the cells with enough members and rank those that grow and, where that can be told, are
    unserved beyond the mean.

    Args:
        told_by_buying: both the segments and what is wanted are told by purchases alone.
    """
    grown = growth(cells.before, cells.now, cells.segment if told_by_buying else None)
    enough = np.flatnonzero(cells.counts["members"] >= FEWEST_MEMBERS)
    corrected = np.ones(len(cells.now))
    corrected[enough] = adjusted(grown.p[enough])
    mean = mean_share(cells.unmet, cells.counts["judged"])
    share = pulled_share(cells.unmet, cells.counts["judged"])
    beyond = share - mean if unmet_told else np.ones(len(share))
    margin = np.array([shelves.margin(need) for need in cells.needs])
    scores = score(grown.low, cells.now, beyond, margin)
    growing = enough[corrected[enough] <= SIGNIFICANT]
    ranked = growing[np.argsort(-scores[growing], kind="stable")]
    rates = _buying_rates(cells)
    found: list[Finding] = []
    for cell in ranked[scores[ranked] > 0]:
        need = cells.needs[cell]
        rate = rates.get(need[0], rates[""])
        at_stake = float(cells.now[cell] * share[cell] * rate * margin[cell])
        found.append(
            Finding(
                len(found) + 1,
                cells.segments[cell],
                _need(shelves, need),
                _evidence(cells, cell, (float(share[cell]), mean) if unmet_told else (None, None)),
                Growth(
                    math.exp(grown.z[cell]),
                    math.exp(grown.low[cell]),
                    math.exp(grown.high[cell]),
                    float(grown.p[cell]),
                    float(corrected[cell]),
                ),
                _remedy(shelves, need, float(margin[cell]), at_stake if unmet_told else None),
                float(scores[cell]),
                (),
            )
        )
    return Told(grown.shop, mean, len(enough), len(growing), found)


def _buying_rates(cells: Cells) -> Mapping[str, float]:
    """By category, "" of all: of the judged members who had something to buy, those who bought."""
    counted: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for cell, (category, _) in enumerate(cells.needs):
        bought, left = (cells.counts[name][cell] for name in ("bought", "not_bought"))
        for name in (category, ""):
            counted[name][0] += bought
            counted[name][1] += bought + left
    rates = {name: bought / served for name, (bought, served) in counted.items() if served}
    return {"": 0.0, **rates}


def _need(shelves: Shelves, need: Key) -> Need:
    low, high, _ = shelves.wanted.get(need, (None, None, None))
    return Need(*need, low, high)


def _evidence(
    cells: Cells, cell: int, share_and_mean: tuple[float | None, float | None]
) -> Evidence:
    counts = {name: int(cells.counts[name][cell]) for name in COUNTS}
    share, mean = share_and_mean
    return Evidence(**counts, unmet_share=share, mean_unmet=mean)


def _remedy(shelves: Shelves, need: Key, margin: float, at_stake: float | None) -> Remedy:
    low, high, _ = shelves.wanted.get(need, (None, None, None))
    listed, stock, _, _ = shelves.for_sale.get(need, (0, 0, None, None))
    near = shelves.nearest(need)
    band, (_, items, cheapest, dearest) = near or (None, (0, 0, None, None))
    return Remedy(
        low, high, listed, stock, *shelves.assortment.get(need, (0, 0, 0)),
        band, cheapest, dearest, items, margin, at_stake,
    )  # fmt: skip


def _key(row: Mapping[str, Any]) -> Key:
    return row["category"], row["band"]


def _rows(table: ir.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pyarrow().to_pylist()
    return rows
