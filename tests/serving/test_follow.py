"""The follower: what the log acknowledged reaches the store, whatever dies in between."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.errors import FeatureError
from features.fresh import SKEW, FreshRow
from features.fresh_state import FreshState
from features.item_catalogue import Listed
from serving.follow import Follower, follow
from serving.log import Log, LoggedDecision

NOW = datetime(2026, 5, 20, 15, tzinfo=UTC)
ITEMS = {"boots": Listed("shoes", 80.0), "cap": Listed("hats", None)}


class FakeItems:
    def __getitem__(self, item_id: str) -> Listed:
        return ITEMS.get(item_id, Listed(None, None))


@dataclass
class FakeStore:
    """Keeps what was pushed; refuses while ``down``."""

    rows: dict[str, FreshRow] = field(default_factory=dict)
    pushes: int = 0
    alive_at: list[datetime] = field(default_factory=list)
    down: bool = False

    def push(self, rows: Mapping[str, FreshRow], now: datetime) -> None:
        if self.down:
            raise FeatureError("the online store does not answer")
        self.rows.update(rows)
        self.pushes += len(rows)

    def alive(self, now: datetime) -> None:
        if self.down:
            raise FeatureError("the online store does not answer")
        self.alive_at.append(now)


@dataclass
class Desk:
    """A log, a store and a follower between them, which can be replaced as after a crash."""

    folder: Path
    log: Log
    state: FreshState
    store: FakeStore
    now: datetime = NOW

    def follower(self) -> Follower:
        return Follower(self.log, self.state, self.store, FakeItems(), lambda: self.now)

    def took(self, *rows: dict[str, Any], received_at: datetime = NOW) -> None:
        taken = self.log.keep_events(rows, received_at)
        assert taken.accepted + taken.duplicates == len(rows), taken

    def failed(self, event_id: str, **named: str) -> None:
        row = {"event_id": event_id, "type": "failed", "occurred_at": NOW.isoformat(), **named}
        assert self.log.keep_outcomes([row], NOW).accepted == 1

    def sent(self, decision_id: str, member: str = "m1", offer: str | None = "ten") -> None:
        at = (NOW - timedelta(hours=1)).isoformat()
        decision = LoggedDecision(
            decision_id, f"push-{decision_id}", "push", member, offer, 0.9, at, "[]", "main", "p1",
            "r1", None, "{}",
        )  # fmt: skip
        self.log.keep_decisions([decision])


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Log(tmp_path / "log.db") as log, closing(FreshState(tmp_path / "fresh.db")) as state:
        yield Desk(tmp_path, log, state, FakeStore())


def event(event_id: str, kind: str = "view", at: datetime = NOW, **more: Any) -> dict[str, Any]:
    given = {"event_id": event_id, "member_id": "m1", "type": kind, "occurred_at": at.isoformat()}
    return {**given, **more}


def test_what_was_acknowledged_is_pushed(desk: Desk) -> None:
    desk.took(
        event("e1", "add_to_cart", NOW - timedelta(seconds=9), item_id="boots", quantity=2),
        event("e2", "add_to_cart", NOW - timedelta(seconds=8), item_id="cap", unit_price="12.50"),
        event("e3", "rating", NOW, rating=5),
    )
    desk.sent("d1")
    desk.sent("d2", offer=None)
    desk.now = NOW + timedelta(seconds=2)
    step = desk.follower().step()
    assert (step.read, step.pushed, step.full) == (5, 1, False)
    assert step.lag == timedelta(hours=1, seconds=2).total_seconds()
    assert desk.store.rows == {
        "m1": FreshRow(
            last_seen_at=NOW - timedelta(seconds=8),
            last_category="hats",
            last_category_at=NOW - timedelta(seconds=8),
            open_cart_items=2.0,
            open_cart_value=92.5,
            open_cart_at=NOW - timedelta(seconds=8),
            contacts_today=1.0,
            contacts_at=NOW - timedelta(hours=1),
            last_click_at=NOW - timedelta(seconds=8),
            cared_category="hats",
            cared_category_at=NOW - timedelta(seconds=8),
        )
    }


@pytest.mark.parametrize(
    "named", [{"decision_id": "d1"}, {"member_id": "m1", "push_id": "push-d1"}]
)
def test_a_failed_message_is_no_contact(desk: Desk, named: dict[str, str]) -> None:
    desk.sent("d1")
    desk.sent("d2")
    follower = desk.follower()
    follower.step()
    assert desk.store.rows["m1"].contacts_today == 2.0
    desk.failed("o1", **named)
    desk.failed("o2", decision_id="of another scorer")
    follower.step()
    assert desk.store.rows["m1"].contacts_today == 1.0


def test_a_moment_of_the_future_is_never_taken(desk: Desk) -> None:
    ahead = timedelta(minutes=1)
    desk.took(event("e1", at=NOW + SKEW + ahead, category="shoes"))
    follower = desk.follower()
    follower.step()
    assert desk.store.rows == {}
    desk.took(event("e2", at=NOW + ahead, category="hats"))
    follower.step()
    assert desk.store.rows["m1"].last_seen_at == NOW  # its arrival: it cannot be later


@pytest.mark.parametrize(
    "dies", ["before the states are kept", "before the push", "after the push"]
)
def test_a_crash_anywhere_loses_and_counts_nothing_twice(
    desk: Desk, dies: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.took(
        event("e1", "add_to_cart", item_id="boots"), event("e2", "add_to_cart", item_id="cap")
    )
    desk.sent("d1")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    method = {"before the states are kept": "keep", "after the push": "sent"}.get(dies)
    with monkeypatch.context() as dying:
        dying.setattr(desk.state if method else desk.store, method or "push", crash)
        with pytest.raises(KeyboardInterrupt):
            desk.follower().step()
    desk.state.close()
    with closing(FreshState(desk.folder / "fresh.db")) as desk.state:
        desk.follower().step()
        row = desk.store.rows["m1"]
        assert (row.open_cart_items, row.contacts_today) == (2.0, 1.0)
        pushes = desk.store.pushes
        desk.follower().step()
        assert desk.store.pushes == pushes


def test_what_a_store_refused_is_pushed_once_it_answers(desk: Desk) -> None:
    desk.took(event("e1"))
    desk.store.down = True
    follower, waits = desk.follower(), list[float]()

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        desk.store.down = len(waits) < 3
        return len(waits) == 4

    follow(follower, wait, lambda: None)
    assert desk.store.rows.keys() == {"m1"}
    assert desk.store.alive_at == [NOW]
    assert waits == [1.0, 1.0, 1.0, 0.1]


def test_a_long_log_is_taken_page_by_page_and_its_members_pushed_once(desk: Desk) -> None:
    for start in range(0, 6500, 500):
        desk.took(*(event(f"e{n}", member_id=f"m{n % 700}") for n in range(start, start + 500)))
    follower = desk.follower()
    steps = [follower.step() for _ in range(5)]
    assert [(step.read, step.pushed) for step in steps] == [
        (2000, 700), (2000, 0), (2000, 0), (500, 700), (0, 0),
    ]  # fmt: skip
    assert [step.full for step in steps] == [True, True, True, False, False]
    assert len(desk.store.alive_at) == 1  # only when everything was there


def test_another_log_in_the_same_place_is_read_from_its_start(desk: Desk, tmp_path: Path) -> None:
    desk.took(event("e1"), event("e2"), event("e3"))
    desk.follower().step()
    with Log(tmp_path / "another.db") as desk.log:
        desk.took(event("f1", member_id="m2"))
        follower = desk.follower()
        follower.step()
        follower.step()
    assert "m2" in desk.store.rows


def test_rows_that_come_twice_or_late_change_nothing(desk: Desk) -> None:
    rows = [
        event("e1", "add_to_cart", NOW - timedelta(minutes=3), item_id="boots"),
        event("e2", "purchase", NOW - timedelta(minutes=2), item_id="boots"),
        event("e3", "view", NOW - timedelta(minutes=1), item_id="cap"),
    ]
    follower = desk.follower()
    for row in (*reversed(rows), *rows):
        desk.took(json.loads(json.dumps(row)))
        follower.step()
    row = desk.store.rows["m1"]
    assert (row.open_cart_items, row.last_category) == (0.0, "hats")
