"""Habits by hand: three members, a handful of orders."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from features.tables import opened
from features.workspace import Workspace
from models.repeat import ITEM, MEMBER, NAMES, OWN, Habits
from tests.training.shops import AS_OF, store
from training.errors import TrainingError
from training.habits import habits_of, lines_before
from training.interactions import next_orders

# Days before the moment, member, order, item.
BOUGHT = (
    (40, "ann", "o1", "tea"), (40, "ann", "o1", "milk"), (10, "ann", "o2", "tea"),
    (350, "bob", "o3", "rum"), (5, "bob", "o4", "tea"), (5, "bob", "o4", "milk"),
    (5, "bob", "o4", "milk"), (20, "eve", None, "rum"),
)  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace(tmp_path_factory.mktemp("habits"))
    at = [pd.Timestamp(AS_OF - timedelta(days=days)) for days, *_ in BOUGHT]
    rows = pd.DataFrame(
        {
            "event_id": [f"e{row}" for row in range(len(BOUGHT))],
            "member_id": [member for _, member, _, _ in BOUGHT],
            "order_id": [order for _, _, order, _ in BOUGHT],
            "item_id": [item for _, _, _, item in BOUGHT],
            "type": "purchase",
            "occurred_at": at,
            "known_at": at,
        }
    )
    store(made, "events", rows)
    return made


@pytest.fixture(scope="module")
def habits(shop: Workspace) -> Habits:
    with opened(shop) as tables:
        return habits_of(lines_before(tables, AS_OF), horizon_days=30)


def pair(habits: Habits, member: str, item: str) -> dict[str, float]:
    row = habits.member_ids.tolist().index(member.encode())
    items, _ = habits.own.row(row)
    place = items.tolist().index(habits.item_ids.tolist().index(item.encode()))
    place += int(habits.own.starts[row])
    return dict(zip(OWN, habits.own_values[place].tolist(), strict=True))


def test_a_pair_is_told_by_the_orders_that_held_it(habits: Habits) -> None:
    tea = pair(habits, "ann", "tea")
    assert (tea["orders"], tea["recency_days"], tea["age_days"]) == (2, 10, 40)
    assert (tea["gap_days"], tea["share_of_orders"], tea["place"]) == (30, 1, 1)
    assert tea["overdue"] == pytest.approx(1 / 3)
    assert tea["faded_30"] == pytest.approx(2 ** (-40 / 30) + 2 ** (-10 / 30))
    milk = pair(habits, "ann", "milk")
    assert (milk["orders"], milk["since_last_order_days"], milk["place"]) == (1, 30, 2)
    assert np.isnan(milk["gap_days"])
    assert (tea["orders_since"], tea["share_since_first"], tea["share_of_last_5"]) == (0, 1, 1)
    assert (milk["orders_since"], milk["share_since_first"], milk["share_of_last_5"]) == (
        1,
        0.5,
        0.5,
    )
    assert pair(habits, "bob", "milk")["orders"] == 1  # two lines of one order
    assert pair(habits, "bob", "rum")["orders_a_year_ago"] == 1
    assert pair(habits, "bob", "tea")["orders_a_year_ago"] == 0


def test_members_and_items_are_told_by_all_their_orders(habits: Habits) -> None:
    bob = dict(zip(MEMBER, habits.member_values[1].tolist(), strict=True))
    assert (bob["member_orders"], bob["member_recency_days"], bob["member_gap_days"]) == (2, 5, 345)
    assert (bob["member_items"], bob["member_basket"], bob["member_repeats"]) == (3, 1.5, 0)
    tea = dict(zip(ITEM, habits.item_values[2].tolist(), strict=True))
    assert (tea["buyers_7"], tea["buyers_30"], tea["repeat_buyers"]) == (1, 2, 0.5)
    assert (tea["item_age_days"], tea["item_recency_days"]) == (40, 5)
    assert habits.popularity.tolist() == [1, 1, 2]  # milk, rum, tea: buyers of the last 30 days


def test_what_was_in_one_order_goes_together(habits: Habits) -> None:
    milk, rum, tea = range(3)
    assert tea in habits.together.items[milk][habits.together.similarity[milk] > 0]
    assert rum not in habits.together.items[milk][habits.together.similarity[milk] > 0]
    assert rum in habits.near.items[milk][habits.near.similarity[milk] > 0]  # bob bought both


def test_candidates_carry_what_is_known_of_their_pair(habits: Habits) -> None:
    rows, table = habits.candidates(2)  # eve, who bought rum only
    assert rows.tolist() == [0, 1, 2]
    orders = table[:, NAMES.index("orders")]
    assert orders[1] == 1
    assert np.isnan(orders[[0, 2]]).all()
    assert table[:, NAMES.index("buyers_30")].tolist() == [1, 1, 2]


def test_the_next_order_is_the_first_of_the_period(shop: Workspace) -> None:
    start = AS_OF - timedelta(days=45)
    with opened(shop) as tables:
        assert next_orders(tables, start, AS_OF, AS_OF) == {
            "ann": {"tea", "milk"}, "bob": {"tea", "milk"}, "eve": {"rum"},
        }  # fmt: skip
        late = AS_OF - timedelta(days=15)
        assert next_orders(tables, late, AS_OF, AS_OF)["ann"] == {"tea"}


def test_the_future_is_invisible(shop: Workspace) -> None:
    with opened(shop) as tables:
        lines = lines_before(tables, AS_OF - timedelta(days=30))
        assert lines.member_ids.tolist() == [b"ann", b"bob"]
        assert lines.ages.min() == 10
        with pytest.raises(TrainingError, match="no purchase with an item_id"):
            lines_before(tables, AS_OF - timedelta(days=400))
