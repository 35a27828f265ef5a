"""Fresh features through Feast's online stores, with what those stores do not guard against."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from features.build import build_features
from features.fresh import VALUES_AT, Contacted, Did, FreshRow, MemberState, fold, fresh_row
from features.fresh_reader import NAMES, believed
from features.store import apply, materialize, online_row
from features.store.fresh import FRESH_SERVICE, PUSH_SOURCE, OnlineFresh, online_fresh
from features.store.repo import opened_for_reading, opened_online
from features.workspace import Workspace
from tests.features.given import AS_OF, small_shop
from tests.features.registry import broken_registry
from tests.online_stores import STORES, redis_url

NOW = datetime(2026, 5, 20, 15, tzinfo=UTC)


def ago(**since: float) -> datetime:
    return NOW - timedelta(**since)


def row(at: datetime, count: float = 1.0) -> FreshRow:
    return FreshRow(at, "shoes", at, count, count, at, count, at, at, "hats", at)


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=STORES)
def workspace(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("workspace")
    with redis_url(request.param, folder) as url:
        yield Workspace(folder / "shop", redis_url=url)


@pytest.fixture(scope="module")
def store(workspace: Workspace) -> Iterator[OnlineFresh]:
    with online_fresh(workspace) as store:
        yield store


@pytest.fixture(autouse=True)
def _followed(store: OnlineFresh) -> None:
    store.alive(NOW)


def test_values_come_back_with_their_moments(store: OnlineFresh) -> None:
    mine = FreshRow(
        ago(seconds=1), None, None, 2.0, 19.99, ago(hours=1), 1.0, ago(hours=2),
        ago(seconds=3), "hats", ago(seconds=4),
    )  # fmt: skip
    store.push({"m1": mine}, NOW)
    found = store.read(["m1"], NOW)["m1"]
    told = {name: value and (value.value, value.age) for name, value in found.values.items()}
    assert told == {
        "last_seen": (ago(seconds=1), 1.0),
        "last_category": None,
        "open_cart_items": (2.0, 3600.0),
        "open_cart_value": (19.99, 3600.0),
        "contacts_today": (1.0, 7200.0),
        "last_click": (ago(seconds=3), 3.0),
        "cared_category": ("hats", 4.0),
    }


def test_a_member_of_whom_nothing_was_pushed_is_unknown(store: OnlineFresh) -> None:
    found = store.read(["nobody"], NOW)["nobody"]
    assert found.values == dict.fromkeys(NAMES)
    assert found.behind == 0.0


def test_an_older_push_never_replaces_a_newer_value(store: OnlineFresh) -> None:
    store.push({"m2": row(ago(hours=1), 5.0)}, NOW)
    older = replace(row(ago(hours=2), 1.0), last_seen_at=ago(minutes=1))
    store.push({"m2": older}, NOW - timedelta(minutes=30))  # by a clock that went back, too
    values = store.read(["m2"], NOW)["m2"].values
    assert values["open_cart_items"] is not None
    assert (values["open_cart_items"].value, values["open_cart_items"].age) == (5.0, 3600.0)
    assert values["last_seen"] is not None
    assert values["last_seen"].at == ago(minutes=1)


def test_a_push_from_the_future_blocks_nothing(workspace: Workspace, store: OnlineFresh) -> None:
    store.push({"m3": row(ago(hours=1))}, NOW)
    future = datetime(2099, 1, 1, tzinfo=UTC)
    micros = int(future.timestamp()) * 10**6
    poison = {"member_id": ["m3"], "last_category": ["?"], "open_cart_items": [9.0],
              "open_cart_value": [9.0], "contacts_today": [9.0], "cared_category": ["?"],
              "revision": [micros], "event_timestamp": [future]}  # fmt: skip
    for name in VALUES_AT:
        poison[name] = [micros]
    with opened_online(workspace) as feast:
        feast.push(PUSH_SOURCE, pd.DataFrame(poison))
    assert store.read(["m3"], NOW)["m3"].values == dict.fromkeys(NAMES)
    store.push({"m3": row(ago(minutes=5), 2.0)}, NOW)
    values = store.read(["m3"], NOW)["m3"].values
    assert [value and value.at for value in values.values()] == [ago(minutes=5)] * 7
    assert values["contacts_today"] is not None
    assert values["contacts_today"].value == 2.0


def test_what_is_read_is_what_the_follower_knows(store: OnlineFresh) -> None:
    rng = random.Random(3)
    states = dict.fromkeys((f"p{number}" for number in range(60)), MemberState())
    for _ in range(150):
        member, item = rng.choice(list(states)), rng.choice(["boots", "cap", "scarf"])
        at = ago(seconds=rng.randrange(40 * 86_400))
        kind = rng.choice(["view", "add_to_cart", "remove_from_cart", "purchase"])
        did = Did(kind, at, item, rng.choice([None, "shoes", "hats"]), rng.random())
        contacted = Contacted(f"d{rng.randrange(30)}", at, failed=rng.random() < 0.2)
        states[member] = fold(states[member], did if rng.random() < 0.7 else contacted)
    rows = {member: fresh_row(state, NOW) for member, state in states.items()}
    store.push(rows, NOW)
    found = store.read(list(rows), NOW)
    assert found == {member: believed(row, NOW, NOW) for member, row in rows.items()}
    told = [value for one in found.values() for value in one.values.values()]
    assert told.count(None) > 5
    assert len(told) - told.count(None) > 100


def test_feast_itself_gives_the_same_values(workspace: Workspace, store: OnlineFresh) -> None:
    store.push({"m4": row(ago(hours=1), 3.0)}, NOW)
    with opened_online(workspace) as feast:
        service = feast.get_feature_service(FRESH_SERVICE)
        found = feast.get_online_features(service, [{"member_id": "m4"}]).to_dict()
    assert found["open_cart_items"] == [3.0]
    assert found["last_category"] == ["shoes"]
    assert found["open_cart_at"] == [int(ago(hours=1).timestamp()) * 10**6]


def test_no_read_is_torn_while_rows_are_pushed(workspace: Workspace, store: OnlineFresh) -> None:
    members = [f"t{number}" for number in range(40)]
    store.push({member: row(ago(hours=1), 0.0) for member in members}, NOW)
    done = threading.Event()

    def push() -> None:
        with online_fresh(workspace) as mine:  # a connection of its own, like another process
            for turn in range(1, 26):
                at = ago(hours=1) + timedelta(seconds=turn)
                mine.push({member: row(at, float(turn)) for member in members}, NOW)
        done.set()

    thread = threading.Thread(target=push)
    thread.start()
    seen = set()
    while not done.is_set():
        for found in store.read(members, NOW).values():
            told = [
                value
                for name, value in found.values.items()
                if value and name not in {"last_category", "cared_category"}
            ]
            turns = {(one.at - ago(hours=1)).total_seconds() for one in told}
            counts = {one.value for one in told if isinstance(one.value, float)}
            assert turns == counts
            assert len(turns) == 1
            seen |= turns
    thread.join()
    assert len(seen) > 2


def test_a_build_leaves_the_fresh_rows_alone(workspace: Workspace, store: OnlineFresh) -> None:
    small_shop(workspace)
    build_features(workspace, (AS_OF,))
    store.push({"m001": row(ago(hours=1), 4.0)}, NOW)
    apply(workspace)
    materialize(workspace, AS_OF)
    value = store.read(["m001"], NOW)["m001"].values["open_cart_items"]
    assert value is not None
    assert value.value == 4.0
    assert online_row(workspace, "member", "m001")["tenure_days"] is not None


def test_reads_never_ask_the_registry(workspace: Workspace, store: OnlineFresh) -> None:
    store.push({"m5": row(ago(hours=1), 3.0)}, NOW)
    with opened_for_reading(workspace) as feast:
        reader = OnlineFresh(feast, feast.get_feature_service(FRESH_SERVICE))
        with broken_registry(workspace, feast) as statements:
            found = [reader.read(["m5"], NOW)["m5"] for _ in range(3)]
    assert statements == []
    assert found == [believed(row(ago(hours=1), 3.0), NOW, NOW)] * 3
