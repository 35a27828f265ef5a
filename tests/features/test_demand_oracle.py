"""Demand counted once more, member by member, from what ``docs/demand.md`` says."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from features.demand_cells import COUNTS
from features.demand_measured import measured
from features.demand_wants import Windows
from features.progress import silent
from features.tables import opened
from features.workspace import Workspace
from tests.features.given import AS_OF, Row, ago, events, write_batch

WINDOWS = Windows(AS_OF, 28)
KINDS = ("view", "view", "search", "add_to_cart", "wishlist", "purchase", "app_open", "refund")
Need = tuple[str, int]


def random_items(rng: random.Random) -> list[Row]:
    return [
        {
            "item_id": f"i{number}",
            "category": rng.choice(["a", "b", "c", None]),
            "price": rng.choice([5, 10, 20, 40, None]),
            "listed_at": rng.choice([None, None, ago(rng.uniform(0, 40))]),
            "delisted_at": rng.choice([None, ago(rng.uniform(-5, 40))]),
        }
        for number in range(12)
    ]


def random_events(rng: random.Random) -> list[Row]:
    rows: list[Row] = []
    for _ in range(900):
        at = ago(rng.uniform(-3, 60))
        rows.append(
            {
                "member_id": f"m{rng.randrange(60)}",
                "type": rng.choice(KINDS),
                "occurred_at": at,
                "received_at": at + timedelta(days=rng.choice([0, 0, 0, 2])),
                "item_id": rng.choice([None, *(f"i{n}" for n in range(13))]),
                "category": rng.choice([None, "a", "b"]),
                "unit_price": rng.choice([None, None, 7, 15, 35]),
                "quantity": 1.0,
            }
        )
    return events({"member_id": "m0", "type": "view", "occurred_at": ago(70)}, *rows)


class Oracle:
    """A shop's demand, slowly."""

    def __init__(self, items: Sequence[Row], rows: Sequence[Row]) -> None:
        self.items = {item["item_id"]: item for item in items}
        self.wants = [row for row in map(self._wanted, rows) if row is not None]
        self.edges = self._edges()

    def _wanted(self, row: Row) -> dict[str, object] | None:
        at: datetime = row["occurred_at"]
        known = max(at, row.get("received_at") or at)
        item = self.items.get(row.get("item_id"), {})
        category = row.get("category") or item.get("category")
        if row["type"] in ("app_open", "refund") or category is None:
            return None
        if not WINDOWS.start <= at or known >= AS_OF:
            return None
        own = row.get("unit_price")
        return {**row, "at": at, "category": category, "own": own,
                "price": own or item.get("price")}  # fmt: skip

    def _edges(self) -> Mapping[str, list[float]]:
        looks = {(w["member_id"], w["category"], w["price"]) for w in self.wants if w["price"]}
        prices: dict[str, list[float]] = defaultdict(list)
        for _, category, price in looks:
            prices[str(category)].append(float(str(price)))
        return {
            category: [
                min(p for p in found if 5 * sum(q <= p for q in found) >= band * len(found))
                for band in range(1, 5)
            ]
            for category, found in prices.items()
        }

    def band(self, category: str, price: object) -> int | None:
        if not price or category not in self.edges:
            return None
        return 1 + sum(float(str(price)) > edge for edge in self.edges[category])

    def needs(self) -> Mapping[tuple[str, Need], list[datetime]]:
        """When each member wanted what."""
        looks = {(w["member_id"], w["category"], w["price"]) for w in self.wants}
        bands: dict[object, list[int]] = defaultdict(list)
        for member, category, price in looks:
            band = self.band(str(category), price)
            if band is not None:
                bands[member, category].append(band)
                bands[member].append(band)
        found: dict[tuple[str, Need], list[datetime]] = defaultdict(list)
        for want in self.wants:
            member, category = str(want["member_id"]), str(want["category"])
            band = self.band(category, want["price"])
            if band is None:
                near = bands.get((member, category)) or bands.get(member)
                sums = near if category in self.edges else None
                band = 0 if not sums else (2 * sum(sums) + len(sums)) // (2 * len(sums))
            found[member, (category, band)].append(want["at"])  # type: ignore[arg-type]  # a moment
        return found

    def for_sale(self, need: Need, day: int) -> bool:
        begins = WINDOWS.split + timedelta(days=day)
        for name, item in self.items.items():
            listed, ended = item.get("listed_at"), item.get("delisted_at")
            if item["category"] != need[0] or (listed and listed >= begins + timedelta(days=1)):
                continue
            if ended and ended <= begins:
                continue
            mine = [want["own"] for want in self.wants if want.get("item_id") == name]
            paid = [float(str(own)) for own in mine if own]
            price = item["price"] or (round(sum(paid) / len(paid), 4) if paid else None)
            if need[1] in (0, self.band(need[0], price)) or price is None:
                return True
        return False

    def cells(self) -> Mapping[Need, Counter[str]]:
        found: dict[Need, Counter[str]] = defaultdict(Counter)
        for (member, need), moments in self.needs().items():
            later = [at for at in moments if at >= WINDOWS.split]
            judged = [at for at in later if at < WINDOWS.judged_until]
            told = found[need]
            told["members"] += 1
            told["before"] += any(at < WINDOWS.split for at in moments)
            told["now"] += bool(later)
            if not judged:
                continue
            first = min(judged)
            told["judged"] += 1
            if any(self._bought(member, need[0], want, first) for want in self.wants):
                told["bought"] += 1
            elif self.for_sale(need, (first - WINDOWS.split).days):
                told["not_bought"] += 1
            else:
                told["no_item"] += 1
        return found

    def _bought(self, member: str, category: str, want: Row, first: datetime) -> bool:
        mine = want["member_id"] == member and want["category"] == category
        at: datetime = want["at"]
        in_time = first <= at <= first + timedelta(days=14)
        return bool(mine and want["type"] == "purchase" and in_time)


@pytest.mark.parametrize("seed", range(3))
def test_every_member_is_counted_as_the_page_says(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    items, rows = random_items(rng), random_events(rng)
    workspace = Workspace(tmp_path)
    write_batch(workspace, "items", items)
    write_batch(workspace, "events", rows)
    # Everybody is known before, in one segment.
    write_batch(workspace, "members", [{"member_id": f"m{n}"} for n in range(60)])
    with opened(workspace) as tables:
        found = measured(workspace, tables, WINDOWS, ("region",), silent)
    expected = Oracle(items, rows).cells()
    counted = {
        need: {name: int(found.cells.counts[name][row]) for name in COUNTS}
        for row, need in enumerate(found.cells.needs)
    }
    assert counted == {
        need: {name: told[name] for name in COUNTS} for need, told in expected.items()
    }
    assert found.newcomers == 0
